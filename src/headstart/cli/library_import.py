"""Take over a packed library (`library export`), or a matrix of areas: a CSV file with a row per data set and a column
per configuration. Of a matrix only names and areas are known, so that rules of selection can be tried on it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from headstart.cli.library_list import complain
from headstart.cli.library_merge import goal, tell
from headstart.errors import BadInput


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `library import`."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="a packed library, or a matrix (*.csv)")
    parser.add_argument("--into", metavar="FOLDER", help="the library that is added to (default: your own)")
    parser.add_argument("--name", help="of a matrix (default: the file's without .csv)")
    parser.add_argument("--described", metavar="CSV", help="of a matrix: sizes and classes of its data sets")


def run(options: argparse.Namespace) -> int:
    """Runs `library import`; returns the exit code."""
    matrices = [file for file in options.files if file.lower().endswith(".csv")]
    if matrices and len(matrices) < len(options.files):
        raise BadInput(
            "packed libraries and matrices are imported one after the other: give files of one sort"
        )
    if not matrices and (options.name or options.described):
        raise BadInput("--name and --described are for matrices (*.csv) only")
    if options.name and len(matrices) > 1:
        raise BadInput(f"--name names one matrix, but {len(matrices)} are given: import them one by one")
    target = goal(options.into)
    if matrices:
        return _matrices(options, target)
    from headstart.meta.exchange import unpack

    return tell([unpack(Path(file), target) for file in options.files], target, options.json)


def _matrices(options: argparse.Namespace, target: Path) -> int:
    from headstart.meta import index
    from headstart.meta.library import Library
    from headstart.meta.matrices import add, read

    described = Path(options.described) if options.described else None
    read_all = [
        read(Path(file), described, options.name) for file in options.files
    ]  # all, before one is added
    library = Library.open(target)
    for matrix in read_all:
        library = add(library, matrix)
    index.build(target)
    if options.json:
        told = [
            {"name": matrix.name, "rows": len(matrix.rows), "columns": len(matrix.columns)}
            for matrix in read_all
        ]
        print(json.dumps({"folder": str(target), "matrices": told, "problems": library.problems}))
        return 0
    for matrix in read_all:
        print(
            f"{matrix.name}: {len(matrix.rows)} data sets and {len(matrix.columns)} configurations, in {target}"
        )
    complain(library.problems)
    return 0
