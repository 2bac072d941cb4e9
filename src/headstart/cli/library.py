"""The library of priors: data sets that were learnt before, how they look, and how well which configuration did
on them. A new run starts from what worked on the ones that it resembles.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headstart.meta.library import Library

VERBS = {
    "list": "the priors, a line each",
    "show": "one prior, and what did best on it",
    "add": "describe a labelled folder and keep the description",
    "merge": "copy what is missing from other library folders",
    "export": "pack priors and their runs into one file",
    "import": "take over a packed library, or a matrix of areas (CSV)",
    "search": "optimise configurations on prior data sets",
    "figures": "draw the paper's figures from the library",
    "evaluate": "compare rules of selection, one source left out at a time",
}
"""Each is a file `library_VERB`; one that is not there is not offered."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `library`. What belongs to a word is read when that word is called: `fit` does not wait for it."""
    there = [verb for verb in VERBS if find_spec(_module(verb)) is not None]
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join(f"  {verb:<9} {VERBS[verb]}" for verb in there)
    parser.add_argument("what", choices=there, metavar="WORD", help="one of those below; WORD -h says more")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="what the word takes")


def _called(options: argparse.Namespace) -> argparse.Namespace:
    """The options of the word that was called."""
    module = import_module(_module(options.what))
    parser = argparse.ArgumentParser(prog=f"headstart library {options.what}", description=module.__doc__)
    parser.add_argument(
        "--json", action="store_true", default=options.json, help="print one JSON object on stdout"
    )
    module.arguments(parser)
    return parser.parse_args(options.rest, argparse.Namespace(verb=options.verb, what=options.what))


def run(options: argparse.Namespace) -> int:
    """Runs `library`; returns the exit code."""
    code: int = import_module(_module(options.what)).run(_called(options))
    return code


def folders(parser: argparse.ArgumentParser) -> None:
    """The option that says which library is meant."""
    parser.add_argument(
        "--library",
        action="append",
        metavar="FOLDER",
        help="a library's folder, may be given several times: what is added goes into the last "
        "(default: what comes with headstart, and your own: HEADSTART_LIBRARY)",
    )


def opened(options: argparse.Namespace) -> Library:
    """The library that the options mean."""
    from headstart.meta.library import Library

    return Library.open(*(options.library or ()))


def _module(verb: str) -> str:
    return f"headstart.cli.library_{verb}"
