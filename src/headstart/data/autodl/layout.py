"""Which files make up a dataset of the AutoDL challenge: `NAME.data/train`, `NAME.data/test`, `NAME.solution`."""

from __future__ import annotations

import os
from dataclasses import dataclass

from headstart.data.autodl import metadata
from headstart.data.autodl.metadata import Metadata
from headstart.data.listing import natural_order
from headstart.data.walk import why
from headstart.errors import BadDataset

TRAIN, TEST = "train", "test"
DATA, SOLUTION = ".data", ".solution"
SAMPLES = "sample"
"""What the names of files of records begin with; they need not end in `.tfrecord`."""


@dataclass(frozen=True)
class Split:
    """One split: its metadata and its files of records in the order in which they are read."""

    folder: str
    metadata: Metadata
    shards: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """The files of a dataset. test, solution: None where there is none."""

    name: str
    train: Split
    test: Split | None
    solution: str | None


def find_data(path: str | os.PathLike[str]) -> str | None:
    """The `NAME.data` folder that a path names: itself, or the only one in it; None where there is none.

    Raises BadDataset where a folder holds several.
    """
    given = os.path.abspath(os.fspath(path))
    if os.path.isfile(os.path.join(given, TRAIN, metadata.FILE)):
        return given
    try:
        found = [name for name in sorted(os.listdir(given)) if name.lower().endswith(DATA)]
    except OSError:
        return None
    folders = [
        folder
        for folder in (os.path.join(given, name) for name in found)
        if os.path.isfile(os.path.join(folder, TRAIN, metadata.FILE))
    ]
    if len(folders) > 1:
        raise BadDataset(f"{given!r} holds several datasets ({', '.join(found)}): name one of them.")
    return folders[0] if folders else None


def is_autodl(path: object) -> bool:
    """Whether a path names a dataset of this form."""
    return isinstance(path, (str, os.PathLike)) and find_data(path) is not None


def layout(path: str | os.PathLike[str]) -> Layout:
    """The files of the dataset at a path. Raises BadDataset."""
    folder = find_data(path)
    if folder is None:
        raise BadDataset(
            f"{os.fspath(path)!r} is no AutoDL dataset: it must hold {TRAIN}/{metadata.FILE} and "
            f"{TRAIN}/{SAMPLES}*.tfrecord."
        )
    name = os.path.basename(folder)
    name = name[: -len(DATA)] if name.lower().endswith(DATA) else name
    train = _split(folder, TRAIN)
    assert train is not None
    test = _split(folder, TEST)
    if test is not None and test.metadata.output_dim != train.metadata.output_dim:
        raise BadDataset(
            f"{folder!r}: {train.metadata.output_dim} classes in train, {test.metadata.output_dim} in test: "
            "both must have the same output_dim."
        )
    return Layout(name, train, test, _solution(folder, name))


def _split(folder: str, split: str) -> Split | None:
    inside = os.path.join(folder, split)
    if split == TEST and not os.path.isdir(inside):
        return None
    try:
        found = natural_order(name for name in os.listdir(inside) if name.startswith(SAMPLES))
    except OSError as error:
        raise BadDataset(f"{inside!r} cannot be read ({why(error)}).") from None
    shards = tuple(path for path in (os.path.join(inside, name) for name in found) if os.path.isfile(path))
    if not shards:
        raise BadDataset(f"{inside!r} holds no records: their files are called {SAMPLES}*.tfrecord.")
    return Split(inside, metadata.read(os.path.join(inside, metadata.FILE)), shards)


def _solution(folder: str, name: str) -> str | None:
    """The solution, beside the folder; also where one of the two is written in lower case."""
    above = os.path.dirname(folder)
    wanted = (name + SOLUTION).lower()
    try:
        found = [entry for entry in sorted(os.listdir(above)) if entry.lower() == wanted]
    except OSError:
        return None
    return os.path.join(above, found[0]) if found else None
