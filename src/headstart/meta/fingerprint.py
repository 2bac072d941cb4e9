"""What a data set looks like to a network: a few hundred rows of inner-layer features, and simple numbers.

The features are the block `lite0@64/d10` of the first stage, its 2 x 2 cells averaged: 672 numbers per
sample, before they are rooted and scaled to unit length. A run computes that block anyway, so its
fingerprint costs an average (`from_block`, `Gathered`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from headstart.backbones.session import open_session
from headstart.backbones.table import Precision
from headstart.data import images, videos
from headstart.data.order import balanced, balanced_multi
from headstart.errors import BadDataset
from headstart.words.task import Kind, LabelKind, Skipped, Task

Features = NDArray[np.float32]

BLOCK = "lite0@64/d10"
CELLS, DIM = 4, 672
_BACKBONE, _PIXELS, _OUTPUT = "lite0_cut", 64, "d10"
_BATCH = 32
_PEEKED = 32  # files whose headers are read for the typical size


@dataclass(frozen=True)
class Simple:
    """What is known of a task without looking at a sample.

    samples: of the training part. classes: how many. per_class: samples of the average class (several labels: a
    sample counts in each class that it has). rarest: samples of the rarest class. pixels: side of a square
    with as many pixels as the typical file, 0 where it is not known.
    """

    samples: int
    classes: int
    per_class: float
    rarest: int
    pixels: float
    kind: Kind
    labels: LabelKind

    @property
    def imbalance(self) -> float:
        """Samples of the average class for each sample of the rarest: 1 where all have the same."""
        return self.per_class / max(self.rarest, 1)

    def vector(self) -> NDArray[np.float64]:
        """[7]: log n, log classes, log n per class, log pixels, log imbalance, clips (0 or 1), several labels."""
        counts = (self.samples, self.classes, self.per_class, self.pixels)
        logs = [math.log(max(value, 1.0)) for value in counts]
        return np.array(
            [*logs, math.log(max(self.imbalance, 1.0)), self.kind == "video", self.labels == "multi"],
            np.float64,
        )


SIMPLE = ("log_n", "log_classes", "log_per_class", "log_pixels", "log_imbalance", "video", "multi")
"""The names of `Simple.vector`."""


@dataclass(frozen=True)
class Fingerprint:
    """Features float32 [n, 672] of a class-balanced draw of training samples, and what is simple to tell.

    classes: the class of each row, int32 [n]; with several labels the first that it has, -1 where it has none.
    """

    features: Features
    classes: NDArray[np.int32]
    simple: Simple

    def reference(self, count: int) -> Fingerprint:
        """The first `count` rows: as rows come in turns over the classes, they are still balanced."""
        return replace(self, features=self.features[:count], classes=self.classes[:count])


def from_block(features: Features) -> Features:
    """Rows of the block `lite0@64/d10` (or of clips, `lite0@64x8/d10`), [b, 2688], to float32 [b, 672].

    Raises ValueError for another width.
    """
    if features.ndim != 2 or features.shape[1] != CELLS * DIM:
        raise ValueError(f"a block of {BLOCK} is [b, {CELLS * DIM}], not {features.shape}")
    cells = np.asarray(features, np.float32).reshape(len(features), CELLS, DIM)
    return np.asarray(cells.mean(axis=1), np.float32)


class Gathered:
    """The rows of a run's first stage as they come, up to `most`; later ones are not looked at."""

    def __init__(self, most: int = 256) -> None:
        self._most = most
        self._parts: list[Features] = []
        self._count = 0

    def add(self, block: Features) -> None:
        """Rows of the block, [b, 2688], before unit scaling."""
        wanted = block[: self._most - self._count]
        if len(wanted):
            self._parts.append(from_block(wanted))
            self._count += len(wanted)

    def __len__(self) -> int:
        return self._count

    @property
    def features(self) -> Features:
        """What came so far, float32 [b, 672]."""
        return np.concatenate(self._parts) if self._parts else np.zeros((0, DIM), np.float32)


def simple(task: Task) -> Simple:
    """The simple numbers of a task; reads the headers of some files for their size."""
    counts = task.indicator().sum(axis=0, dtype=np.int64)
    return Simple(
        len(task.train),
        len(task.classes),
        float(counts.sum() / max(len(counts), 1)),
        int(counts.min(initial=len(task.train))),
        _typical_size(task),
        task.kind,
        task.labels,
    )


def fingerprint(task: Task, n: int = 256, seed: int = 0, precision: Precision = "fp32") -> Fingerprint:
    """The fingerprint of a task's training part, from `n` readable samples or all there are.

    Samples come in a class-balanced order drawn by the seed. A picture is squeezed to 64 px, of a clip the
    first keyframe is, as in the first stage of a run. Raises BadDataset where no file can be read.
    """
    session = open_session(_BACKBONE, precision)
    order, squares, used = _order(task, seed), [], []
    for row, square in _readable(task, order):
        used.append(row)
        squares.append(square)
        if len(used) == n:
            break
    if not used:
        raise BadDataset(
            f"no file of {task.train.root!r} can be read, so it has no features: check the files."
        )
    batches = (np.stack(squares[start : start + _BATCH]) for start in range(0, len(squares), _BATCH))
    rows = [from_block(session(batch)[_OUTPUT]) for batch in batches]
    return Fingerprint(np.concatenate(rows), _first_label(task)[used], simple(task))


def _order(task: Task, seed: int) -> NDArray[np.int64]:
    if task.labels == "multi":
        return balanced_multi(task.indicator(), seed)
    return balanced(_first_label(task), len(task.classes), seed)


def _first_label(task: Task) -> NDArray[np.int32]:
    """int32 [n]; -1 where a sample of several labels has none."""
    indicator = task.indicator()
    return np.where(indicator.any(axis=1), indicator.argmax(axis=1), -1).astype(np.int32)


def _readable(task: Task, order: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    read = images.decode if task.kind == "image" else videos.poster
    for row in order.tolist():
        square = read(os.path.join(task.train.root, task.train.paths[row]), _PIXELS)
        if not isinstance(square, Skipped):
            yield row, square


def _typical_size(task: Task) -> float:
    """The median, over some files spread over the list, of the side of a square of as many pixels."""
    total = len(task.train)
    chosen = np.unique(np.linspace(0, total - 1, min(total, _PEEKED)).astype(int)).tolist() if total else []
    ask = images.peek if task.kind == "image" else videos.size
    sizes = [ask(os.path.join(task.train.root, task.train.paths[row])) for row in chosen]
    sides = [math.sqrt(size[0] * size[1]) for size in sizes if not isinstance(size, Skipped)]
    return float(np.median(sides)) if sides else 0.0
