"""The form in which data were given to the challenge: a folder of files, `labels.csv` and `label.name`.

`labels.csv` has the columns FileName, Labels and maybe subset (train or test); labels are numbers of classes with
blanks between them, and line n of `label.name` names class n.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.data.listing import PathList
from headstart.data.walk import why
from headstart.errors import BadDataset
from headstart.words.task import Samples, Skipped

LABELS, NAMES = "labels.csv", "label.name"
_MOST = 1 << 20  # classes


@dataclass(frozen=True)
class Donated:
    """What the folder holds. Targets are uint8 [n, classes], of the test split too; test: None where none is marked."""

    classes: tuple[str, ...]
    train: Samples
    test: Samples | None
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class _Row:
    name: str
    labels: tuple[int, ...]
    test: bool


def is_donated(folder: str) -> bool:
    """Whether a folder has this form: a list with these two columns, whose labels are numbers."""
    try:
        with open(os.path.join(folder, LABELS), encoding="utf-8-sig", errors="replace", newline="") as file:
            header = [cell.strip().lower() for cell in next(csv.reader(file), [])]
            if header[:2] != ["filename", "labels"]:
                return False
            cells = [row[1] for row, _ in zip(csv.reader(file), range(200), strict=False) if len(row) > 1]
    except (OSError, csv.Error):
        return False
    numbers = sum(all(word.isdecimal() for word in cell.split()) for cell in cells)
    several = any(len(cell.split()) > 1 for cell in cells)
    return 2 * numbers > len(cells) and (several or os.path.isfile(os.path.join(folder, NAMES)))


def read_donated(folder: str) -> Donated:
    """The samples of such a folder, in the order of the list. Raises BadDataset."""
    path, skipped = os.path.join(folder, LABELS), list[Skipped]()
    try:
        rows = list(_rows(path, folder, skipped))
    except (OSError, csv.Error) as error:
        raise BadDataset(f"{path!r} cannot be read ({why(error)}): save it as CSV in UTF-8.") from None
    if not any(row.labels for row in rows):
        raise BadDataset(f"{path!r} lists no labelled file that exists: it must have FileName,Labels.")
    names = _names(os.path.join(folder, NAMES))
    count = max(len(names), 1 + max(label for row in rows for label in row.labels))
    classes = (*names, *map(str, range(len(names), count)))
    train = [row for row in rows if not row.test]
    test = [row for row in rows if row.test]
    if not train:
        raise BadDataset(f"{path!r} lists no file of the training split that exists.")
    return Donated(
        classes,
        _samples(folder, train, count),
        _samples(folder, test, count) if test else None,
        tuple(skipped),
    )


def _rows(path: str, folder: str, skipped: list[Skipped]) -> Iterator[_Row]:
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        next(reader, None)
        for number, row in enumerate(reader, 2):
            if not any(cell.strip() for cell in row):
                continue
            name = row[0].strip()
            words = row[1].split() if len(row) > 1 else []
            if not all(word.isascii() and word.isdecimal() and int(word[:9]) < _MOST for word in words):
                skipped.append(Skipped(name, f"line {number}: labels that are no numbers of classes"))
            elif not name or "\0" in name or not os.path.exists(os.path.join(folder, name)):
                skipped.append(
                    Skipped(name or f"line {number}", f"listed in {LABELS}, but there is no such file")
                )
            else:
                labels = tuple(sorted({int(word[:9]) for word in words}))
                yield _Row(name, labels, len(row) > 2 and row[2].strip().lower() == "test")


def _names(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            return [line.strip() for line in file.read().splitlines() if line.strip()]
    except OSError:
        return []


def _samples(folder: str, rows: Sequence[_Row], classes: int) -> Samples:
    targets = np.zeros((len(rows), classes), np.uint8)
    for place, row in enumerate(rows):
        targets[place, list(row.labels)] = 1
    return Samples(folder, PathList(row.name for row in rows), targets)


def write_donated(
    folder: str, classes: Sequence[str], rows: Iterable[tuple[str, NDArray[np.generic], str]]
) -> None:
    """Write list and names beside files that are there. rows: file name, targets [classes], subset. Raises OSError."""
    with open(os.path.join(folder, LABELS), "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["FileName", "Labels", "subset"])
        for name, targets, subset in rows:
            writer.writerow([name, " ".join(map(str, np.flatnonzero(targets))), subset])
    with open(os.path.join(folder, NAMES), "w", encoding="utf-8") as file:
        file.writelines(" ".join(name.split()) + "\n" for name in classes)
