"""Kill `headstart fit` at random moments, and see that what it published stands and that the run goes on.

    python -m benchmarks.faults.kills --data DIR/clipart --trials 300
    python -m benchmarks.faults.kills --summarise

DIR/clipart is a small data set of train/CLASS/files and test/: a few hundred images. Each trial starts a run in a
new folder, or (about half of them) in the folder that an earlier kill left, and kills it with SIGKILL at a moment
from .2 s to just after its budget, uniform in log time; a third of the kills wait from there on until a file is
being written. Then: a model that was published before the kill loads and predicts, what is in the folder can be
read, and the same command goes on there: it ends with exit code 0 no later than a second after its budget T,
counted from the start of its process, and leaves predictions for all test files. Each trial is a line of the file
of results; the command goes on where it was stopped. The folders of failed trials are kept beside it.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.faults.checks import wrong_after_kill, wrong_predictions
from benchmarks.faults.stages import FINISHED, published, stage, writing
from benchmarks.table import ROOT

BUDGETS = (3.0, 4.0, 6.0)  # seconds
EARLIEST = 0.2  # seconds after the start of the process
LATE = 1.0  # seconds after T by which a run has to be over
_PAST = 0.4  # seconds after T up to which kills come: the last files and the report are written then
_STUCK = 30.0  # seconds after T at which a run is given up
_ASKED = 20  # files that the model of a killed run is asked about
_AGAIN = 0.5  # how many of the trials start where an earlier kill has left off
_DEEPEST = 4  # kills that one folder suffers
_AIMED = 1 / 3  # how many of the kills wait for a file that is being written


@dataclass(frozen=True)
class Trial:
    """One kill and what became of the run. Seconds are counted from the start of the killed or resumed process."""

    trial: int
    code: str  # digest of the sources that ran
    budget: float
    kills_before: int  # that the folder had suffered
    killed_at: float | None  # None: the run was over before
    stage: str  # where the kill hit
    writing: bool  # a file was being written
    had_model: bool
    resumed: float | None  # seconds that the resumed run took, start and end of the process included
    late: float | None  # the same beyond T
    load: float
    failures: list[str]


@dataclass(frozen=True)
class Place:
    """Where things lie: the data, and folders for the run and for what an earlier kill left of one."""

    data: Path
    work: Path

    @property
    def run(self) -> Path:
        return self.work / "run"

    @property
    def left(self) -> Path:
        """A copy of the run folder as the latest kill left it."""
        return self.work / "left"

    def tests(self) -> list[Path]:
        """The files to predict."""
        return sorted(path for path in (self.data / "test").rglob("*") if path.is_file())


def fit(place: Place, budget: float, errors: Path) -> subprocess.Popen[bytes]:
    """The command in a process of its own."""
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "headstart",
        "fit",
        str(place.data),
        "--out",
        str(place.run),
    ]
    with errors.open("wb") as file:
        return subprocess.Popen(
            [*command, "--budget", f"{budget:g}s"],
            stdout=subprocess.DEVNULL,
            stderr=file,
            start_new_session=True,
        )


def kill(place: Place, budget: float, moment: float, aimed: bool) -> tuple[float | None, bool]:
    """Start a run and kill it: the second at which it died (None: it was over before), whether it was writing."""
    started = time.monotonic()
    process = fit(place, budget, place.work / "killed.txt")
    try:
        process.wait(timeout=moment)
        return None, False
    except subprocess.TimeoutExpired:
        while aimed and process.poll() is None and not writing(place.run, process.pid):
            time.sleep(0.0005)
        process.kill()
        died = process.wait() < 0
        return (time.monotonic() - started, writing(place.run, process.pid)) if died else (None, False)


def resume(place: Place, budget: float) -> tuple[float, list[str]]:
    """The same command again: how many seconds it took, and what is wrong with how it ended."""
    errors = place.work / "resumed.txt"
    started, since = time.monotonic(), time.time()
    process = fit(place, budget, errors)
    try:
        code: int | str = process.wait(timeout=budget + _STUCK)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        code = "none: it was still running"
    took = time.monotonic() - started
    said = errors.read_text(errors="replace")
    wrong = [f"the resumed run ended with exit code {code}: {said[-300:]}"] if code != 0 else []
    if "Traceback" in said:
        wrong.append(f"the resumed run printed a traceback: {said[-300:]}")
    if took > budget + LATE:
        wrong.append(f"the resumed run ended {took - budget:.2f} s after T")
    return took, wrong + list(wrong_predictions(place.run, len(place.tests()), since))


def run_trial(number: int, place: Place, given: argparse.Namespace, code: str) -> Trial:
    """One kill, all checks, and the run that follows."""
    rng = np.random.default_rng([given.seed, number])
    budget = float(rng.choice(given.budgets))
    moment = float(np.exp(rng.uniform(np.log(EARLIEST), np.log(budget + _PAST))))
    files = place.tests()
    asked = [files[i] for i in rng.choice(len(files), min(_ASKED, len(files)), replace=False)]
    before = start_folder(place, again=rng.random() < _AGAIN)
    had = published(place.run)
    since = time.time()
    killed_at, caught = kill(place, budget, moment, aimed=rng.random() < _AIMED)
    hit = stage(place.run, since) if killed_at is not None else FINISHED
    failures: list[str] = []
    if had and not published(place.run):
        failures.append("the model that was published before the killed process is gone")
    if place.run.exists():
        failures += wrong_after_kill(place.run, asked)
    has = published(place.run)
    shutil.rmtree(place.left, ignore_errors=True)
    if killed_at is not None and place.run.exists() and before + 1 < _DEEPEST:
        shutil.copytree(place.run, place.left)
        (place.work / "kills").write_text(str(before + 1))
    took, wrong = resume(place, budget)
    load = round(os.getloadavg()[0], 2)
    trial = Trial(
        number, code, budget, before, killed_at and round(killed_at, 3), hit, caught, has,
        round(took, 3), round(took - budget, 3), load, failures + wrong,
    )  # fmt: skip
    if trial.failures:
        shutil.copytree(place.run, given.out.parent / f"failed-{number}", dirs_exist_ok=True)
    return trial


def start_folder(place: Place, again: bool) -> int:
    """A new run folder, or the one that an earlier kill left; how many kills it has suffered."""
    shutil.rmtree(place.run, ignore_errors=True)
    if again and place.left.exists():
        shutil.copytree(place.left, place.run)
        return int((place.work / "kills").read_text())
    return 0


def source_digest() -> str:
    """What identifies the sources of headstart that run here."""
    import headstart

    root = Path(headstart.__file__).parent
    files = sorted(root.rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def summary(trials: list[dict[str, Any]]) -> str:
    """The figures as text."""
    killed = [trial for trial in trials if trial["killed_at"] is not None]
    late = np.array([trial["late"] for trial in trials])
    lines = [
        f"kills: {len(killed)} ({len(trials) - len(killed)} more runs were over before)",
        f"failures: {sum(bool(trial['failures']) for trial in trials)}",
        f"kills while a file was being written: {sum(trial['writing'] for trial in killed)}",
        f"kills after which a model stood: {sum(trial['had_model'] for trial in killed)}",
        f"end of resumed runs relative to T: latest {late.max():+.2f} s, "
        f"95 % {np.quantile(late, 0.95):+.2f} s, after T {np.mean(late > 0):.0%}",
        f"sources: {', '.join(sorted({trial['code'] for trial in trials}))}",
        "",
        "| where the kill hit | new folder | folder of a killed run |",
        "|---|--:|--:|",
    ]
    hits = Counter((trial["stage"], trial["kills_before"] > 0) for trial in killed)
    for place in sorted({place for place, _ in hits}):
        lines.append(f"| {place} | {hits[place, False]} | {hits[place, True]} |")
    for trial in trials:
        lines += [f"trial {trial['trial']}: {failure}" for failure in trial["failures"]]
    return "\n".join(lines)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, help="a data set: a folder with train/CLASS/files and test/")
    parser.add_argument("--trials", type=int, default=300, help="kills (default 300)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--budgets", type=float, nargs="+", default=BUDGETS, help="seconds, one drawn per trial"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "out" / "faults" / "kills.jsonl")
    parser.add_argument("--summarise", action="store_true", help="print the figures of the trials so far")
    given = parser.parse_args()
    if given.data is None and not given.summarise:
        parser.error("--data is needed: a small data set")
    return given


def main() -> None:
    """The command."""
    given = options()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    trials = [json.loads(line) for line in given.out.read_text().splitlines()] if given.out.exists() else []
    if given.data is not None:
        place = Place(given.data.resolve(), given.out.parent / "work")
        place.work.mkdir(exist_ok=True)
        code = source_digest()
        while sum(trial["killed_at"] is not None for trial in trials) < given.trials:
            trial = dataclasses.asdict(run_trial(len(trials), place, given, code))
            with given.out.open("a") as file:
                file.write(json.dumps(trial) + "\n")
            trials.append(trial)
            print(
                f"{trial['trial']}: {trial['stage']}, {trial['late']:+.2f} s; {trial['failures']}", flush=True
            )
    if trials:
        print(summary(trials))


if __name__ == "__main__":
    main()
