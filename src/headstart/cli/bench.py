"""Compare learners: every learner on every task, several times, under the referee and the judge of `play` and `judge`.

Runs that are in the folder already are not run again, so a benchmark that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.errors import BadInput, printable
from headstart.words.clock import Budget

if TYPE_CHECKING:
    from headstart.challenge.bench import Pair
    from headstart.challenge.bench_table import Row


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `bench`."""
    parser.add_argument("tasks", metavar="TASK", nargs="+", help="as for `headstart play`")
    parser.add_argument(
        "--learners",
        action="append",
        required=True,
        metavar="A,B,...",
        help="learners of `headstart play`, separated by commas (\\, is a comma within one); NAME=LEARNER names it "
        "in the tables; may be given several times",
    )
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="runs of each pair (default 3)")
    parser.add_argument("--budget", default="20m", help="time of one run: 90s, 20m, 1h (default 20m)")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the benchmark, new or begun")
    parser.add_argument(
        "--format", choices=("parquet", "csv"), help="of the runs (default: parquet if it can be)"
    )
    parser.add_argument("--python", metavar="PATH", help="the interpreter of submissions (default: this one)")
    parser.add_argument(
        "--memory", metavar="SIZE", help="8G: end a learner that takes more (default: 90%% of the free)"
    )
    parser.add_argument("--link", action="store_true", help="link training files instead of copying them")


def run(options: argparse.Namespace) -> int:
    """Runs `bench`; returns the exit code: 1 if a run could not be played."""
    from headstart.challenge.bench import Bench, bench, named_learners, named_tasks
    from headstart.challenge.bench_table import chosen
    from headstart.challenge.limits import Limits, bytes_of

    if options.seeds < 1:
        raise BadInput(f"--seeds is {options.seeds}, but must be 1 or more")
    form, notice = chosen(options.format)
    memory = bytes_of(options.memory) if options.memory else None
    wanted = Bench(
        named_tasks(options.tasks),
        named_learners(options.learners, options.python),
        options.seeds,
        Budget.parse(options.budget).seconds,
        Path(options.out).absolute(),
        Limits if memory is None else lambda: Limits(memory=memory),
        options.link,
    )
    if notice:
        print(f"note: {notice}", file=sys.stderr)
    rows, page = bench(wanted, form, _say)
    out = Path(options.out)
    if options.json:
        print(json.dumps(json.loads((out / "table.json").read_bytes())))  # one line
    else:
        print(_shown(page))
        print(
            f"runs: {out / f'runs.{form}'}; tables: {out / 'table.md'}, {out / 'table.json'}; one SVG per task"
        )
    return 1 if any(row.state == "failed" for row in rows) else 0


def _shown(page: str) -> str:
    return "\n".join(map(printable, page.splitlines()))


def _say(number: int, count: int, pair: Pair, row: Row, there: bool) -> None:
    told = (
        row.ended if row.alc60 is None else f"ALC {row.alc60:.4f}, {'there already' if there else row.ended}"
    )
    words = f"[{number}/{count}] {pair.task}, {pair.learner.name}, seed {pair.seed}: {told}"
    print(printable(words), file=sys.stderr)
