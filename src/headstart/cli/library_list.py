"""The priors of the library, a line each: where they come from, how large they are, how many runs there are of them."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from typing import TYPE_CHECKING

from headstart.cli.drawing import fit, printable, width
from headstart.cli.library import folders, opened

if TYPE_CHECKING:
    from headstart.meta.library import Library

_COLUMNS = 80
_NAME, _SOURCE = 26, 17  # columns of the names; the rest is numbers


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `library list`."""
    folders(parser)


def run(options: argparse.Namespace) -> int:
    """Runs `library list`; returns the exit code."""
    library = opened(options)
    runs = {name: sum(len(bundle) for bundle in library.bundles(name)) for name in library}
    if options.json:
        rows = [
            dataclasses.asdict(entry.prior)
            | {"id": entry.id, "features": bool(entry.features), "runs": runs[name]}
            for name, entry in library.entries.items()
        ]
        places = [str(root) for root in library.roots]
        print(json.dumps({"folders": places, "priors": rows, "problems": library.problems}))
        return 0
    print("\n".join(fit(line.rstrip(), _COLUMNS) for line in _page(library, runs)))
    complain(library.problems)
    return 0


def complain(problems: list[str]) -> None:
    """What was left out and why, on stderr."""
    for problem in problems:
        print(f"headstart: {printable(problem)}", file=sys.stderr)


def cut(words: str, columns: int) -> str:
    """Words in exactly so many columns, with a dot at the end where they are too long."""
    clean = printable(words)
    if width(clean) > columns:
        clean = fit(clean, columns - 1) + "."
    return clean + " " * (columns - width(clean))


def _page(library: Library, runs: dict[str, int]) -> list[str]:
    if not len(library):
        places = " and ".join(str(root) for root in library.roots)
        return [
            "no priors yet",
            f"looked in {places}",
            "headstart library add DATA describes a labelled folder",
        ]
    head = f"{'name':<{_NAME}} {'source':<{_SOURCE}} {'kind':<5} {'classes':>7} {'samples':>8} {'runs':>5}  looks"
    lines = [head]
    for name, entry in library.entries.items():
        prior = entry.prior
        looks = "yes" if entry.features else "-"
        lines.append(
            f"{cut(name, _NAME)} {cut(prior.source, _SOURCE)} {prior.kind:<5} {_count(prior.classes, 7)} "
            f"{_count(prior.samples, 8)} {runs[name]:>5}  {looks}"
        )
    sources = len({entry.prior.source for entry in library.entries.values()})
    total = sum(runs.values())
    lines.append(
        f"{len(library)} prior{_s(len(library))} of {sources} source{_s(sources)}, {total} run{_s(total)}"
    )
    return lines


def _count(number: int, columns: int) -> str:
    return f"{number or '-':>{columns}}"


def _s(number: int) -> str:
    return "s" * (number != 1)
