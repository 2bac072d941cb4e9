"""Play learners that go wrong, and see that the referee ends in time and that every earlier prediction is scored.

    python -m benchmarks.faults.referee --rounds 2
    python -m benchmarks.faults.referee --summarise

A round is every fault of `faulty.py` once, at a moment drawn at random, with up to five good predictions before it,
and three ways to end the referee itself (kill -9, Ctrl-C, SIGTERM) while learner and children run. Each trial: the
referee's process ends no later than T + 2 s, counted from the start of the learner's process; no process of the
learner is left; the run can be judged; every good prediction from before the fault counts with the score that its
numbers must have (but for those that the fault itself changes: these must be refused); nothing wrong or late counts.
Each trial is a line of the file of results; the command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.faults import faulty
from benchmarks.table import ROOT
from headstart.challenge.judge import Verdict, judge
from headstart.challenge.processes import kill, marked
from headstart.words.scoring import score

LATE = 2.0  # seconds after T by which the referee has to be over
ENDINGS = {
    "referee killed": signal.SIGKILL,
    "referee interrupted": signal.SIGINT,
    "referee terminated": signal.SIGTERM,
}
CHANGES = frozenset(["replaces", "writes over", "removes"])
"""Faults that change the last good prediction."""
MEMORY = "400M"
DISK = "150M"


@dataclass(frozen=True)
class Trial:
    """One fault and what became of the run. Seconds; over: end of the referee's process after T."""

    trial: int
    fault: str
    budget: float
    at: float
    good: int
    counted: int
    refused: int
    late: int
    over: float
    state: str
    load: float
    failures: list[str]


def make_task(folder: Path, classes: int = 4, each: int = 10) -> Path:
    """A small task: classes of single-coloured pictures, with labelled test files."""
    if not folder.exists():
        draw = np.random.default_rng(0)
        for split in ("train", "test"):
            for label in range(classes):
                place = folder / split / f"class_{label}"
                place.mkdir(parents=True)
                for number in range(each):
                    pixels = np.full((8, 8, 3), 2 * label, np.uint8) + draw.integers(
                        0, 40, (8, 8, 3), np.uint8
                    )
                    Image.fromarray(pixels).save(place / f"{number}.png")
    return folder


