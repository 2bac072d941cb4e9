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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy

import numpy as np

from headstart.bench.replay import Replayer
from headstart.challenge.calibrate_tables import load
from headstart.challenge.labelled import labelled
from headstart.meta import journal
from headstart.meta.brackets import Schedule
from headstart.meta.objective import Curve, Job, Outcome, Plan
from headstart.meta.search import Search
from headstart.words.space import Space, find_space

PAPER = Schedule(1, 9, 3, 10)
RIVALS: Mapping[str, tuple[str, Schedule]] = {
    "BOHB": ("tpe", PAPER),
    "Hyperband": ("random", PAPER),
    "random": ("random", Schedule(9, 9, 3, PAPER.evaluations)),
}
MARKS = (5, 9, 13, 20, 27, 40, 55, 73)  # evaluations after which the table looks


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

    def best(self, plan: Plan) -> float:
        """The best value that anybody found."""
        return max(plan.value(Outcome(curve), self._T) for curve in self._curves.values())


def incumbents(space: Space, plan: Plan, table: Table) -> list[float]:
    """After each evaluation the value of the incumbent, nan before there is one."""
    best, found = math.nan, []
    with tempfile.TemporaryDirectory() as scratch, journal.opened(Path(scratch) / "journal") as store:
        for evaluation in Search(store, "prior", space, plan).run(table):
            if evaluation.budget == plan.schedule.most:
                best = evaluation.value if math.isnan(best) else max(best, evaluation.value)
            found.append(best)
    return found


def played(options: argparse.Namespace, name: str) -> Iterator[tuple[str, int, list[float], float]]:
    """Rival, repeat, its incumbents, and then the best of all."""
    task = labelled(str(options.data / name)).task
    replayer = Replayer(task, load(str(options.table)), options.features or options.out / "features")
    table = Table(options.out / f"{name}.evaluations.jsonl", replayer, options.budget)
    space = find_space("frozen", task.kind)
    runs, plan = [], Plan(seconds=options.budget, first=options.first)
    for seed in range(options.repeats):
        for rival, (model, schedule) in RIVALS.items():
            began = time.process_time()
            plan = Plan(schedule, options.budget, options.first, seed=seed, model=model)
            runs.append((rival, seed, incumbents(space, plan, table)))
            print(
                f"{name} {rival} {seed}: {time.process_time() - began:.0f} CPU-s", file=sys.stderr, flush=True
            )
    best = table.best(plan)
    yield from ((rival, seed, values, best) for rival, seed, values in runs)


def rows(results: Sequence[tuple[str, str, int, list[float], float]]) -> list[str]:
    """The table as Markdown: mean regret and standard error over data sets and repeats."""
    lines = [
        "| evaluations | " + " | ".join(RIVALS) + " | BOHB better / worse than random |",
        "|--:|" + "--:|" * 4,
    ]
    for mark in MARKS:
        regrets = {
            rival: np.array([best - values[mark - 1] for _, of, _, values, best in results if of == rival])
            for rival in RIVALS
        }
        cells = []
        for rival in RIVALS:
            told = regrets[rival][~np.isnan(regrets[rival])]
            error = told.std(ddof=1) / math.sqrt(len(told)) if len(told) > 1 else math.nan
            cells.append(f"{told.mean():.4f} ± {error:.4f}" if len(told) else "none yet")
        pairs = regrets["random"] - regrets["BOHB"]
        lines.append(f"| {mark} | {' | '.join(cells)} | {(pairs > 0).sum()} / {(pairs < 0).sum()} |")
    return lines


def gains(results: Sequence[tuple[str, str, int, list[float], float]]) -> list[str]:
    """What BOHB is ahead after all evaluations, paired by repeat, on each data set and on all."""
    lines, means = [], {}
    for rival in ("random", "Hyperband"):
        every = []
        for name in dict.fromkeys(name for name, *_ in results):
            ends = {(who, seed): values[-1] for of, who, seed, values, _ in results if of == name}
            apart = np.array([v - ends[rival, seed] for (who, seed), v in ends.items() if who == "BOHB"])
            error = apart.std(ddof=1) / math.sqrt(len(apart))
            every.append(apart.mean())
            lines.append(f"- {name}: BOHB {apart.mean():+.4f} ± {error:.4f} over {rival}")
        means[rival] = np.array(every)
    for rival, told in means.items():
        error = told.std(ddof=1) / math.sqrt(len(told)) if len(told) > 1 else math.nan
        lines.append(f"- **mean of {len(told)} sets: {told.mean():+.4f} ± {error:.4f} over {rival}**")
    return lines


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
    results = [(name, *run) for name in options.sets for run in played(options, name)]
    keys = ("set", "rival", "repeat", "incumbents", "best")
    (options.out / "bohb.json").write_text(json.dumps([dict(zip(keys, run, strict=True)) for run in results]))
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
