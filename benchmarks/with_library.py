"""`fit` with the library against `fit` without: area and final score by CPU seconds, each set's own source held out.

    python -m benchmarks.with_library --data FOLDER --out OUT [--sets NAME ...] [--library FOLDER] [--seeds 0 1 2]
    python -m benchmarks.with_library --out OUT --table benchmarks/results/meta/with_library.md

Each run is a process of its own (its CPU clock counts imports) with one worker and the frozen stages alone; the two
arms of a set and a seed follow each other. Test labels are read by the judge alone, after the run. One small JSON per
run: what is in OUT is not done again.
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

from benchmarks.sources import held_out_with

ARMS = ("without", "with")
T = 1200.0


def main() -> None:
    """Run what is missing, do one run, or draw the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--library", type=Path, help="instead of the one in the package")
    parser.add_argument("--sets", nargs="*", default=[])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--one", nargs=3, metavar=("SET", "ARM", "SEED"))
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    if options.table:
        options.table.write_text(table(options.out))
    elif options.one:
        name, arm, seed = options.one
        told = played(options.data / name, arm, int(seed), options.library)
        _path(options.out, name, arm, int(seed)).write_text(json.dumps(told))
    else:
        _everything(options)


def _path(out: Path, name: str, arm: str, seed: int) -> Path:
    return out / f"{name}.{arm}.{seed}.json"


def _everything(options: argparse.Namespace) -> None:
    options.out.mkdir(parents=True, exist_ok=True)
    more = ["--library", str(options.library)] if options.library else []
    command = [sys.executable, "-m", "benchmarks.with_library", "--data", str(options.data), *more]
    command += ["--out", str(options.out), "--one"]
    for seed in options.seeds:
        for name in options.sets:
            for arm in ARMS if seed % 2 == 0 else ARMS[::-1]:  # neither is always the first
                if not _path(options.out, name, arm, seed).exists():
                    done = subprocess.run([*command, name, arm, str(seed)])
                    print(name, arm, seed, "ok" if done.returncode == 0 else "failed", flush=True)


def played(data: Path, arm: str, seed: int, folder: Path | None) -> dict[str, Any]:
    """One run, with the score of each snapshot, what was chosen and how long that took."""
    from headstart import api
    from headstart.challenge.labelled import labelled
    from headstart.learn.snapshot import Noted, Snapshot
    from headstart.meta.library import SHIPPED
    from headstart.running import versions
    from headstart.words.clock import Budget, CpuClock
    from headstart.words.scoring import score

    task = labelled(str(data)).task
    assert task.test is not None
    blind = replace(task, test=replace(task.test, targets=None))
    library = (folder or SHIPPED,) if arm == "with" else False
    told, said = [], []
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "run"
        request = api.Request(
            data, Budget(T), out, clock=CpuClock(), workers=1, seed=seed, method="frozen", library=library,
            held_out=held_out_with(data.name),
        )  # fmt: skip
        for event in api.run_task(request, blind):
            if isinstance(event, Snapshot) and event.test is not None:
                told.append((event.seconds, event.test))
            elif isinstance(event, Noted):
                said.append(event.text)
        document = json.loads((out / "run.json").read_text())
    truth = replace(task, train=task.test).indicator()
    return {
        "set": data.name, "arm": arm, "seed": seed, "T": T, "curve": [(t, score(truth, test)) for t, test in told],
        "said": said, "stages": [(s["backbone"], s["pixels"]) for s in document["config"]["stages"]],
        "choose_ms": 1000 * document["timings"].get("choose", 0.0),
        "library_ms": 1000 * document["timings"].get("library", 0.0), "precision": document["precision"],
        "machine": document["machine"], "versions": versions(), "load": os.getloadavg()[0],
    }  # fmt: skip


def _areas(run: dict[str, Any]) -> tuple[float, float, float, float]:
    """Area at t0 = 60 and 20, final score, and the seconds of the last prediction."""
    from headstart.words.scoring import alc

    times, scores = zip(*run["curve"], strict=True)
    return alc(times, scores, T, 60.0), alc(times, scores, T, 20.0), scores[-1], times[-1]


