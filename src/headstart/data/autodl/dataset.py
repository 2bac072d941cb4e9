"""A dataset of the AutoDL challenge, `NAME.data`, as a Task and as what decodes its samples.

Samples are called `autodl:train:000123`: split and number of the record, counted over the files of the split in
natural order. Only where records lie and what their labels are is held in memory.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from headstart.data.autodl import solution
from headstart.data.autodl.examples import Example, Unsupported, parse, parse_content
from headstart.data.autodl.index import Index, OnCorrupt, index
from headstart.data.autodl.layout import TEST, TRAIN, Layout, layout
from headstart.data.autodl.metadata import Metadata
from headstart.data.autodl.pixels import Levels, NoPixels, Pixels
from headstart.data.autodl.protobuf import Malformed
from headstart.data.autodl.records import Corrupt, read_at
from headstart.data.frames import Clip
from headstart.data.images import Square, reason
from headstart.errors import BadDataset
from headstart.words.task import Kind, LabelKind, Samples, Skipped, Task

PREFIX = "autodl:"
_LOOKED_AT = 16  # records that tell whether pictures move and which numbers are white


class Names(Sequence[str]):
    """The names of the samples of one split; made when they are asked for. content: what they stand for."""

    def __init__(self, split: str, numbers: NDArray[np.int64], mark: bytes) -> None:
        self._split, self._numbers, self._mark = split, numbers, mark

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Names: ...
    def __getitem__(self, index: int | slice) -> str | Names:
        if isinstance(index, slice):
            return Names(self._split, self._numbers[index], self._mark)
        return name_of(self._split, int(self._numbers[index]))

    def content(self) -> Iterator[bytes]:
        """Which records of which files these are, for checksums: equal names of two datasets differ here."""
        yield self._mark
        yield self._numbers.tobytes()


def name_of(split: str, number: int) -> str:
    """What a sample is called."""
    return f"{PREFIX}{split}:{number:06d}"


@dataclass(frozen=True)
class Split:
    """One split that is open: its metadata, where its records lie, and which of them can be used."""

    metadata: Metadata
    index: Index

    def example(self, number: int, labels: bool = True) -> Example:
        """One sample as it is stored, with its labels or without. Raises Corrupt, Unsupported where it is no image."""
        path, place = self.index.place(number)
        record = read_at(path, place)
        try:
            return parse(record) if labels else parse_content(record)
        except Malformed as error:
            raise Corrupt(path, place.offset, str(error)) from None


class AutoDL:
    """A dataset that is open: a decoder of its samples, as `data.arrays.Pictures` is one of samples in memory.

    metadata, test_metadata: as the files say. task: what is to be learnt; `task.test` holds every record of the
    test split in its order, also those that cannot be read. kind: of the task. Any thread may call.
    """

    def __init__(self, files: Layout, train: Split, test: Split | None, kind: Kind | None) -> None:
        self.files = files
        self.splits = {TRAIN: train} if test is None else {TRAIN: train, TEST: test}
        self.metadata = train.metadata
        self.test_metadata = None if test is None else test.metadata
        looked_at = _some(train)
        self.kind: Kind = kind or ("video" if any(one.steps > 1 for one in looked_at) else "image")
        levels = Levels.of(values for one in looked_at for values in one.numbers)
        self.pixels = Pixels(train.metadata.matrix, levels)
        self.task: Task  # set by `open_dataset`

    def in_memory(self, name: str) -> bool:
        """Whether this is the name of a sample of the dataset."""
        return name.startswith(PREFIX)

    def reading_with(self, _decode: object) -> AutoDL:
        """Itself: no sample is a file of its own."""
        return self

    def example(self, name: str, labels: bool = True) -> Example:
        """One sample as it is stored. Raises Corrupt, Unsupported; KeyError for a name that there is not."""
        split, _, number = name.removeprefix(PREFIX).partition(":")
        try:
            return self.splits[split].example(int(number), labels)
        except (KeyError, IndexError, ValueError):
            raise KeyError(name) from None

    def __call__(self, path: str, pixels: int, frames: int = 1) -> Square | Clip | Skipped:
        """The sample of this name as uint8 [pixels, pixels, 3]; with several frames as a Clip; or why not."""
        try:
            example = self.example(path, labels=False)
            if frames == 1:
                return self.pixels.square(path, example, pixels)
            return self.pixels.clip(path, example, pixels, frames)
        except (Corrupt, Unsupported, NoPixels) as error:
            return Skipped(path, str(error))
        except KeyError:
            return Skipped(path, "no such sample in the dataset")
        except Exception as error:  # memory, for example
            return Skipped(path, reason(error, self.kind))

    def size(self, path: str) -> tuple[int, int] | Skipped:
        """Width and height of the sample of this name, or why they are not known."""
        try:
            size = self.pixels.size(self.example(path, labels=False))
        except (Corrupt, Unsupported, NoPixels, KeyError) as error:
            return Skipped(path, str(error))
        return size or Skipped(path, "the size is not stated")

    def check(self, split: str) -> Iterator[Skipped]:
        """Reads every record of a split in full; gives those that are damaged or hold no image or video."""
        if split in self.splits:
            for number in range(len(self.splits[split].index)):
                try:
                    self.splits[split].example(number)
                except (Corrupt, Unsupported) as error:
                    yield Skipped(name_of(split, number), str(error))

    def solution(self) -> NDArray[np.uint8] | None:
        """The true labels of the test records, uint8 [n, classes]; None where there are none. Raises BadDataset."""
        if self.files.solution is None or TEST not in self.splits:
            return None
        return solution.read(self.files.solution, (len(self.splits[TEST].index), self.metadata.output_dim))


def open_dataset(
    path: str | os.PathLike[str],
    corrupt: OnCorrupt = "raise",
    kind: Kind | None = None,
    label_kind: LabelKind | None = None,
) -> AutoDL:
    """Open the dataset at `path`: `NAME.data`, or a folder that holds one. One pass over the files.

    corrupt: whether damaged lengths and labels raise or are listed in `task.skipped`; a record whose pixels are
    damaged is a Skipped when it is asked for. kind, label_kind: instead of what is found. A task is single-label
    if every training sample has exactly one label. Raises BadDataset.
    """
    files = layout(path)
    train = Split(files.train.metadata, index(files.train, corrupt))
    test = None if files.test is None else Split(files.test.metadata, index(files.test, corrupt))
    if not len(train.index.good):
        raise BadDataset(f"{os.fspath(path)!r} holds no training record that can be used.")
    if train.metadata.matrix.format == "SPARSE":
        raise BadDataset(
            f"{os.fspath(path)!r} holds text or tables (SPARSE); headstart learns images and videos."
        )
    dataset = AutoDL(files, train, test, kind)
    dataset.task = _task(dataset, label_kind)
    return dataset


def _some(split: Split) -> list[Example]:
    """A few samples, evenly spread, of those that can be read."""
    good = split.index.good
    found = []
    for place in np.linspace(0, len(good) - 1, min(len(good), _LOOKED_AT)).astype(int):
        try:
            found.append(split.example(good[int(place)]))
        except (Corrupt, Unsupported):
            continue  # said where the sample is asked for
    return found


def _task(dataset: AutoDL, label_kind: LabelKind | None) -> Task:
    train, test = dataset.splits[TRAIN], dataset.splits.get(TEST)
    counts = train.index.counts()
    found: LabelKind = "single" if (counts == 1).all() and train.metadata.output_dim > 1 else "multi"
    labels = label_kind or found
    numbers = np.array(train.index.good, np.int64)
    skipped = train.index.skipped + (test.index.skipped if test else [])
    targets: NDArray[np.generic]
    if labels == "single":
        alone = counts == 1
        skipped += [Skipped(name_of(TRAIN, int(n)), "has not exactly one label") for n in numbers[~alone]]
        ends = np.array(train.index.ends, np.int64)
        targets = np.array(train.index.labels, np.int64)[ends[alone] - 1].astype(np.int32)
        numbers = numbers[alone]
    else:
        targets = train.index.indicator(train.metadata.output_dim)
    if not len(numbers):
        raise BadDataset(
            f"{dataset.files.name}: no training record has exactly one label; use several labels."
        )
    listed = None
    if test is not None:
        every = np.arange(len(test.index), dtype=np.int64)
        listed = Samples("", Names(TEST, every, _mark(test)))
    return Task(
        dataset.files.name,
        dataset.kind,
        labels,
        train.metadata.classes(),
        Samples("", Names(TRAIN, numbers, _mark(train)), targets),
        listed,
        tuple(skipped),
        tuple(_notes(dataset, labels, label_kind)),
    )


def _mark(split: Split) -> bytes:
    """Which files these are: lengths, offsets, and the sizes and times of change of the files."""
    digest = hashlib.sha256()
    for path in split.index.files:
        status = os.stat(path)
        digest.update(f"{os.path.basename(path)} {status.st_size} {status.st_mtime_ns}\n".encode())
    digest.update(split.index.offsets.tobytes())
    return digest.digest()


def _notes(dataset: AutoDL, labels: LabelKind, asked: LabelKind | None) -> Iterator[str]:
    matrix = dataset.metadata.matrix
    form = "compressed" if matrix.format == "COMPRESSED" else "dense"
    yield f"AutoDL records with {form} {dataset.kind}s"
    why = "as asked for" if asked else "by the training records"
    yield f"{'one label' if labels == 'single' else 'several labels'} per sample, {why}"
    for split, opened in dataset.splits.items():
        stated, found = opened.metadata.sample_count, len(opened.index)
        if stated != found:
            yield f"{split}: metadata state {stated} samples, the files hold {found}"
        if opened.index.uncertain:
            yield f"{split}: {opened.index.uncertain} samples have labels of partial confidence; from .5 on they count"
