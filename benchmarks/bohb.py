"""BOHB against Hyperband without a model and against random search, on the same simulated evaluations.

    python -m benchmarks.bohb --data FOLDER --sets surfaces leaf_shapes --table TABLE.json --out OUT [--repeats 10]

Every configuration that any of them asks for is replayed once to the end, and its curve kept in OUT: a shorter run is
the beginning of that curve. So all three see the same numbers, and it goes on where it was killed. Regret: how far the
incumbent (the best with the largest budget so far) is from the best that anybody found on the data set.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy

import numpy as np

from headstart.bench.replay import Replayer
from headstart.challenge.calibrate_tables import load
from headstart.challenge.labelled import labelled
from headstart.meta import journal
from headstart.meta.brackets import Schedule
from headstart.meta.objective import Curve, Job, Outcome, Plan
from headstart.meta.search import Evaluation, Search
from headstart.words.space import Space, find_space

PAPER = Schedule(1, 9, 3, 10)
RIVALS: Mapping[str, tuple[str, Schedule]] = {
    "BOHB": ("tpe", PAPER),
    "Hyperband": ("random", PAPER),
    "random": ("random", Schedule(9, 9, 3, PAPER.evaluations)),
}
SECONDS = (30, 60, 120, 180, 240, 360)
MARKS = (5, 9, 13, 20, 27, 40, 55, 73)  # evaluations after which the table looks


@dataclass(frozen=True)
class Searched:
    """One search. incumbents: after each evaluation; seconds: simulated, spent so far; best: that anybody found."""

    set: str
    rival: str
    repeat: int
    incumbents: list[float]
    seconds: list[float]
    best: float

    def regret(self, after: int) -> float:
        """Of the incumbent after so many evaluations, nan where there is none."""
        return self.best - self.incumbents[after - 1]

    def regret_at(self, seconds: float) -> float:
        """Of the incumbent once so many simulated seconds were spent."""
        after = sum(spent <= seconds for spent in self.seconds)
        return self.regret(after) if after else math.nan


class Table:
    """Curves to the end by data set and configuration, in a file that is only appended to."""

    def __init__(self, path: Path, replayer: Replayer, T: float) -> None:
        self._path, self._replayer, self._T = path, replayer, T
        self._curves: dict[str, Curve] = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                found = json.loads(line)
            except ValueError:
                continue  # the last one, of a driver that was killed
            self._curves[found["digest"]] = tuple((t, s) for t, s in found["curve"])

    def __call__(self, job: Job) -> Outcome:
        """The beginning of the configuration's curve. An evaluation as any: nothing is reused by the search."""
        digest = job.config.digest
        if digest not in self._curves:
            played = self._replayer.run(replace(job.config, seed=0), 0, self._T)
            self._curves[digest] = tuple((round(t, 3), round(s, 5)) for t, s in played.curve)
            with self._path.open("a") as file:
                file.write(json.dumps({"digest": digest, "curve": self._curves[digest]}) + "\n")
        return Outcome(tuple(point for point in self._curves[digest] if point[0] <= job.seconds))

    def took(self, evaluation: Evaluation) -> float:
        """Simulated seconds of an evaluation: until the run ended, or its budget did."""
        curve = self._curves[evaluation.config.digest]
        return min(curve[-1][0] if curve else math.inf, evaluation.seconds)

    def best(self, plan: Plan) -> float:
        """The best value that anybody found."""
        return max(plan.value(Outcome(curve), self._T) for curve in self._curves.values())


def incumbents(space: Space, plan: Plan, table: Table) -> tuple[list[float], list[float]]:
    """After each evaluation the value of the incumbent, nan before there is one; and the simulated seconds so far."""
    best, found, spent = math.nan, [], 0.0
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as scratch, journal.opened(Path(scratch) / "journal") as store:
        for evaluation in Search(store, "prior", space, plan).run(table):
            if evaluation.budget == plan.schedule.most:
                best = evaluation.value if math.isnan(best) else max(best, evaluation.value)
            found.append(best)
            spent += table.took(evaluation)
            seconds.append(round(spent, 2))
    return found, seconds


