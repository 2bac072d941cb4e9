"""Lists of labelled files: CSV with a path and a label column, several labels in a cell, or one-hot columns.

Which column is which is found by the header, else by what stands in it. Delimiter and encoding are found too.
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from headstart.data.kinds import ALL
from headstart.data.listing import PathList, natural_order
from headstart.data.walk import LISTED, why
from headstart.errors import BadDataset
from headstart.words.task import LabelKind, Samples, Skipped

PATHS = (
    "path", "file_path", "filepath", "file", "filename", "file_name", "image_path", "image", "image_name",
    "image_id", "img_path", "img", "picture", "video_path", "video", "clip", "name", "id",
)  # fmt: skip
LABELS = (
    "label", "labels", "class", "classes", "class_name", "classname", "category", "categories", "target",
    "targets", "tag", "tags", "species", "y",
)  # fmt: skip
SPLITS = ("split", "set", "subset", "partition")
_PLURAL = frozenset(["labels", "classes", "categories", "targets", "tags"])
_TEST = frozenset(["test", "testing", "predict"])
_ONES, _ZEROS = frozenset(["1", "1.0", "true", "yes", "x"]), frozenset(["0", "0.0", "false", "no", ""])
_DELIMITERS = ",;\t|"
_SEVERAL = 0.02  # of the cells: a separator in fewer of them is part of a name
_LOOKED_AT = 50
_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class Listed:
    """What lists state: classes, samples of the training and test split, and rows that cannot be used."""

    labels: LabelKind
    classes: tuple[str, ...]
    train: Samples
    test: Samples | None
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Table:
    """The rows of a list. path, label, split: columns; ones: one-hot columns in place of a label column."""

    file: str
    header: list[str]
    rows: list[list[str]]
    path: int
    label: int | None
    split: int | None
    ones: tuple[int, ...]


def read_lists(root: str, lists: Sequence[str], labels: LabelKind | None = None) -> Listed:
    """What the lists state; paths come relative to `root`. labels: instead of what is found.

    Raises BadDataset: no text, no columns that could be paths and labels, fewer than two classes.
    """
    tables = [_table(file) for file in lists]
    skipped: list[Skipped] = []
    rows = [row for table in tables for row in _rows(table, root, skipped)]
    separator = _separator(tables, rows, labels)
    kind: LabelKind = labels or ("multi" if _several(rows, tables, separator) else "single")
    train, test = _sorted_out(rows, kind, separator, skipped)
    classes = natural_order({label for _, found in train for label in found})
    shown = ", ".join(os.path.relpath(table.file, root) for table in tables)
    if len(classes) < 2:
        found = f"a single label ({classes[0]!r})" if classes else "no labelled file that exists"
        way_out = "list files of two labels or more, with paths relative to the list"
        name = " ".join(skipped[0].path.split()) if skipped else ""
        first = f"; the first problem: {name}: {skipped[0].reason}" if skipped else ""
        raise BadDataset(f"{shown} lists {found}: {way_out}{first}.")
    notes = [f"{'several labels' if kind == 'multi' else 'one label'} per file, from {shown}"]
    if test:
        notes.append(f"{len(test)} rows of the test split are predicted")
    return Listed(
        kind,
        tuple(classes),
        _samples(root, train, classes, kind),
        Samples(root, PathList(test)) if test else None,
        _bounded(skipped),
        tuple(notes),
    )


def _bounded(skipped: list[Skipped]) -> tuple[Skipped, ...]:
    if len(skipped) <= LISTED:
        return tuple(skipped)
    return (*skipped[:LISTED], Skipped(".", f"and {len(skipped) - LISTED} more rows were skipped"))


def _samples(
    root: str, train: Sequence[tuple[str, tuple[str, ...]]], classes: Sequence[str], kind: LabelKind
) -> Samples:
    number = {label: place for place, label in enumerate(classes)}
    paths = PathList(path for path, _ in train)
    if kind == "single":
        return Samples(root, paths, np.array([number[found[0]] for _, found in train], np.int32))
    targets = np.zeros((len(train), len(classes)), np.uint8)
    for place, (_, found) in enumerate(train):
        targets[place, [number[label] for label in found]] = 1
    return Samples(root, paths, targets)


@dataclass(frozen=True)
class _Row:
    """One listed file: its path relative to the root, what its label cell says, or its one-hot labels."""

    path: str
    cell: str
    marked: tuple[str, ...] | None
    test: bool


def _rows(table: _Table, root: str, skipped: list[Skipped]) -> Iterator[_Row]:
    """The rows whose file exists, with paths relative to `root`."""
    base = os.path.dirname(table.file)
    lead, ending = _way(
        base, [row[table.path].strip() for row in table.rows[:_LOOKED_AT] if len(row) > table.path]
    )
    shown = os.path.relpath(table.file, root)
    for number, row in enumerate(table.rows, 2):
        if not any(cell.strip() for cell in row):
            continue
        where = f"{shown}, line {number}"
        if len(row) <= max(table.path, table.label or 0, table.split or 0, *table.ones, 0):
            skipped.append(Skipped(where, "a row with too few columns"))
            continue
        name = row[table.path].strip()
        full = _joined(base, lead + name + ending)
        if not name or not os.path.exists(full):
            skipped.append(Skipped(name or where, f"listed in {shown}, but there is no such file"))
            continue
        marked = None
        if table.ones:
            marked = tuple(table.header[c] for c in table.ones if row[c].strip().lower() in _ONES)
        test = table.split is not None and row[table.split].strip().lower() in _TEST
        cell = row[table.label].strip() if table.label is not None else ""
        yield _Row(os.path.relpath(full, root).replace(os.sep, "/"), cell, marked, test)


def _joined(base: str, name: str) -> str:
    return os.path.join(base, name.replace("\\", "/") if os.sep == "/" and "\\" in name else name)


def _way(base: str, names: Sequence[str]) -> tuple[str, str]:
    """What must be put before and after the listed names to find the files: nothing, a folder, an extension."""
    folders = [""]
    with os.scandir(base) as entries:
        folders += [f"{entry.name}/" for entry in entries if entry.is_dir()]
    bare = any("." not in os.path.basename(name) for name in names)
    endings = ["", *(f".{e}" for e in sorted(ALL))] if bare else [""]
    best, most = ("", ""), 0
    for folder in folders:
        for ending in endings:
            found = sum(
                bool(name) and os.path.exists(_joined(base, folder + name + ending)) for name in names
            )
            if found > most:
                best, most = (folder, ending), found
        if 2 * most > len(names):
            break
    return best


def _separator(tables: Sequence[_Table], rows: Sequence[_Row], labels: LabelKind | None) -> str:
    """What stands between the labels of one cell; empty where a cell is one label."""
    if labels == "single" or any(table.ones for table in tables):
        return ""
    cells = [row.cell for row in rows]
    plural = any(t.label is not None and t.header[t.label].strip().lower() in _PLURAL for t in tables)
    wanted = labels == "multi" or plural
    for separator in (";", "|", ",") if wanted else (";", "|"):
        number = sum(separator in cell for cell in cells)
        if number and (wanted or number >= _SEVERAL * len(cells)):
            return separator
    return ";" if labels == "multi" else ""


def _several(rows: Sequence[_Row], tables: Sequence[_Table], separator: str) -> bool:
    """Whether files have several labels: in a cell, in one-hot columns, or in several rows."""
    if any(table.ones for table in tables):
        return any(row.marked is not None and len(row.marked) != 1 for row in rows if not row.test)
    if separator:
        return True
    labels: dict[str, set[str]] = {}
    for row in rows:
        if not row.test and row.cell:
            labels.setdefault(row.path, set()).add(row.cell)
    several = sum(len(found) > 1 for found in labels.values())
    return several > 0.05 * len(labels)


def _sorted_out(
    rows: Sequence[_Row], kind: LabelKind, separator: str, skipped: list[Skipped]
) -> tuple[list[tuple[str, tuple[str, ...]]], list[str]]:
    """Training samples with their labels and test paths; each file once, rows of one file joined."""
    found: dict[str, list[str]] = {}
    test: dict[str, None] = {}
    for row in rows:
        if row.test:
            test[row.path] = None
        else:
            said = row.marked if row.marked is not None else _parted(row.cell, separator)
            found.setdefault(row.path, []).extend(said)
    train: list[tuple[str, tuple[str, ...]]] = []
    for path, said in found.items():
        labels = tuple(dict.fromkeys(said))
        if path in test:
            skipped.append(Skipped(path, "listed for training and for the test: it stays in the test"))
        elif kind == "multi" or len(labels) == 1:
            train.append((path, labels))
        elif not labels:
            skipped.append(Skipped(path, "no label"))
        else:
            skipped.append(Skipped(path, f"listed with {len(labels)} labels: {', '.join(labels[:3])}"))
    return train, list(test)


def _parted(cell: str, separator: str) -> list[str]:
    parts = cell.split(separator) if separator else [cell]
    return [part.strip() for part in parts if part.strip()]


def _table(file: str) -> _Table:
    text = _text(file)
    rows = _parsed(text, file)
    if not rows:
        raise BadDataset(f"{file!r} is empty: it must have a header, as path,label, and a row for each file.")
    base = os.path.dirname(file)
    header, body = [cell.strip() for cell in rows[0]], rows[1:]
    words = [cell.lower() for cell in header]
    path = next((words.index(word) for word in PATHS if word in words), None)
    label = next((words.index(word) for word in LABELS if word in words), None)
    split = next((words.index(word) for word in SPLITS if word in words), None)
    if path is None and label is None and _exist(base, [rows[0]], 0):
        header, body, path, label = ["path", "label"], rows, 0, 1  # there is no header
    if path is None:
        path = _path_column(base, body, len(header))
    if path is None:
        raise BadDataset(
            f"{file!r} has no column of paths (its columns: {_shown(header)}): name it `path`, with paths "
            "relative to the list."
        )
    if label == path:
        label = None
    rest = [column for column in range(len(header)) if column not in (path, split)]
    ones: tuple[int, ...] = ()
    if label is None:
        marks = tuple(column for column in rest if _is_marks(body, column))
        if len(marks) >= 2:
            ones = marks
        elif len(rest) == 1:
            label = rest[0]
        else:
            raise BadDataset(
                f"{file!r} has no column of labels (its columns: {_shown(header)}): name it `label`, or `labels` "
                "with `;` between several."
            )
    return _Table(file, header, body, path, label, split, ones)


def _shown(header: Sequence[str]) -> str:
    listed = ", ".join(" ".join(cell.split())[:30] for cell in header[:8])
    return listed + (", …" if len(header) > 8 else "")


def _exist(base: str, rows: Sequence[Sequence[str]], column: int) -> int:
    names = [row[column].strip() for row in rows if len(row) > column]
    lead, ending = _way(base, names)
    return sum(bool(name) and os.path.exists(_joined(base, lead + name + ending)) for name in names)


def _path_column(base: str, body: Sequence[Sequence[str]], columns: int) -> int | None:
    found = [(_exist(base, body[:10], column), -column) for column in range(columns)]
    most, column = max(found, default=(0, 0))
    return -column if most else None


def _is_marks(body: Sequence[Sequence[str]], column: int) -> bool:
    """Whether a column holds nothing but ones and zeros, and a one somewhere."""
    values = Counter(row[column].strip().lower() for row in body if len(row) > column)
    return values.keys() <= _ONES | _ZEROS and any(value in _ONES for value in values)


def _text(file: str) -> str:
    """The text of a list in whatever encoding it is: by its mark, UTF-8, else that of Western Windows."""
    try:
        if os.path.getsize(file) > _MOST_BYTES:
            raise BadDataset(f"{file!r} is larger than a list can be (1 GB).")
        with open(file, "rb") as stream:
            content = stream.read()
    except OSError as error:
        raise BadDataset(f"{file!r} cannot be read ({why(error)}): check its permissions.") from None
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    if b"\0" in content:
        raise BadDataset(f"{file!r} is no text file: save the list as CSV in UTF-8.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _parsed(text: str, file: str) -> list[list[str]]:
    """The rows of a CSV text, split by the delimiter that fits its first lines best."""
    if not text.strip():
        return []
    try:
        heads = {d: _some_rows(text, d) for d in _DELIMITERS}
        delimiter = max(_DELIMITERS, key=lambda d: _fit(heads[d]))
        if max(map(len, heads[delimiter]), default=0) < 2:
            raise BadDataset(
                f"{file!r} has a single column: a list needs a path and a label column, with a comma, semicolon "
                "or tab between them."
            )
        return [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if row]
    except csv.Error as error:
        raise BadDataset(f"{file!r} cannot be read as CSV ({error}): save it anew as CSV in UTF-8.") from None


def _some_rows(text: str, delimiter: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text[: 1 << 20]), delimiter=delimiter)
    return [row for row, _ in zip((row for row in reader if row), range(_LOOKED_AT), strict=False)]


def _fit(rows: Sequence[Sequence[str]]) -> tuple[int, float, int]:
    """How well a delimiter fits: known words in the header, rows of equal length, columns."""
    if not rows or len(rows[0]) < 2:
        return 0, 0.0, 0
    known = sum(cell.strip().lower() in (*PATHS, *LABELS, *SPLITS) for cell in rows[0])
    equal = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
    return known, equal, -len(rows[0])
