"""`NAME.solution`: the true labels of the test records, a row of 0 and 1 for each, a column for each class."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.walk import why
from headstart.errors import BadDataset

_AT_ONCE = 1 << 20  # characters of a line: more classes than any task has


def read(path: str, shape: tuple[int | None, int | None] = (None, None)) -> NDArray[np.uint8]:
    """The true labels, uint8 [n, classes] of 0 and 1. shape: n and classes, where they are known.

    Raises BadDataset, which names the line: another number of columns or rows, a value that is neither 0 nor 1
    (labels with a confidence cannot be scored).
    """
    rows: list[NDArray[np.uint8]] = []
    columns = shape[1]
    try:
        with open(path, "rb") as file:
            while line := file.readline(_AT_ONCE):
                values = _row(line.split())
                if not len(values):
                    continue
                if isinstance(values, str):
                    raise BadDataset(f"{path!r}, line {len(rows) + 1}: {values} is neither 0 nor 1.")
                columns = columns or len(values)
                if len(values) != columns:
                    raise BadDataset(
                        f"{path!r}, line {len(rows) + 1}: {len(values)} columns where there must be {columns}."
                    )
                rows.append(values)
    except OSError as error:
        raise BadDataset(f"{path!r} cannot be read ({why(error)}).") from None
    if shape[0] is not None and len(rows) != shape[0]:
        raise BadDataset(f"{path!r} has {len(rows)} rows, but there are {shape[0]} test samples.")
    return np.stack(rows) if rows else np.empty((0, columns or 0), np.uint8)


def _row(words: list[bytes]) -> NDArray[np.uint8] | str:
    """The values of a line; of one that cannot be, the first wrong word."""
    joined = b"".join(words)
    if len(joined) == len(words) and not joined.strip(b"01"):  # nearly always, and fifty times faster
        return np.frombuffer(joined, np.uint8) - np.uint8(ord("0"))
    values = np.empty(len(words), np.uint8)
    for place, word in enumerate(words):
        try:
            number = float(word)
        except ValueError:
            number = -1.0
        if number not in (0.0, 1.0):
            return repr(word[:20].decode("ascii", "replace"))
        values[place] = number
    return values


def is_multiclass(solution: NDArray[Any]) -> bool:
    """Whether every row has exactly one label; a single row without any makes the task multi-label for the scorer."""
    return bool(len(solution)) and bool((solution.sum(axis=1) == 1).all())


def write(path: str, labels: Iterable[NDArray[Any]]) -> None:
    """Write labels [n, classes] of 0 and 1, an array or row by row. Raises OSError."""
    with open(path, "w", encoding="ascii", newline="\n") as file:
        for row in labels:
            file.write(" ".join("1" if value else "0" for value in row) + "\n")
