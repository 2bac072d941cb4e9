"""Writes `NAME.data` and `NAME.solution`: whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from headstart.data.autodl import metadata, records, solution
from headstart.data.autodl.examples import Example, one_hot, serialise
from headstart.data.autodl.layout import DATA, SAMPLES, SOLUTION, TEST, TRAIN
from headstart.data.autodl.metadata import VARIES, MatrixSpec, Metadata
from headstart.data.walk import why
from headstart.errors import BadInput


@dataclass(frozen=True)
class Sample:
    """A sample to be written.

    content: the bytes of an image file for each moment, or numbers float [t, h, w, c].
    labels: columns of its classes. size: width and height of the first moment, where content is bytes.
    """

    content: Sequence[bytes] | NDArray[np.floating]
    labels: Sequence[int] = ()
    size: tuple[int, int] | None = None


@dataclass
class _Sizes:
    """Which sizes the samples had: fixed, or -1."""

    found: set[tuple[int, int]] = field(default_factory=set)
    steps: set[int] = field(default_factory=set)
    channels: set[int] = field(default_factory=set)
    forms: set[str] = field(default_factory=set)

    def add(self, sample: Sample) -> None:
        if isinstance(sample.content, np.ndarray):
            _steps, rows, columns, channels = sample.content.shape
            self.found.add((columns, rows))
            self.channels.add(channels)
            self.forms.add("DENSE")
        else:
            self.found.add(sample.size or (VARIES, VARIES))
            self.channels.add(3)
            self.forms.add("COMPRESSED")
        self.steps.add(len(sample.content))

    def matrix(self) -> MatrixSpec:
        """Raises BadInput where dense samples differ in size, or are mixed with compressed ones."""
        form = next(iter(self.forms), "COMPRESSED")
        if len(self.forms) > 1:
            raise BadInput("some samples are images and some are numbers: a dataset holds one of the two.")
        if form == "DENSE" and (len(self.found) > 1 or len(self.steps) > 1 or len(self.channels) > 1):
            raise BadInput(
                "dense samples must all have the same shape: give the pixels that all get, or write them compressed."
            )
        columns, rows = next(iter(self.found)) if len(self.found) == 1 else (VARIES, VARIES)
        return MatrixSpec(rows, columns, next(iter(self.channels), 3), form)

    def sequence(self) -> int:
        return next(iter(self.steps)) if len(self.steps) == 1 else VARIES


def write_dataset(
    folder: str,
    classes: Mapping[str, int] | int,
    train: Iterable[Sample],
    test: Iterable[Sample] = (),
    *,
    solved: bool = True,
) -> tuple[int, int]:
    """Write the dataset `folder`, which ends in `.data`; and beside it the solution, where `solved`.

    classes: column of each name, or their number. train, test: samples in their order; each is held only while it
    is written. Labels of test samples go to the solution only. Test ids come first, train ids go on after them, as
    in the challenge's own files. Returns how many samples each split has.
    Raises BadInput where the folder exists or cannot be written.
    """
    folder = os.path.abspath(folder)
    name = os.path.basename(folder)
    if not name.endswith(DATA) or "." in name[: -len(DATA)] or name == DATA:
        raise BadInput(
            f"{name!r} is no name of an AutoDL dataset: it must be NAME{DATA}, without another dot."
        )
    answers = folder[: -len(DATA)] + SOLUTION
    if os.path.lexists(folder) or (solved and os.path.lexists(answers)):
        raise BadInput(f"{folder!r} or its solution exists: give another name, or remove it first.")
    partial = f"{folder}.part-{os.getpid()}"
    count = classes if isinstance(classes, int) else max(classes.values(), default=-1) + 1
    names = {} if isinstance(classes, int) else dict(classes)
    try:
        writing = _Writing(partial, name[: -len(DATA)], count)
        counts = writing.run(train, test)
        writing.describe(names)
        if solved:
            writing.solve(f"{partial}/{TEST}{SOLUTION}")
            os.replace(f"{partial}/{TEST}{SOLUTION}", answers)
        os.rename(partial, folder)
    except OSError as error:
        raise BadInput(f"{folder!r} cannot be written: {why(error)}.") from None
    finally:
        with suppress(OSError):
            shutil.rmtree(partial)
    return counts


class _Writing:
    """A dataset while it is written."""

    def __init__(self, folder: str, name: str, classes: int) -> None:
        self._folder, self._name, self._classes = folder, name, classes
        self._sizes = _Sizes()
        self._labels: list[tuple[int, ...]] = []
        self._counts = {TRAIN: 0, TEST: 0}
        for split in (TRAIN, TEST):
            os.makedirs(os.path.join(folder, split))

    def run(self, train: Iterable[Sample], test: Iterable[Sample]) -> tuple[int, int]:
        """Write all samples; returns how many of train and test there were."""
        first = 0
        for split, samples in ((TEST, test), (TRAIN, train)):
            path = os.path.join(self._folder, split, f"{SAMPLES}-{self._name}-{split}.tfrecord")
            self._counts[split] = records.write(path, self._records(samples, split, first))
            first += self._counts[split]
        return self._counts[TRAIN], self._counts[TEST]

    def _records(self, samples: Iterable[Sample], split: str, first: int) -> Iterator[bytes]:
        for number, sample in enumerate(samples, first):
            self._sizes.add(sample)
            labels = tuple(sorted(set(sample.labels)))
            if labels and not 0 <= labels[0] <= labels[-1] < self._classes:
                raise BadInput(
                    f"sample {number} has the labels {labels}, but there are {self._classes} classes."
                )
            if split == TEST:
                self._labels.append(labels)
            yield serialise(_example(sample, labels, number), told=split == TRAIN)

    def describe(self, names: Mapping[str, int]) -> None:
        """Write the metadata of both splits, alike but for the number of samples. Raises BadInput."""
        steps = self._sizes.sequence()
        about = Metadata(0, self._classes, self._sizes.matrix(), steps, steps != 1, names)
        for split, count in self._counts.items():
            text = metadata.to_text(replace(about, sample_count=count))
            with open(os.path.join(self._folder, split, metadata.FILE), "w", encoding="utf-8") as file:
                file.write(text)

    def solve(self, path: str) -> None:
        """Write the solution."""
        rows = (np.isin(np.arange(self._classes), labels) for labels in self._labels)
        solution.write(path, rows)


def _example(sample: Sample, labels: tuple[int, ...], number: int) -> Example:
    told = one_hot(labels, number)
    if isinstance(sample.content, np.ndarray):
        return Example(told, numbers=tuple(np.asarray(step, np.float32).ravel() for step in sample.content))
    return Example(told, images=tuple(bytes(step) for step in sample.content))