def play(
    task: Path, out: Path, fault: str, good: int, at: float, budget: float, token: str
) -> subprocess.Popen[str]:
    """The referee in a process of its own."""
    learner = shlex.join([
        sys.executable, faulty.__file__, "--fault", fault, "--good", str(good), "--at", f"{at:.3f}"
    ])  # fmt: skip
    return subprocess.Popen(
        [
            sys.executable, "-W", "error", "-m", "headstart", "play", str(task), "--learner", f"command:{learner}",
            "--budget", f"{budget}s", "--out", str(out), "--memory", MEMORY, "--disk", DISK,
        ],
        env=os.environ | {"FAULTY_TOKEN": token}, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def run_trial(number: int, fault: str, task: Path, work: Path, seed: int) -> Trial:
    """One run of the referee, and all checks."""
    draw = np.random.default_rng([seed, number])
    budget = float(draw.uniform(1.5, 3.0))
    good, at = int(draw.integers(1, 6)), float(draw.uniform(0.4, 0.75) * budget)
    out, token = work / "out", uuid.uuid4().hex
    shutil.rmtree(out, ignore_errors=True)
    ending = ENDINGS.get(fault)
    process = play(task, out, "children" if ending else fault, good, at, round(budget, 3), token)
    assert process.stderr is not None
    first = process.stderr.readline()
    began = time.monotonic()
    if ending:
        time.sleep(at + 0.3)
        process.send_signal(ending)
    failures = [] if "start" in first else [f"did not start: {first}"]
    try:
        said = process.communicate(timeout=budget + 20)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        said = process.communicate()[1]
        failures.append("the referee was still running 20 s after T")
    over = time.monotonic() - began - budget
    if over > LATE:
        failures.append(f"the referee ended {over:.2f} s after T")
    if "Traceback" in said:
        failures.append(f"the referee printed a traceback: {said[-300:]}")
    time.sleep(0.6 if ending else 0)  # its guard still works
    if left := marked(token):
        failures.append(f"{len(left)} processes of the learner are left")
        kill(left)
    verdict: Verdict | None = None
    try:
        verdict = judge(out)
        failures += wrong(verdict, out, fault, good, budget)
    except Exception as error:
        failures.append(f"the judge failed: {type(error).__name__}: {error}")
    trial = Trial(
        number, fault, round(budget, 3), round(at, 3), good, len(verdict.curve) if verdict else 0,
        len(verdict.refused) if verdict else 0, verdict.late if verdict else 0, round(over, 3),
        verdict.state if verdict else "", round(os.getloadavg()[0], 2), failures,
    )  # fmt: skip
    if failures:
        shutil.rmtree(work / f"failed-{number}", ignore_errors=True)
        shutil.copytree(
            out, work / f"failed-{number}", ignore=shutil.ignore_patterns("public"), dirs_exist_ok=True
        )
    return trial


def wrong(verdict: Verdict, out: Path, fault: str, good: int, budget: float) -> list[str]:
    """What is not as it must be in a verdict."""
    with np.load(out / "answers.npz") as found:
        truth = found["truth"]
    counted = {point.file: point for point in verdict.curve}
    refused = {one.file for one in verdict.refused}
    failures = []
    for number in range(good):
        binary = number % 2 == 0
        name = f"task.predict_{number}" + ".npy" * binary
        if fault in CHANGES and number == good - 1:
            if name not in refused:
                failures.append(f"{name} was changed, but is not refused")
            continue
        expected = score(truth, np.array(faulty.good(number, *truth.shape)))
        if name not in counted or abs(counted[name].score - expected) > 1e-9:
            failures.append(f"{name} should count with {expected:.4f}")
    # The command takes milliseconds: what was asked for differs from what was played by less than one.
    if abs(verdict.budget - budget) > 1e-3 or any(p.seconds > verdict.budget for p in verdict.curve):
        failures.append("a late prediction counts")
    extra = [name for name in counted if int(name.split("_")[-1].removesuffix(".npy")) >= good]
    goes_on = ("after T", "close to T", "flood", "daemon", "odd names", *faulty.ENDS)
    if extra and fault not in goes_on and "folder closed" not in fault:
        failures.append(f"{extra[0]} counts")
    if fault in ENDS_WITH_WRONG and f"task.predict_{good}" not in {n.removesuffix(".npy") for n in refused}:
        failures.append(f"prediction {good} is wrong, but is not refused")
    return failures


ENDS_WITH_WRONG = frozenset(
    name for name in list(faulty.ENDS)[list(faulty.ENDS).index("a row short") :]
    if name not in CHANGES | {"gap", "twice", "odd names"}
)  # fmt: skip


def summary(trials: list[dict[str, Any]]) -> str:
    """The figures as text."""
    over = np.array([trial["over"] for trial in trials])
    stopped = np.array([trial["over"] for trial in trials if trial["fault"] in faulty.HANGS])
    quantile = f"{np.quantile(stopped, 0.95):+.3f}" if len(stopped) else "none"
    median, most = (f"{of(stopped):+.3f}" if len(stopped) else "none" for of in (np.median, np.max))
    lines = [
        f"trials: {len(trials)} of {len({trial['fault'] for trial in trials})} kinds, failures: "
        f"{sum(bool(trial['failures']) for trial in trials)}",
        f"end of the referee after T: latest {over.max():+.3f} s",
        f"of learners that had to be ended at T ({len(stopped)}): median {median}, 95 % {quantile}, latest {most} s",
        f"good predictions before the fault: {sum(trial['good'] for trial in trials)}",
        f"load of the machine: {min(t['load'] for t in trials)} to {max(t['load'] for t in trials)}",
    ]
    for trial in trials:
        lines += [f"trial {trial['trial']}, {trial['fault']}: {failure}" for failure in trial["failures"]]
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=2, help="how often each fault is played (default 2)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="one fault")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "out" / "faults" / "referee.jsonl")
    parser.add_argument("--summarise", action="store_true", help="print the figures of the trials so far")
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    trials = [json.loads(line) for line in given.out.read_text().splitlines()] if given.out.exists() else []
    faults = [given.only] if given.only else [*faulty.FAULTS, *ENDINGS]
    work = given.out.parent / "referee-work"
    work.mkdir(exist_ok=True)
    task = make_task(work / "task")
    while not given.summarise and len(trials) < given.rounds * len(faults):
        trial = run_trial(len(trials), faults[len(trials) % len(faults)], task, work, given.seed)
        with given.out.open("a") as file:
            file.write(json.dumps(dataclasses.asdict(trial)) + "\n")
        trials.append(dataclasses.asdict(trial))
        print(f"{trial.trial}: {trial.fault}, {trial.over:+.3f} s; {trial.failures}", flush=True)
    if trials:
        print(summary(trials))


if __name__ == "__main__":
    main()
