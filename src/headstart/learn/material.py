"""What a network is trained on: the pixels of a run's samples at one size, decoded in slices of time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headstart.data.frames import Clip, frames_of
from headstart.learn.features import Features
from headstart.store.atomic import failure
from headstart.words.task import LabelKind

_IN_MEMORY = 256 << 20  # bytes of pixels; more lie in a file of the run's cache
_AT_ONCE = 16
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Material:
    """The samples of a run as a challenger sees them, in the order of the run.

    targets: int [n], or 0 and 1 [n, classes]. folds: int [n], near-duplicates together. tests: how many test samples
    there are. mark: what tells these samples from others, for files that outlive the run.
    """

    features: Features
    targets: NDArray[np.generic]
    folds: NDArray[np.integer]
    classes: int
    labels: LabelKind
    folder: Path
    mark: str

    @property
    def tests(self) -> int:
        """How many test samples there are."""
        return len(self.features.splits["test"][0]) if "test" in self.features.splits else 0

    def look(self, pixels: int, frames: int) -> Look:
        """All samples at one size and number of frames, not yet decoded."""
        return Look(self, pixels, frames)


class Look:
    """Pixels uint8 [n, pixels, pixels, 3] (of clips [n, frames, pixels, pixels, 3]) of both splits.

    Use `decoding` to the end, then `train`, `test` and `readable` (bool [n], of the training samples). A sample that
    cannot be read is black.
    """

    def __init__(self, material: Material, pixels: int, frames: int) -> None:
        self._material, self.pixels, self.frames = material, pixels, frames
        counts = {"train": len(material.targets), "test": material.tests}
        shape = (frames, pixels, pixels, 3) if frames > 1 else (pixels, pixels, 3)
        size = sum(counts.values()) * int(np.prod(shape))
        self._arrays: Mapping[str, Pixels] = {
            split: _room(material.folder, f"{split}-{pixels}x{frames}.u8", (count, *shape), size)
            for split, count in counts.items()
        }
        self.readable = np.ones(counts["train"], bool)

    @property
    def train(self) -> Pixels:
        """Of the training samples."""
        return self._arrays["train"]

    @property
    def test(self) -> Pixels:
        """Of the test samples."""
        return self._arrays["test"]

    def decoding(self) -> Iterator[int]:
        """Decodes; yields how many samples were done in each step."""
        for split, array in self._arrays.items():
            for first in range(0, len(array), _AT_ONCE):
                rows = np.arange(first, min(first + _AT_ONCE, len(array)))
                items, read = self._material.features.pixels(split, rows, self.pixels, self.frames)
                for row, item in zip(read.tolist(), items, strict=True):
                    array[row] = frames_of(item, self.frames) if isinstance(item, Clip) else item
                if split == "train":
                    self.readable[np.setdiff1d(rows, read)] = False
                yield len(rows)


def _room(folder: Path, name: str, shape: tuple[int, ...], size: int) -> Pixels:
    """Zeros in memory, or where all together are large in a file that vanishes with the process. Raises DiskFull."""
    if size <= _IN_MEMORY or 0 in shape:
        return np.zeros(shape, np.uint8)
    path = folder / name
    try:
        room: Pixels = np.memmap(path, np.uint8, "w+", shape=shape)
        path.unlink()
    except OSError as error:
        raise failure(path, error) from error
    return room
