"""Copy what is missing from other library folders into yours. Entries never change, so merging twice changes nothing;
another prior of the same name is left out and named, and so is what is damaged.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.cli.library_list import complain

if TYPE_CHECKING:
    from headstart.meta.exchange import Merged


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `library merge`."""
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="a library's folder")
    parser.add_argument("--into", metavar="FOLDER", help="the library that is added to (default: your own)")


def run(options: argparse.Namespace) -> int:
    """Runs `library merge`; returns the exit code."""
    from headstart.meta.exchange import merge

    target = goal(options.into)
    done = [merge(Path(folder), target) for folder in options.folders]
    return tell(done, target, options.json)


def goal(into: str | None) -> Path:
    """The library's folder that is added to."""
    from headstart.meta.library import user_folder

    return Path(into) if into else user_folder()


def tell(done: Sequence[Merged], target: Path, as_json: bool) -> int:
    """Print what came in; returns the exit code: 1 where something was left out."""
    from headstart.meta import index
    from headstart.meta.exchange import Merged

    index.build(target)
    priors = tuple(name for part in done for name in part.priors)
    problems = tuple(problem for part in done for problem in part.problems)
    whole = Merged(priors, sum(part.runs for part in done), problems)
    if as_json:
        print(json.dumps(dataclasses.asdict(whole) | {"folder": str(target)}))
    else:
        runs = f"{whole.runs} file{'s' * (whole.runs != 1)} of runs"
        print(f"{len(priors)} new prior{'s' * (len(priors) != 1)} and {runs}, in {target}")
        complain(list(problems))
    return 1 if problems else 0