def table(out: Path) -> str:
    """Markdown: a line per set, paired differences, and what they come to."""
    runs = [json.loads(path.read_bytes()) for path in sorted(out.glob("*.json"))]
    of = {(run["set"], run["arm"], run["seed"]): run for run in runs}
    pairs = sorted({(s, seed) for s, _, seed in of if all((s, arm, seed) in of for arm in ARMS)})
    names = sorted({name for name, _ in pairs})
    head = ["set", "n", "ALC60 without", "with", "difference", "ALC20", "final", "CPU-s", "goes on with"]
    rows, every = [head, ["---", *["--:"] * 7, "---"]], []
    for name in names:
        seeds = [seed for other, seed in pairs if other == name]
        both = np.array([[_areas(of[name, arm, seed]) for arm in ARMS] for seed in seeds])  # [seeds, arms, 4]
        apart = both[:, 1] - both[:, 0]
        every.append(apart.mean(axis=0))
        spread = apart[:, 0].std(ddof=1) if len(seeds) > 1 else float("nan")
        chosen = {
            " ".join(f"{b}@{p}" for b, p in of[name, "with", seed]["stages"][2:]) or "–" for seed in seeds
        }
        rows.append([
            name, str(len(seeds)), f"{both[:, 0, 0].mean():.4f}", f"{both[:, 1, 0].mean():.4f}",
            f"{apart[:, 0].mean():+.4f} ± {spread:.4f}", f"{apart[:, 1].mean():+.4f}", f"{apart[:, 2].mean():+.4f}",
            f"{both[:, 1, 3].mean():.1f} / {both[:, 0, 3].mean():.1f}", "; ".join(sorted(chosen)),
        ])  # fmt: skip
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*_head(runs), *lines, "", *_summary(np.array(every), runs)]) + "\n"


def _head(runs: Sequence[dict[str, Any]]) -> list[str]:
    machine, load = runs[0]["machine"], np.median([run["load"] for run in runs])
    versions = ", ".join(f"{name} {version}" for name, version in runs[0]["versions"].items())
    return [
        "# `fit` with and without the library", "",
        "Area under the curve by CPU seconds (T = 1200), frozen stages alone, one worker; each set's own source held",
        "out of the library. Differences: with less without, paired by seed, mean ± standard deviation over seeds.",
        f"CPU-s: of the last prediction, with / without. {machine['cpu']}, {machine['cores']} cores, median load",
        f"{load:.1f}; {versions}.",
        "Made by `python -m benchmarks.with_library --data FOLDER --out OUT --sets …`.", "",
    ]  # fmt: skip


def _summary(every: Any, runs: Sequence[dict[str, Any]]) -> list[str]:
    chose = [run for run in runs if run["arm"] == "with" and run["said"]]
    choose, reading = (np.array([run[key] for run in chose]) for key in ("choose_ms", "library_ms"))
    error = every[:, 0].std(ddof=1) / np.sqrt(len(every)) if len(every) > 1 else float("nan")
    return [
        f"- mean over {len(every)} sets: ALC60 {every[:, 0].mean():+.4f} (standard error {error:.4f}), "
        f"ALC20 {every[:, 1].mean():+.4f}, final {every[:, 2].mean():+.4f}",
        f"- worst set: ALC60 {every[:, 0].min():+.4f}, ALC20 {every[:, 1].min():+.4f}, final {every[:, 2].min():+.4f}",
        f"- at least as high in ALC60: {(every[:, 0] >= 0).sum()} of {len(every)} sets",
        f"- time to choose, CPU ms: median {np.median(choose):.0f}, 90 % below {np.quantile(choose, 0.9):.0f}, "
        f"most {choose.max():.0f}; to load and read the library beside the run: median {np.median(reading):.0f}",
    ]


if __name__ == "__main__":
    main()
