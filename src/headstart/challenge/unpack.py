"""Samples of an AutoDL dataset as files: in class folders or with a list, or in the form of the donors."""

from __future__ import annotations

import csv
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from headstart.challenge.contents import ending, png
from headstart.data.autodl.dataset import AutoDL, name_of
from headstart.data.autodl.donors import write_donated
from headstart.data.autodl.examples import Example, Unsupported
from headstart.data.autodl.index import OnCorrupt
from headstart.data.autodl.layout import TEST, TRAIN
from headstart.data.autodl.pixels import NoPixels
from headstart.data.autodl.records import Corrupt
from headstart.data.autodl.solution import is_multiclass
from headstart.data.images import decode_bytes
from headstart.data.walk import why
from headstart.errors import BadDataset, BadInput
from headstart.words.task import LabelKind, Skipped

_UNSAFE = re.compile(r"[\x00-\x1f/\\:*?\"<>|]")
_TRIED = 16


class Layout(Enum):
    """Which form the files take."""

    FOLDER = "folder"
    DONORS = "donors"


@dataclass
class Unpacked:
    """What was written."""

    labels: LabelKind
    solved: bool
    train: int = 0
    test: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def unpack(dataset: AutoDL, target: str, form: Layout, corrupt: OnCorrupt) -> Unpacked:
    """Write every sample as a file (a video as a folder of frames) below `target`, which must not exist.

    Single-label samples lie in folders of their classes, in `test/` too where there is a solution. Multi-label
    ones are listed in a `labels.csv` with the columns path, labels and split. Compressed images are written byte
    by byte as they are, dense ones as PNG. Raises BadInput, also for damaged records unless they are skipped.
    """
    if os.path.lexists(target):
        raise BadInput(f"{target!r} exists: give another name, or remove it first.")
    if form is Layout.DONORS and dataset.kind == "video":
        raise BadInput("the donors' form holds files of videos, records hold frames: choose the form folder.")
    solution = dataset.solution()
    single = dataset.task.labels == "single" and (solution is None or is_multiclass(solution))
    done = Unpacked("single" if single else "multi", solution is not None)
    partial = f"{os.path.abspath(target)}.part-{os.getpid()}"
    try:
        os.makedirs(partial)
        _Unpacking(dataset, partial, form, corrupt, solution, done).run()
        os.rename(partial, target)
    except OSError as error:
        raise BadInput(f"{target!r} cannot be written: {why(error)}.") from None
    finally:
        with suppress(OSError):
            shutil.rmtree(partial)
    return done


class _Unpacking:
    """A dataset while it is written as files."""

    def __init__(
        self,
        dataset: AutoDL,
        folder: str,
        form: Layout,
        corrupt: OnCorrupt,
        solution: NDArray[np.uint8] | None,
        done: Unpacked,
    ) -> None:
        self._dataset, self._folder, self._form, self._corrupt = dataset, folder, form, corrupt
        self._solution, self._done = solution, done
        self._classes = dataset.task.classes
        self._folders = safe_names(self._classes)
        self._listed: list[tuple[str, NDArray[np.uint8], str]] = []

    def run(self) -> None:
        """Write files, then what lists them."""
        in_folders = self._form is Layout.FOLDER and self._done.labels == "single"
        for split, number, labels in self._samples():
            folder = split if self._form is Layout.FOLDER else ""
            if in_folders and labels is not None:
                folder = os.path.join(split, self._folders[int(labels.argmax())])
            stem = f"{number:06d}" if self._form is Layout.FOLDER else f"{split}_{number:06d}"
            name = self._write(split, number, folder, stem)
            if name is None:
                continue
            if split == TRAIN:
                self._done.train += 1
            else:
                self._done.test += 1
            if labels is not None and not in_folders:
                self._listed.append((name, labels, split))
            elif self._form is Layout.DONORS:
                self._listed.append((name, np.zeros(len(self._classes), np.uint8), split))
        if self._form is Layout.DONORS:
            write_donated(self._folder, self._classes, self._listed)
        elif not in_folders:
            self._list()
        if self._folders != list(self._classes):
            self._done.notes.append("some classes have names that no folder can have: they were changed")

    def _samples(self) -> Iterator[tuple[str, int, NDArray[np.uint8] | None]]:
        """Split, number and labels of each record; labels are None where they are not known."""
        train = self._dataset.splits[TRAIN].index
        rows = train.indicator(len(self._classes))
        for number, row in zip(train.good, rows, strict=True):
            if self._done.labels == "multi" or row.sum() == 1:
                yield TRAIN, number, row
        if TEST in self._dataset.splits:
            for number in range(len(self._dataset.splits[TEST].index)):
                yield TEST, number, None if self._solution is None else self._solution[number]

    def _write(self, split: str, number: int, folder: str, stem: str) -> str | None:
        """Write one sample; its path below the target, or None where it was skipped."""
        name = name_of(split, number)
        try:
            example = self._dataset.splits[split].example(number)
            steps = self._steps(name, example)
        except (Corrupt, Unsupported, NoPixels) as error:
            if self._corrupt == "raise":
                raise BadDataset(f"{name}: {error}: get the file again, or skip what is damaged.") from None
            self._done.skipped.append(Skipped(name, str(error)))
            return None
        os.makedirs(os.path.join(self._folder, folder), exist_ok=True)
        if self._dataset.kind == "image":
            path = f"{stem}.{ending(steps[0])}"
            self._save(os.path.join(folder, path), steps[0])
        else:
            path = stem
            os.makedirs(os.path.join(self._folder, folder, path))
            for place, data in enumerate(steps, 1):
                self._save(os.path.join(folder, path, f"{place:04d}.{ending(data)}"), data)
        return os.path.join(folder, path).replace(os.sep, "/")

    def _steps(self, name: str, example: Example) -> Sequence[bytes]:
        """The files that a sample becomes. Raises NoPixels where one of them is no image."""
        if example.numbers:
            return [png(np.ascontiguousarray(values)) for values in self._dataset.pixels.whole(example)]
        for data in example.images:
            tried = decode_bytes(name, data, _TRIED)
            if isinstance(tried, Skipped):
                raise NoPixels(tried.reason)
        return example.images

    def _save(self, path: str, data: bytes) -> None:
        with open(os.path.join(self._folder, path), "wb") as file:
            file.write(data)

    def _list(self) -> None:
        names = [name.replace(";", ",") for name in self._classes]
        with open(os.path.join(self._folder, "labels.csv"), "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["path", "labels", "split"])
            for path, labels, split in self._listed:
                writer.writerow([path, ";".join(names[column] for column in np.flatnonzero(labels)), split])


def safe_names(classes: Sequence[str]) -> list[str]:
    """A name for the folder of each class: the class's own where a folder can have it; none comes twice."""
    found: list[str] = []
    taken: set[str] = set()
    for column, name in enumerate(classes):
        safe = _UNSAFE.sub("_", name).strip(" .")[:200] or str(column)
        while safe.lower() in taken:
            safe = f"{safe}_{column}"
        taken.add(safe.lower())
        found.append(safe)
    return found
