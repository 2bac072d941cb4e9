"""What the referee costs, and how exact its stamps are, with 10 000 test samples of 100 classes.

    python -m benchmarks.referee_cost --predictions 40

A learner computes for a while, publishes, and notes the moments right before and after its rename by the same
monotonic clock. The error of a stamp is how far it lies outside of these. The overhead is the CPU of referee and
guard, once against the learner's CPU and once against the wall seconds of the run (as a share of one core).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.faults.referee import make_task
from benchmarks.table import ROOT
from headstart.challenge import referee
from headstart.challenge.learners import Learner
from headstart.challenge.record import read_events

_LEARNER = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from benchmarks.referee_cost import main; main()"


def learner(task: str, out: str, form: str, predictions: int, pause: float, busy: bool) -> None:
    """Plays: notes its moments in `moments.json` beside its predictions."""
    about = json.loads(Path(task, "task.json").read_text())
    values = np.random.default_rng(0).random((about["n_test"], len(about["classes"])), np.float32)
    content = "\n".join(" ".join(f"{v:g}" for v in row) for row in values.tolist()).encode() + b"\n"
    moments = {}
    for number in range(predictions):
        until = time.monotonic() + pause
        while time.monotonic() < until:
            if not busy:
                time.sleep(pause)
        name = f"{about['name']}.predict_{number}" + ".npy" * (form == "npy")
        path = os.path.join(out, name)
        with open(path + ".part", "wb") as file:
            if form == "npy":
                np.save(file, values)
            else:
                file.write(content)
        before = time.monotonic()
        os.replace(path + ".part", path)
        moments[name] = before, time.monotonic()
        if number >= 3:  # what was judged is not needed here, and takes room
            for old in Path(out).glob(f"*.predict_{number - 3}*"):
                old.unlink()
    Path(out, "moments.json").write_text(json.dumps(moments))


def outside(stamp: float, before: float, after: float) -> float:
    """Seconds by which a stamp lies after (or before: negative) the rename, which was between two moments."""
    return max(0.0, stamp - after) + min(0.0, stamp - before)


def measure(folder: Path, form: str, given: argparse.Namespace, polling: bool) -> dict[str, object]:
    """One run; the figures."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    command = (
        sys.executable, "-c", _LEARNER, "--learner", form, "--predictions", str(given.predictions),
        "--pause", str(given.pause), *(["--idle"] if given.idle else []),
    )  # fmt: skip
    wanted = referee.Play(str(folder / "task"), Learner(form, command), 600.0, out, polling=polling)
    played = referee.play(wanted)
    moments = json.loads((out / "predictions" / "moments.json").read_text())
    stamps = {e.file: e.t + played["monotonic_start"] for e in read_events(out) if e.event == "prediction"}
    errors = 1000 * np.array([outside(stamps[name], *moment) for name, moment in moments.items()])
    spent = played["referee_cpu_seconds"]
    return {
        "form": form,
        "watch": played["watch"],
        "n": len(errors),
        "error_ms": {"median": np.median(errors), "95 %": np.quantile(errors, 0.95), "most": errors.max()},
        "within_20_ms": float(np.mean(np.abs(errors) <= 20)),
        "refused": sum(e.event == "refused" for e in read_events(out)),
        "seconds": played["seconds"],
        "learner_cpu": played["cpu_seconds"],
        "referee_cpu": spent,
        "of_learner_cpu": round(spent / played["cpu_seconds"], 4),
        "of_a_core": round(spent / played["seconds"], 4),
        "load": os.getloadavg()[0],
        "machine": played["machine"],
    }


def main() -> None:
    """The command; and the learner, which is the same file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--predictions", type=int, default=40)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between predictions")
    parser.add_argument("--idle", action="store_true", help="wait between them instead of computing")
    parser.add_argument("--work", type=Path, default=ROOT / "benchmarks" / "out" / "referee-cost")
    parser.add_argument("--learner", choices=("npy", "text"))
    parser.add_argument("--task")
    parser.add_argument("--out")
    parser.add_argument("--budget")
    given = parser.parse_args()
    if given.learner:
        learner(given.task, given.out, given.learner, given.predictions, given.pause, not given.idle)
        return
    make_task(given.work / "task", classes=100, each=100)
    for polling in (False, True):
        for form in ("npy", "text"):
            print(json.dumps(measure(given.work, form, given, polling)), flush=True)


if __name__ == "__main__":
    main()
