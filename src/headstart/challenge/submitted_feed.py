"""What the challenge feeds a submission, turned into arrays of 8 bits: read once, kept on disk, handed on as views."""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data import images
from headstart.data.frames import moments
from headstart.errors import BadDataset
from headstart.words.task import Kind, Skipped

Item = tuple[NDArray[np.float32], NDArray[np.float32]]
Picture = NDArray[np.uint8]

_CHUNK = 64 << 20  # bytes in a file of the shelf
_LARGEST = 224  # pixels: no stage looks at more, so that larger pictures are squeezed when they come
_FRAMES = 8  # of a clip, each with the one after it, as the stages for clips take them
_PATIENCE = 2.0  # seconds for a sample that is being read when all ends
_RANGED = 64  # samples that tell the range of dense values


class Shelf:
    """Arrays of bytes in files without a name: the system holds in memory what there is room for.

    folder: where the files lie; they vanish with the process.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._chunk: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._used = 0

    def put(self, values: Picture) -> Picture:
        """The same values, kept; read-only. Raises OSError where the disk is full."""
        if self._used + values.size > len(self._chunk):
            self._chunk, self._used = self._new(max(_CHUNK, values.size)), 0
        kept = self._chunk[self._used : self._used + values.size].reshape(values.shape)
        kept[...] = values
        kept.flags.writeable = False
        self._used += values.size
        return kept

    def _new(self, size: int) -> NDArray[np.uint8]:
        with tempfile.TemporaryFile(dir=self._folder) as file:
            if hasattr(os, "posix_fallocate"):  # a hole in a file on a full disk would end the process later
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            return np.frombuffer(mmap.mmap(file.fileno(), size), np.uint8)


class Convert:
    """Samples of a feed, float (T, H, W, C), to pictures uint8 [h, w, 1 or 3] or clips [t, h, w, 1 or 3].

    kind: what the samples are. low, high: the range of their values, which becomes 0 to 255. clean: whether all
    values are known to be finite.
    """

    def __init__(self, kind: Kind, low: float, high: float, clean: bool = False) -> None:
        self.kind, self._low, self._scale, self._clean = kind, low, np.float32(255 / (high - low)), clean

    @classmethod
    def of(cls, examples: list[NDArray[np.float32]], compressed: bool, sequence: int) -> Convert:
        """As the first samples and the metadata tell. Dense values may have any range; decoded ones are in 0 to 1."""
        longest = max((len(example) for example in examples), default=1)
        kind: Kind = "video" if max(sequence, longest) > 1 else "image"
        if compressed or not examples:
            return cls(kind, 0.0, 1.0, clean=True)
        low = min(float(np.nanmin(example, initial=np.inf)) for example in examples)
        high = max(float(np.nanmax(example, initial=-np.inf)) for example in examples)
        if low >= 0 and high <= 255:
            return cls(kind, 0.0, 1.0 if high <= 1 else 255.0)
        if not np.isfinite([low, high]).all() or high <= low:
            return cls(kind, 0.0, 255.0)
        return cls(kind, low, high)

    def __call__(self, example: NDArray[np.float32]) -> Picture:
        """One sample; more pixels than any stage looks at are squeezed, of a clip only the frames wanted stay."""
        if self.kind == "image":
            return self._picture(example[0])
        if len(example) > 2 * _FRAMES:
            pairs = moments(len(example), _FRAMES, None)
            example = example[[index for pair in pairs for index in pair]]
        return np.stack([self._picture(frame) for frame in example])

    def _picture(self, values: NDArray[np.float32]) -> Picture:
        if values.shape[2] not in (1, 3):  # the first three channels; where there are two, the first
            values = values[..., : 3 if values.shape[2] > 3 else 1]
        scaled = values * self._scale + np.float32(0.5 - self._low * self._scale)
        if not self._clean:
            np.nan_to_num(scaled, copy=False, posinf=255.0, neginf=0.0)
        picture = scaled.clip(0, 255, out=scaled).astype(np.uint8)
        if picture.shape[0] * picture.shape[1] <= _LARGEST * _LARGEST:
            return picture
        square = images.squeeze("", picture, _LARGEST)
        return np.zeros((_LARGEST, _LARGEST, 3), np.uint8) if isinstance(square, Skipped) else square


def opened(dataset: Any) -> Iterator[Item]:
    """The samples of a feed as arrays: a tf.data.Dataset, with eager execution or without, or any iterable."""
    if hasattr(dataset, "as_numpy_iterator"):
        tf = sys.modules["tensorflow"]
        return iter(dataset.as_numpy_iterator()) if tf.executing_eagerly() else _by_session(tf, dataset)
    return ((np.asarray(example), np.asarray(labels)) for example, labels in dataset)


def _by_session(tf: Any, dataset: Any) -> Iterator[Item]:
    """For a program that has switched eager execution off."""
    following = tf.compat.v1.data.make_one_shot_iterator(dataset).get_next()

    def items() -> Iterator[Item]:
        with tf.compat.v1.Session(graph=following[0].graph) as session:
            while True:
                try:
                    yield session.run(following)
                except tf.errors.OutOfRangeError:
                    return

    return items()


class Reading:
    """A feed that is being read: pictures and labels so far. Use `first`, then `go_on`.

    convert: None until the first samples have told it. varied: whether two samples so far differ in their labels.
    """

    def __init__(self, dataset: Any, shelf: Shelf, convert: Convert | None = None) -> None:
        self._items, self._shelf, self.convert = opened(dataset), shelf, convert
        self.pictures: list[Picture] = []
        self.labels: list[NDArray[np.float32]] = []
        self.varied = False
        self.finished = threading.Event()
        self.error: Exception | None = None
        self._thread: threading.Thread | None = None
        self._stopped = False

    def first(self, compressed: bool, sequence: int) -> Convert:
        """Read what tells the range and the kind of the samples."""
        head = list(islice(self._items, _RANGED))
        self.convert = self.convert or Convert.of([example for example, _ in head], compressed, sequence)
        for item in head:
            self._keep(item)
        return self.convert

    def read(self, enough: Any = None) -> None:
        """Read on, to the end or until `enough()` says so. A feed that breaks off ends there: see `error`."""
        try:
            for item in self._items:
                self._keep(item)
                if self._stopped or (enough is not None and enough()):
                    return
        except Exception as error:  # whatever a feed throws at a damaged record
            self.error = error
        self.finished.set()

    def taken(self) -> tuple[list[Picture], NDArray[np.float32]]:
        """Pictures and labels float32 [n, outputs] so far. Raises BadDataset where there is none."""
        labels = list(self.labels)  # first: a picture is kept before its label
        if not labels:
            raise BadDataset("the challenge feeds no training samples")
        return self.pictures[: len(labels)], np.stack(labels)

    def go_on(self) -> None:
        """Read the rest beside the caller."""
        self._thread = threading.Thread(target=self.read, daemon=True, name="feed")
        self._thread.start()

    def close(self) -> None:
        """Let the thread end after the sample that it is at; waits a little for it."""
        self._stopped = True
        if self._thread is not None:
            self._thread.join(_PATIENCE)

    def _keep(self, item: Item) -> None:
        assert self.convert is not None
        self.pictures.append(self._shelf.put(self.convert(item[0])))
        self.labels.append(np.asarray(item[1], np.float32))
        self.varied = self.varied or not np.array_equal(self.labels[0], self.labels[-1])
