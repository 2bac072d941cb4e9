"""Does choosing by the library help? Every rule of selection chooses for every prior from what is left without the
prior's source. The table says how far each is from the best configuration, and what it gains over the best average one.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from pathlib import Path

from headstart.cli.library import folders, opened
from headstart.cli.library_list import complain
from headstart.errors import BadInput, printable
from headstart.words.clock import Budget


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `library evaluate`."""
    parser.add_argument("--t0", type=float, default=60.0, help="of the area, in seconds (default 60)")
    parser.add_argument("--budget", default="20m", help="of the area: 90s, 20m, 1h (default 20m)")
    parser.add_argument("--clock", help="only runs by this clock, for example cpu (default: any)")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default 0)")
    parser.add_argument("--out", metavar="FILE.md", help="write the whole table as Markdown, too")
    folders(parser)


def run(options: argparse.Namespace) -> int:
    """Runs `library evaluate`; returns the exit code."""
    from headstart.meta.evaluate import evaluate
    from headstart.meta.rules import HEADLINE, rules
    from headstart.meta.select import evidence_of
    from headstart.meta.selectors.table import as_data, markdown, notes, plain
    from headstart.store.atomic import write_atomically

    if not options.t0 > 0:
        raise BadInput(f"--t0 is {options.t0:g}, but must be above 0 s")
    if options.seed < 0:
        raise BadInput(f"--seed is {options.seed}, but must be 0 or more")
    library = opened(options)
    table = library.matrix(options.t0, Budget.parse(options.budget).seconds, options.clock)
    if not table.n.any():
        raise BadInput("the library holds no run: add some with `library search` or `library import`")
    verdict = evaluate(table, rules(), evidence_of(library, table), options.seed)
    if options.out:
        path = Path(options.out)
        if not path.absolute().parent.is_dir():
            raise BadInput(f"--out {options.out!r} lies in no folder that is there: make it first")
        write_atomically(path, markdown(verdict, HEADLINE.name).encode())
    complain(library.problems)
    if options.json:
        print(json.dumps(as_data(verdict)))
    else:
        page = f"{plain(verdict)}\n\n{textwrap.fill(notes(verdict), 80)}"
        print("\n".join(map(printable, page.splitlines())))  # names in it come from files
    return 0
