"""How true simulated time is: the same learner on a cost table and on the CPU clock, test curve against test curve.

    headstart calibrate --out TABLE.json
    python -m benchmarks.fidelity --data FOLDER --table TABLE.json --out benchmarks/out/fidelity

Every run has a process of its own: real ones with one worker thread on the CPU clock (process start included),
simulated ones on the table. Real runs are repeated, because they differ among themselves: what a simulation can
reach at best. Runs that are in OUT already are not done again (simulated ones of another table are).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from headstart.words.scoring import alc, score

SETS = (
    "surfaces", "clipart", "icons", "emoji", "photo_tiles", "script_id", "spoken_digits", "tuxpaint_stamps", "digits",
    "materials",
)  # fmt: skip
T = 1200.0
STARTS = (60.0, 20.0)


def play(data: Path, table: str | None, out: Path) -> dict[str, Any]:
    """One run in this process: its curve of test scores, and the seconds it took."""
    from headstart import api
    from headstart.challenge.calibrate_tables import load
    from headstart.words.clock import Budget, CostClock, CpuClock

    clock = CostClock(load(table), workers=1) if table else CpuClock()
    workers = 0 if table else 1
    request = api.Request(
        data / "train", Budget(T), out, data / "test", None, clock, workers, method="frozen", library=False
    )
    began, task, snapshots = time.process_time(), None, []
    for event in api.run(request):
        kind = type(event).__name__
        if kind == "Task":
            task = event
        elif kind == "Snapshot":
            snapshots.append((event.seconds, event.test))  # scored when the run is over: the clock is running
    spent = time.process_time() - began
    labels = [task.classes.index(path.split("/")[0]) for path in task.test.paths]
    truth = np.eye(len(task.classes))[labels]
    curve = [[seconds, score(truth, test)] for seconds, test in snapshots]
    ended = clock.now() if table else spent + began
    run = json.loads((out / "run.json").read_text())
    result = {"curve": curve, "ended": ended, "cpu": spent, "precision": run["precision"]}
    if table:
        result |= {"totals": clock.totals(), "sha": load_sha(table)}
    return result | {"timings": run["timings"]}


def load_sha(table: str) -> str:
    """The checksum of a table's file, by which results name it."""
    from headstart.challenge.calibrate_tables import path_of

    path = Path(table) if table.endswith(".json") else path_of(table)
    return str(json.loads(path.read_text())["sha256"])


def run_all(options: argparse.Namespace) -> None:
    """Every run that is missing, in turns over the sets, so that one busy quarter of an hour hits all alike."""
    sha = load_sha(options.table)
    for number in range(options.repeats):
        for name in options.sets:
            _run(options, name, f"real{number}", None)
    for name in options.sets:
        path = options.out / f"{name}.simulated.json"
        if path.exists() and json.loads(path.read_text())["sha"] != sha:
            path.unlink()
        _run(options, name, "simulated", options.table)


def _run(options: argparse.Namespace, name: str, what: str, table: str | None) -> None:
    path = options.out / f"{name}.{what}.json"
    if path.exists():
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "benchmarks.fidelity",
            "--one",
            str(options.data / name),
            "--out",
            folder,
        ]
        command += ["--table", table] if table else []
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{name} {what}: {done.stderr[-2000:]}")
    path.write_text(done.stdout)
    print(f"{name} {what}: {json.loads(done.stdout)['ended']:.1f} s", file=sys.stderr)


def rows(out: Path, sets: list[str]) -> list[dict[str, Any]]:
    """For each set that was run: both areas, their difference, the same among real runs, first predictions."""
    result = []
    for name in sets:
        reals = [json.loads(path.read_text()) for path in sorted(out.glob(f"{name}.real*.json"))]
        path = out / f"{name}.simulated.json"
        if not reals or not path.exists():
            continue
        told = json.loads(path.read_text())
        row: dict[str, Any] = {"set": name, "runs": len(reals)}
        for t0 in STARTS:
            areas = [alc(*zip(*real["curve"], strict=True), T, t0) for real in reals]
            mine = alc(*zip(*told["curve"], strict=True), T, t0)
            row |= {
                f"real{t0:.0f}": mean(areas),
                f"told{t0:.0f}": mine,
                f"differ{t0:.0f}": mine - mean(areas),
            }
            row[f"range{t0:.0f}"] = max(areas) - min(areas)
        first = mean(real["curve"][0][0] for real in reals)
        row |= {"first_real": first, "first_told": told["curve"][0][0], "first": told["curve"][0][0] / first}
        ends = mean(real["ended"] for real in reals)
        row |= {
            "end_real": ends,
            "end_told": told["ended"],
            "end": told["ended"] / ends,
            "replay": told["cpu"],
        }
        result.append(row)
    return result


def written(found: list[dict[str, Any]], about: dict[str, Any]) -> str:
    """The table as Markdown."""
    lines = [
        f"Simulated against real curve, T = {T:.0f} s, CPU clock, one worker; table `{about.get('name')}` of "
        f"{about.get('date')}, {about.get('machine', {}).get('cpu')}, load {about.get('machine', {}).get('load')}.",
        "",
        "| set | real runs | ALC real (t0 = 60) | simulated | difference | range of real | ALC real (t0 = 20) | "
        "simulated | difference | range of real | first prediction real, s | simulated / real | end real, s | "
        "simulated / real | CPU s of the replay |",
        "|---" * 15 + "|",
    ]
    for row in found:
        areas = [
            f"{row[f'real{t0}']:.4f} | {row[f'told{t0}']:.4f} | {row[f'differ{t0}']:+.4f} | {row[f'range{t0}']:.4f}"
            for t0 in (60, 20)
        ]
        times = (
            f"{row['first_real']:.2f} | {row['first']:.2f} | {row['end_real']:.1f} | {row['end']:.2f} | "
            f"{row['replay']:.1f}"
        )
        lines.append(f"| {row['set']} | {row['runs']} | {' | '.join(areas)} | {times} |")
    for t0 in (60, 20):
        worst = max(abs(row[f"differ{t0}"]) for row in found)
        lines += [
            "",
            f"t0 = {t0}: mean |difference| {mean(abs(r[f'differ{t0}']) for r in found):.4f}, largest {worst:.4f}",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, help="folder of data sets: NAME/train/CLASS/file and NAME/test/CLASS/file"
    )
    parser.add_argument("--table", help="cost table: its file, or its name")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument(
        "--results", type=Path, default=Path("benchmarks/results"), help="folder of the summary"
    )
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--repeats", type=int, default=2, help="of each real run")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(play(options.one, options.table, options.out / "run")))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    run_all(options)
    path = Path(options.table)
    about = json.loads(path.read_text())["about"] if path.exists() else {}
    found = rows(options.out, options.sets)
    text = written(found, about)
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "fidelity.md").write_text(text)
    summary = {"budget": T, "table": {**about, "sha256": load_sha(options.table)}, "rows": found}
    (options.results / "fidelity.json").write_text(json.dumps(summary, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main()
