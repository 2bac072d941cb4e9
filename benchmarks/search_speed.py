"""How fast a search is: evaluations per minute in this process, and by one and two workers, in turns.

    python -m benchmarks.search_speed --data FOLDER/SET --table TABLE.json --features FOLDER [--rounds 3]

Random configurations of the frozen space, the same ones each time; the features are there before the clock starts.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from statistics import median

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy

from headstart.challenge.labelled import labelled
from headstart.cli.search_jobs import Replays
from headstart.meta import cluster, journal
from headstart.meta.brackets import Schedule
from headstart.meta.objective import Evaluate, Here, Plan, Pool
from headstart.meta.search import Search
from headstart.words.space import find_space


def seconds(evaluate: Evaluate, data: Path, plan: Plan, pool: Pool) -> float:
    """Wall seconds of one search from nothing."""
    space = find_space("frozen", labelled(str(data)).task.kind)
    with tempfile.TemporaryDirectory() as scratch, journal.opened(Path(scratch) / "journal") as store:
        search = Search(store, data.name, space, plan, str(data))
        began = time.perf_counter()
        for _ in search.run(evaluate, pool):
            pass
        return time.perf_counter() - began


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--evaluations", type=int, default=30)
    options = parser.parse_args()
    evaluate = Replays(str(options.table.resolve()), str(options.features.resolve()))
    plan = Plan(Schedule(9, 9, 3, options.evaluations), model="random")
    seconds(evaluate, options.data, plan, Here())  # whatever is not there yet is computed now
    found: dict[int, list[float]] = {0: [], 1: [], 2: []}
    for _ in range(options.rounds):
        for workers, spent in found.items():
            with cluster.opened(workers) if workers else nullcontext(Here()) as pool:
                if workers:  # each worker opens the data set once
                    few = Plan(Schedule(9, 9, 3, 2 * workers), model="random", seed=1)
                    seconds(evaluate, options.data, few, pool)
                spent.append(seconds(evaluate, options.data, plan, pool))
    for workers, spent in found.items():
        rate = 60 * options.evaluations / median(spent)
        who = f"{workers} workers" if workers else "this process"
        rounds = ", ".join(f"{value:.1f}" for value in spent)
        print(
            f"{who}: {rate:.0f} evaluations a minute ({rounds} s), {median(found[1]) / median(spent):.2f} x one worker"
        )


if __name__ == "__main__":
    main()