def played(options: argparse.Namespace, name: str) -> list[Searched]:
    """All searches on one data set."""
    task = labelled(str(options.data / name)).task
    replayer = Replayer(task, load(str(options.table)), options.features or options.out / "features")
    table = Table(options.out / f"{name}.evaluations.jsonl", replayer, options.budget)
    space = find_space("frozen", task.kind)
    runs, plan = [], Plan(seconds=options.budget, first=options.first)
    for seed in range(options.repeats):
        for rival, (model, schedule) in RIVALS.items():
            began = time.process_time()
            plan = Plan(schedule, options.budget, options.first, seed=seed, model=model)
            runs.append((rival, seed, *incumbents(space, plan, table)))
            spent = time.process_time() - began
            print(f"{name} {rival} {seed}: {spent:.0f} CPU-s", file=sys.stderr, flush=True)
    return [Searched(name, *run, table.best(plan)) for run in runs]


def rows(results: Sequence[Searched]) -> list[str]:
    """Mean regret and standard error over data sets and repeats, by evaluations and by seconds."""
    lines = _table("evaluations", MARKS, results, Searched.regret)
    return [*lines, "", *_table("simulated seconds", SECONDS, results, Searched.regret_at)]


def _table(
    title: str, marks: Sequence[int], results: Sequence[Searched], regret: Callable[[Searched, int], float]
) -> list[str]:
    lines = [f"| {title} | {' | '.join(RIVALS)} | BOHB better / worse than random |", "|--:|" + "--:|" * 4]
    for mark in marks:
        told = {rival: np.array([regret(r, mark) for r in results if r.rival == rival]) for rival in RIVALS}
        cells = []
        for values in told.values():
            there = values[~np.isnan(values)]
            error = there.std(ddof=1) / math.sqrt(len(there)) if len(there) > 1 else math.nan
            few = f" ({len(there)} of {len(values)})" if len(there) < len(values) else ""
            cells.append(f"{there.mean():.4f} ± {error:.4f}{few}" if len(there) else "none yet")
        pairs = told["random"] - told["BOHB"]
        lines.append(f"| {mark} | {' | '.join(cells)} | {(pairs > 0).sum()} / {(pairs < 0).sum()} |")
    return lines


def gains(results: Sequence[Searched]) -> list[str]:
    """What BOHB is ahead after all evaluations, paired by repeat, on each data set and on all."""
    lines, means = [], {}
    for rival in ("random", "Hyperband"):
        every = []
        for name in dict.fromkeys(result.set for result in results):
            ends = {(r.rival, r.repeat): r.incumbents[-1] for r in results if r.set == name}
            apart = np.array([v - ends[rival, seed] for (who, seed), v in ends.items() if who == "BOHB"])
            error = apart.std(ddof=1) / math.sqrt(len(apart))
            every.append(apart.mean())
            lines.append(f"- {name}: BOHB {apart.mean():+.4f} ± {error:.4f} over {rival}")
        means[rival] = np.array(every)
    for rival, told in means.items():
        error = told.std(ddof=1) / math.sqrt(len(told)) if len(told) > 1 else math.nan
        lines.append(f"- **mean of {len(told)} sets: {told.mean():+.4f} ± {error:.4f} over {rival}**")
    return lines


def _told(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 5)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", required=True)
    parser.add_argument("--table", type=Path, required=True, help="a cost table")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--features", type=Path)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument(
        "--budget", type=float, default=30.0, help="seconds of the largest budget (default 30)"
    )
    parser.add_argument("--first", type=float, default=2.0, help="seconds of the smallest budget (default 2)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results = [run for name in options.sets for run in played(options, name)]
    told = [asdict(run) | {"incumbents": [_told(value) for value in run.incumbents]} for run in results]
    (options.out / "bohb.json").write_text(json.dumps(told, separators=(",", ":")))
    head = (
        f"Regret of the incumbent on {', '.join(options.sets)}, {options.repeats} repeats each: area under the curve "
        f"(T = {options.budget:g} s, budgets from {options.first:g} s) lost against the best configuration that "
        "anybody found; mean ± standard error.\n"
    )
    tail = (
        "\nA promoted configuration counts as an evaluation again: the 73 of the brackets are 54 configurations, of "
        "which 16 met the largest budget. Random search gives each of its 73 the largest one."
    )
    page = "\n".join([head, *rows(results), "", *gains(results), tail, ""])
    (options.out / "bohb.md").write_text(page)
    print(page)


if __name__ == "__main__":
    main()
