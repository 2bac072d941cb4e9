"""Where every record of a split lies and what its labels are: one pass over the files that passes over the pixels."""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray

from headstart.data.autodl.examples import Labels, parse_labels, peek_labels
from headstart.data.autodl.layout import Split
from headstart.data.autodl.protobuf import Malformed
from headstart.data.autodl.records import Corrupt, Place, heads, read
from headstart.data.walk import why
from headstart.errors import BadDataset
from headstart.words.task import Skipped

OnCorrupt = Literal["raise", "skip"]
_HEAD = 1024  # bytes of a record in which its labels are looked for first


@dataclass
class Index:
    """The records of one split. A record that is skipped keeps its number.

    offsets, lengths, shards: of each record. labels, ends: columns of all samples, and where those of each end.
    good: numbers of the records that can be used, as far as is known without reading their pixels.
    """

    files: Sequence[str]
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    lengths: array[int] = field(default_factory=lambda: array("Q"))
    shards: array[int] = field(default_factory=lambda: array("H"))
    good: array[int] = field(default_factory=lambda: array("Q"))
    labels: array[int] = field(default_factory=lambda: array("I"))
    ends: array[int] = field(default_factory=lambda: array("Q"))
    skipped: list[Skipped] = field(default_factory=list)
    uncertain: int = 0

    def __len__(self) -> int:
        return len(self.offsets)

    def place(self, number: int) -> tuple[str, Place]:
        """File and place of a record. Raises IndexError."""
        return self.files[self.shards[number]], Place(self.offsets[number], self.lengths[number])

    def counts(self) -> NDArray[np.int64]:
        """How many labels each usable record has, int64 [good]."""
        ends = np.array(self.ends, np.int64)
        before = np.concatenate([np.zeros(min(len(ends), 1), np.int64), ends[:-1]])
        counts: NDArray[np.int64] = ends - before
        return counts

    def indicator(self, classes: int) -> NDArray[np.uint8]:
        """The labels of usable records, uint8 [good, classes]."""
        rows = np.repeat(np.arange(len(self.good)), self.counts())
        result = np.zeros((len(self.good), classes), np.uint8)
        result[rows, np.array(self.labels, np.int64)] = 1
        return result


def index(split: Split, corrupt: OnCorrupt) -> Index:
    """The index of a split. corrupt: "raise" BadDataset at what is damaged, or "skip" and list it.

    Checked are lengths and labels; the checksum of a record is checked when it is read. After a damaged length
    the rest of the file cannot be found.
    """
    found = Index(split.shards)
    for number, path in enumerate(split.shards):
        try:
            with open(path, "rb", buffering=0) as file:
                _index_file(file, path, number, split.metadata.output_dim, found, corrupt)
        except OSError as error:
            raise BadDataset(f"{path!r} cannot be read ({why(error)}).") from None
    return found


def _index_file(
    file: IO[bytes], path: str, shard: int, classes: int, found: Index, corrupt: OnCorrupt
) -> None:
    places = heads(file, path, _HEAD)
    while True:
        try:
            step = next(places, None)
        except Corrupt as error:
            left = os.fstat(file.fileno()).st_size - error.offset
            _refuse(error, path, found, corrupt, f"; the rest of the file ({left} bytes) cannot be used")
            return
        if step is None:
            return
        place, head = step
        found.offsets.append(place.offset)
        found.lengths.append(place.length)
        found.shards.append(shard)
        try:
            _add(_labels(file, path, place, head), len(found) - 1, classes, found)
        except Malformed as error:
            _refuse(Corrupt(path, place.offset, str(error)), path, found, corrupt, "")
        except Corrupt as error:
            _refuse(error, path, found, corrupt, "")


def _refuse(error: Corrupt, path: str, found: Index, corrupt: OnCorrupt, rest: str) -> None:
    if corrupt == "raise":
        raise BadDataset(
            f"{path!r}, byte {error.offset}: {error.what}: get the file again, or skip what is damaged."
        ) from None
    found.skipped.append(Skipped(os.path.basename(path), f"byte {error.offset}: {error.what}{rest}"))


def _labels(file: IO[bytes], path: str, place: Place, head: bytes) -> Labels:
    """The labels of a record: from its beginning, or where they are not there from all of it."""
    labels = peek_labels(head, place.length)
    return labels if labels is not None else parse_labels(read(file, path, place))


def _add(labels: Labels, number: int, classes: int, found: Index) -> None:
    """Add a sample's labels; those with a confidence of less than one half do not count."""
    if labels.index and not (min(labels.index) >= 0 and max(labels.index) < classes):
        wrong = next(column for column in labels.index if not 0 <= column < classes)
        raise Malformed(0, f"label {wrong}, but there are {classes} classes")
    if all(score == 1 for score in labels.score):
        told = set(labels.index)
    else:
        wrong_score = next((score for score in labels.score if not 0 <= score <= 1), None)
        if wrong_score is not None:
            raise Malformed(0, f"a label with the confidence {wrong_score:g}, which is not between 0 and 1")
        found.uncertain += any(0 < score < 1 for score in labels.score)
        told = {one for one, score in zip(labels.index, labels.score, strict=True) if score >= 0.5}
    found.labels.extend(sorted(told))
    found.ends.append(len(found.labels))
    found.good.append(number)
