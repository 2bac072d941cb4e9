"""A folder with the labels of both splits, as only a judge and a converter may read them.

`data.scan` never reads the labels of a test split; here they are read.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from headstart.data.autodl.donors import is_donated, read_donated
from headstart.data.kinds import is_film, some
from headstart.data.labels import LABELS, PATHS
from headstart.data.lists import find_lists
from headstart.data.scan import TEST, scan
from headstart.errors import BadDataset
from headstart.words.task import Kind, LabelKind, Samples, Task

_SEPARATOR = ";"


@dataclass(frozen=True)
class Labelled:
    """A task whose test split has targets too, where they are known.

    task.test: with targets as those of the training split, or with None where the files tell no labels.
    """

    task: Task

    @property
    def answers(self) -> NDArray[np.uint8] | None:
        """The labels of the test split, uint8 [n, classes]; None where they are not known."""
        test = self.task.test
        if test is None or test.targets is None:
            return None
        return replace(self.task, train=test).indicator()


def labelled(path: str, kind: Kind | None = None, labels: LabelKind | None = None) -> Labelled:
    """What a folder or a list states, with the labels of its test split. Raises BadDataset.

    Class folders, in `test/` too; a `labels.csv` with a column of splits, or one more in `test/`; or the donors' form.
    """
    if os.path.isdir(path) and is_donated(path):
        return Labelled(_donated(os.path.abspath(path), kind, labels))
    task = scan(path, kind=kind, labels=labels)
    if task.test is None:
        return Labelled(task)
    targets: NDArray[np.generic] | None = _by_folder(task) if task.labels == "single" else None
    if targets is None:
        targets = _by_list(path, task)
    return Labelled(replace(task, test=replace(task.test, targets=targets)))


def _donated(path: str, kind: Kind | None, labels: LabelKind | None) -> Task:
    found = read_donated(path)
    samples = [split for split in (found.train, found.test) if split is not None]
    counts = np.concatenate([np.asarray(split.targets).sum(axis=1) for split in samples])
    several = labels or ("single" if (counts == 1).all() else "multi")
    if several == "single":
        samples = [
            replace(split, targets=np.asarray(split.targets).argmax(1).astype(np.int32)) for split in samples
        ]
    if kind is None:
        looked_at = some(found.train.paths)
        moving = sum(is_film(name) or os.path.isdir(os.path.join(path, name)) for name in looked_at)
        kind = "video" if 2 * moving >= len(looked_at) else "image"
    return Task(
        os.path.basename(path),
        kind,
        several,
        found.classes,
        samples[0],
        samples[1] if len(samples) > 1 else None,
        found.skipped,
        ("files, labels.csv and label.name, as given to the challenge",),
    )


def _by_folder(task: Task) -> NDArray[np.int32] | None:
    """Classes by the folders of `test/`; None where its files do not all lie in folders of the classes."""
    assert task.test is not None
    number = {name: place for place, name in enumerate(task.classes)}
    found = [number.get(path.partition("/")[0]) if "/" in path else None for path in task.test.paths]
    return None if None in found else np.array(found, np.int32)


def _by_list(path: str, task: Task) -> NDArray[np.generic] | None:
    """Labels of the test split by the list of the folder, or one in `test/`; None where they state none."""
    assert task.test is not None
    root = task.test.root
    lists = [path] if os.path.isfile(path) else find_lists(path, ())
    if os.path.isdir(path):
        lists += [one for one in find_lists(path, (TEST,)) if one not in lists]
    number = {name: place for place, name in enumerate(task.classes)}
    columns = np.zeros((len(task.test), len(task.classes)), np.uint8)
    row = {os.path.normpath(os.path.join(root, name)): place for place, name in enumerate(task.test.paths)}
    told: set[int] = set()
    for one in lists:
        for file, labels in _cells(one):
            place = row.get(file)
            if place is None:
                continue
            names = labels.split(_SEPARATOR) if task.labels == "multi" else [labels]
            known = [number[name.strip()] for name in names if name.strip() in number]
            columns[place, known] = 1
            told.add(place)
    if len(told) < len(row) or (task.labels == "single" and not (columns.sum(axis=1) == 1).all()):
        return None
    return columns if task.labels == "multi" else columns.argmax(axis=1).astype(np.int32)


def _cells(path: str) -> list[tuple[str, str]]:
    """Absolute path and label cell of each row of a list with a header and commas."""
    base = os.path.dirname(os.path.abspath(path))
    try:
        with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, csv.Error):
        return []
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    name = next((header.index(word) for word in PATHS if word in header), None)
    label = next((header.index(word) for word in LABELS if word in header), None)
    if name is None or label is None:
        return []
    return [
        (os.path.normpath(os.path.join(base, row[name].strip())), row[label].strip())
        for row in rows[1:]
        if len(row) > max(name, label)
    ]


def split_off(task: Task, share: float, seed: int) -> Task:
    """The task with a share of each class as its test split, drawn at random; a class keeps at least one sample."""
    if not 0 < share < 1:
        raise BadDataset(f"a share of {share:g} is none: give a number between 0 and 1, such as 0.2.")
    indicator = task.indicator()
    rng = np.random.default_rng(seed)
    held = np.zeros(len(indicator), bool)
    first = indicator.argmax(axis=1)  # several labels: the first one decides
    first[indicator.sum(axis=1) == 0] = -1
    for column in np.unique(first):
        rows = rng.permutation(np.flatnonzero(first == column))
        held[rows[: min(round(share * len(rows)), len(rows) - 1)]] = True
    if not held.any():
        raise BadDataset("no class has enough samples to split a test set off: give a larger share.")
    targets = np.asarray(task.train.targets)

    def part(rows: NDArray[np.int64]) -> Samples:
        return Samples(task.train.root, [task.train.paths[int(row)] for row in rows], targets[rows])

    note = f"{int(held.sum())} samples were split off as the test split (seed {seed})"
    return replace(
        task,
        train=part(np.flatnonzero(~held)),
        test=part(np.flatnonzero(held)),
        notes=(*task.notes, note),
    )
