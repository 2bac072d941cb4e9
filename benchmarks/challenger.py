"""Frozen features, a network trained alone, and both: scores over CPU seconds on shared data sets, by several seeds.

    python -m benchmarks.challenger --data FOLDER --out OUT [--sets NAME ...] [--seeds 3] [--budget 1200]
    python -m benchmarks.challenger --out OUT --table benchmarks/results/challenger.md

Each run is a process of its own (its CPU clock counts imports), with one worker; test labels are read here alone, after
the run. One small JSON per run: what is in OUT is not done again. "alone" is the method "transfer" with the recipe that
`anytime` would try first.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

METHODS = ("frozen", "alone", "both")
FAR = ("spoken_digits", "spoken_language", "drums", "watch_activity")
"""Sets whose raw pixels tell classes apart well, by training evidence of the first pass: random weights come first."""


def main() -> None:
    """Read the options, and run what is missing or draw the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="*", default=[])
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--budget", type=float, default=1200.0)
    parser.add_argument("--one", nargs=3, metavar=("SET", "METHOD", "SEED"))
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    if options.table:
        options.table.write_text(table(options.out))
    elif options.one:
        name, method, seed = options.one
        document = played(options.data / name, method, int(seed), options.budget)
        path(options.out, name, method, int(seed)).write_text(json.dumps(document))
    else:
        everything(options)


def path(out: Path, name: str, method: str, seed: int) -> Path:
    """Where a run is kept."""
    return out / f"{name}.{method}.{seed}.json"


def everything(options: argparse.Namespace) -> None:
    """All runs that are missing, one process each, the seeds one after the other."""
    options.out.mkdir(parents=True, exist_ok=True)
    for seed in options.seeds:
        for name in options.sets:
            for method in options.methods:
                if path(options.out, name, method, seed).exists():
                    continue
                command = [sys.executable, "-m", "benchmarks.challenger", "--data", str(options.data)]
                command += ["--out", str(options.out), "--budget", str(options.budget)]
                done = subprocess.run([*command, "--one", name, method, str(seed)])
                print(name, method, seed, "ok" if done.returncode == 0 else "failed", flush=True)


def played(data: Path, method: str, seed: int, budget: float) -> dict[str, Any]:
    """One run, with the score of each snapshot."""
    from headstart import api
    from headstart.challenge.labelled import labelled
    from headstart.learn.snapshot import Snapshot
    from headstart.running import versions
    from headstart.words.clock import Budget, CpuClock
    from headstart.words.scoring import score

    truth = labelled(str(data)).task.test
    assert truth is not None and truth.targets is not None
    task = labelled(str(data)).task
    hidden = replace(truth, targets=None)
    with tempfile.TemporaryDirectory() as scratch:
        request = api.Request(
            data, Budget(budget), Path(scratch) / "run", clock=CpuClock(), workers=1, seed=seed
        )
        kind = {"frozen": "frozen", "alone": "transfer", "both": "anytime"}[method]
        config = alone(task, data.name, seed) if method == "alone" else None
        request = replace(request, method=kind, config=config, library=False)
        blind = replace(task, test=hidden)  # the run must not see what the judge does
        points, heads, about = [], [], {}
        runs: list[Any] = []
        made = api.Run
        api.Run = lambda *given: runs.append(made(*given)) or runs[-1]
        known = _indicator(truth.targets, len(task.classes))
        try:
            for event in api.run_task(request, blind):
                if isinstance(event, Snapshot) and event.test is not None:
                    points.append((event.seconds, score(known, event.test)))
                    # What the heads alone say at this moment: the same run without its network.
                    heads.append((event.seconds, score(known, runs[-1]._learner._predictor.listed())))
                    trained = event.ensemble.trained
                    about = (
                        {} if trained is None else {"network": trained.name, "share": event.ensemble.share}
                    )
            seconds = CpuClock().now()
        finally:
            api.Run = made
    return {
        "set": data.name,
        "method": method,
        "seed": seed,
        "budget": budget,
        "curve": points,
        "heads": heads if method == "both" else [],
        "trained": about,
        "cpu_seconds": seconds,
        "versions": versions(),
    }


def alone(task: Any, name: str, seed: int) -> Any:
    """The recipe that would be tried first, as a configuration without stages."""
    from headstart.transfer.rounds import next_recipe
    from headstart.words.config import Config

    recipe = next_recipe(task.kind, len(task.train), 1.0 if name in FAR else 9.0, [])
    return Config(recipe=recipe, seed=seed)


def _indicator(targets: Any, classes: int) -> Any:
    if targets.ndim == 2:
        return targets.astype(float)
    return np.eye(classes)[targets.astype(int)]


def table(out: Path) -> str:
    """Final score and areas by set and method: mean and standard deviation over seeds."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for file in sorted(out.glob("*.json")):
        one = json.loads(file.read_text())
        found.setdefault((one["set"], one["method"]), []).append(one)
    names = list(dict.fromkeys(name for name, _ in found))
    lines = [
        "| set | method | n | final | ALC, t0 = 60 | t0 = 20 | CPU-s | error closed | network (share) |",
        "|---|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for name in names:
        both = found.get((name, "both"), [])
        paired = [{**run, "curve": run["heads"]} for run in both]
        rows = [
            ("frozen", found.get((name, "frozen"), [])),
            ("alone", found.get((name, "alone"), [])),
            ("both: its heads", paired),
            ("both", both),
        ]
        for label, runs in rows:
            if runs:
                lines.append(f"| {name} | {label} | {len(runs)} | {_row(label, runs, paired)} |")
    return "\n".join(lines) + "\n"


def _row(label: str, runs: Sequence[dict[str, Any]], paired: Sequence[dict[str, Any]]) -> str:
    """One line's cells. paired: the same runs without their network, which "both" is compared with."""
    from headstart.words.scoring import alc

    def area(run: dict[str, Any], t0: float) -> float:
        return alc([t for t, _ in run["curve"]], [s for _, s in run["curve"]], 1200.0, t0)

    final = [_last(run) for run in runs]
    cells = [_cell(final), _cell([area(run, 60.0) for run in runs]), _cell([area(run, 20.0) for run in runs])]
    cells.append(f"{np.mean([run['cpu_seconds'] for run in runs]):.0f}" if label != "both: its heads" else "")
    base = np.mean([_last(run) for run in paired]) if paired else 1.0
    cells.append(f"{(np.mean(final) - base) / max(1 - base, 1e-9):.0%}" if label == "both" else "")
    networks = [
        f"{run['trained']['network']} ({run['trained']['share']})" if run["trained"] else "–" for run in runs
    ]
    cells.append("; ".join(networks) if label in ("alone", "both") else "")
    return " | ".join(cells)


def _last(run: dict[str, Any]) -> float:
    return float(run["curve"][-1][1]) if run["curve"] else 0.0


def _cell(values: Sequence[float]) -> str:
    return f"{np.mean(values):.4f} ± {np.std(values, ddof=1) if len(values) > 1 else 0:.4f}"


if __name__ == "__main__":
    main()
