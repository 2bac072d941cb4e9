"""Matrices of other people: tables of areas (CSV), a row per data set and a column per configuration, into a library.

Such a table tells neither curves nor what its configurations are: runs of it have a told area, a name and no more. A
column that is called like a row is a configuration that was found on that data set, and is held out with it.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headstart.errors import BadInput
from headstart.meta.library import Library
from headstart.meta.performance import Performance
from headstart.meta.prior import NAME, Prior
from headstart.meta.record import Record
from headstart.words.scoring import BUDGET

_LONG = re.compile(
    r"(?P<name>.+?)_num_classes_(?P<classes>\d+)_num_dev_examples_(?P<train>\d+)_num_test_examples_(?P<test>\d+)"
    r"_resolution_(?P<side>\d+)_num_channels_\d+(_original)?"
)
_NEEDED = ("num_classes", "num_train", "num_test")


@dataclass(frozen=True)
class Matrix:
    """A table of areas.

    name: what it is called, for its configurations' names and its clock. rows: data sets; columns: configurations, as
    the file calls them, but that sizes in a name (`…_num_classes_10_…`) are cut off and kept in `described`.
    values: float64 [rows, columns]; nan = not run, 0 = the run failed.
    described: by data set what is known of it.
    """

    name: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: NDArray[np.float64]
    described: Mapping[str, Prior]

    def performance(self) -> Performance:
        """The same as a table for rules of selection; every row is its own source."""
        origins = [column if column in self.rows else "" for column in self.columns]
        return Performance.of(self.rows, self.columns, self.values, origins=origins)


def read(path: Path, described: Path | None = None, name: str | None = None) -> Matrix:
    """A matrix from a CSV file: names of configurations in its first row, of data sets in its first column.

    described: a CSV file of what the data sets are (`num_classes`, `num_train`, `num_test`, and `resolution_0`,
    `resolution_1` if known), by the same names. name: of the matrix, by default the file's without its ending.
    Raises BadInput, naming file and cell, for anything else.
    """
    called = path.stem if name is None else name
    if not NAME.fullmatch(called):
        raise BadInput(
            f"{called!r:.80} cannot name a matrix: use letters, digits, _ . and - only (option --name)"
        )
    table = _table(path)
    known = _descriptions(described) if described is not None else {}
    columns = tuple(_short(cell, path)[0] for cell in table[0][1:])
    rows = tuple(_short(line[0], path)[0] for line in table[1:])
    for names, what in ((rows, "row"), (columns, "column")):
        double = next((entry for entry in names if names.count(entry) > 1), None)
        if double is not None:
            raise BadInput(f"{str(path)!r} has the {what} {double!r:.60} twice: each must be there once")
    values = [[_area(cell, line[0], path) for cell in line[1:]] for line in table[1:]]
    told = {
        row: known.get(row) or _short(line[0], path)[1] for row, line in zip(rows, table[1:], strict=True)
    }
    return Matrix(called, rows, columns, np.array(values, np.float64), told)


def add(library: Library, matrix: Matrix) -> Library:
    """Put a matrix into a library; returns the library that has it.

    A data set that the library has under the name gets the runs only. A configuration is called MATRIX:COLUMN, the
    clock "matrix:MATRIX". Raises as `Library.add_prior` and `add_runs` do.
    """
    for row in matrix.rows:
        if row not in library.entries:
            library = library.add_prior(matrix.described[row])
    for i, row in enumerate(matrix.rows):
        records = [
            _record(library, matrix, column, float(value))
            for column, value in zip(matrix.columns, matrix.values[i], strict=True)
            if not math.isnan(value)
        ]
        if records:
            library = library.add_runs(row, records)
    return library


def _record(library: Library, matrix: Matrix, column: str, area: float) -> Record:
    own = column in matrix.rows
    return Record(
        f"{matrix.name}:{column}",
        None,
        0,
        f"matrix:{matrix.name}",
        BUDGET,
        (),
        "failed" if area == 0 else "ok",
        told=area,
        origin=library.entry(column).prior.source if own else "",
    )


def _table(path: Path) -> list[list[str]]:
    """The cells of a CSV file, all rows of equal length."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [line for line in csv.reader(file, strict=True) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"the table {str(path)!r} cannot be read: {error}") from error
    if len(lines) < 2 or len(lines[0]) < 2:
        raise BadInput(f"the table {str(path)!r} needs a row of names and at least one row of numbers")
    for number, line in enumerate(lines[1:], 2):
        if len(line) != len(lines[0]):
            raise BadInput(
                f"row {number} of {str(path)!r} has {len(line)} cells, but the first has {len(lines[0])}"
            )
    return lines


def _short(cell: str, path: Path) -> tuple[str, Prior]:
    """The name in a cell without the sizes in it, and what those say of a data set."""
    long = _LONG.fullmatch(cell.strip())
    name = long["name"] if long else cell.strip()
    if not NAME.fullmatch(name):
        raise BadInput(
            f"{str(path)!r} has the name {name!r:.60}: use letters, digits, _ . and - only, at most 100"
        )
    if long is None:
        return name, Prior(name, name)
    classes, train = int(long["classes"]), int(long["train"])
    return name, _prior(name, classes, train, int(long["test"]), float(long["side"]))


def _area(cell: str, row: str, path: Path) -> float:
    """An area from -1 to 1; nan for an empty cell."""
    if cell.strip().lower() in ("", "nan"):
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.inf
    if not -1 <= value <= 1:
        raise BadInput(
            f"{str(path)!r} has {cell!r:.40} in the row {row!r:.60}: areas are numbers from -1 to 1"
        )
    return value


def _descriptions(path: Path) -> dict[str, Prior]:
    table = _table(path)
    place = {key: at for at, key in enumerate(table[0])}
    missing = [key for key in _NEEDED if key not in place]
    if missing:
        raise BadInput(f"{str(path)!r} describes no data sets: it lacks the column {missing[0]}")
    return {
        name: _described(name, line, place, path) for line in table[1:] for name in [_short(line[0], path)[0]]
    }


def _described(name: str, line: Sequence[str], place: Mapping[str, int], path: Path) -> Prior:
    try:
        classes, train, test = (int(line[place[key]]) for key in _NEEDED)
        sides = [float(line[place[key]]) for key in ("resolution_0", "resolution_1") if key in place]
    except ValueError as error:
        raise BadInput(f"{str(path)!r} has no number in the row {name!r:.60}: {error}") from error
    varies = any(side <= 0 for side in sides) or not sides
    return _prior(name, classes, train, test, 0.0 if varies else math.sqrt(sides[0] * sides[-1]))


def _prior(name: str, classes: int, train: int, test: int, side: float) -> Prior:
    return Prior(
        name, name, classes=classes, samples=train, test=test, per_class=train / max(classes, 1), pixels=side
    )
