"""From a stored sample to what the rest of the program sees: squares of 8-bit pixels, and clips."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.data import headers, images
from headstart.data.autodl.examples import Example
from headstart.data.autodl.metadata import MatrixSpec
from headstart.data.frames import Clip, moments, paired
from headstart.data.images import Square
from headstart.words.task import Skipped

_MOST = images.MAX_DECODED  # numbers of one picture


class NoPixels(Exception):
    """A sample that gives no picture; the message is the reason that a user reads."""


@dataclass(frozen=True)
class Levels:
    """Which numbers are black and white: of a whole dataset, for in a single dark picture they do not show."""

    black: float = 0.0
    white: float = 255.0

    @classmethod
    def of(cls, samples: Iterable[NDArray[np.float32]]) -> Levels:
        """From some samples: 0 to 1, 0 to 255, else the least to the largest number that they hold."""
        low, high = np.inf, -np.inf
        for values in samples:
            finite = values[np.isfinite(values)]
            if len(finite):
                low, high = min(low, float(finite.min())), max(high, float(finite.max()))
        if low > high:
            return cls()
        if low >= 0 and high <= 255:
            return cls(0.0, 1.0 if high <= 1 else 255.0)
        return cls(low, high)

    def eight_bits(self, values: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Numbers as uint8 of the same shape, rounded; what is beyond black and white is cut. Raises NoPixels."""
        if not np.isfinite(values).all():
            raise NoPixels("holds NaN or infinite values")
        step = 255.0 / ((self.white - self.black) or 1.0)
        shares = (values.astype(np.float64) - self.black) * step
        return (shares.clip(0, 255) + 0.5).astype(np.uint8)


def array(example: Example, matrix: MatrixSpec) -> NDArray[np.float32]:
    """The numbers of a dense sample, float32 [t, h, w, c]. Raises NoPixels where they do not fit the metadata."""
    rows, columns, channels = matrix.rows, matrix.columns, matrix.channels
    values = np.concatenate(example.numbers)
    moments_ = len(example.numbers)
    if rows < 1 or columns < 1:  # one open side follows from how many numbers there are
        each = len(example.numbers[0])
        known = max(rows, 1) * max(columns, 1) * channels
        if (rows < 1 and columns < 1) or each == 0 or each % known or each * moments_ != len(values):
            raise NoPixels(f"{each} numbers, but row_count {rows} and col_count {columns} fix no shape")
        rows, columns = (each // known, columns) if rows < 1 else (rows, each // known)
    size = rows * columns * channels
    if size == 0 or len(values) == 0 or len(values) % size or size > _MOST:
        raise NoPixels(f"{len(values)} numbers where {rows} x {columns} x {channels} make one picture")
    return values.reshape(-1, rows, columns, channels)


def picture(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One picture uint8 [h, w, c] with any number of channels as [h, w, 1 or 3 or 4]: of others the first ones."""
    channels = values.shape[2]
    if channels in (1, 3, 4):
        return values
    return values[:, :, :1] if channels == 2 else values[:, :, :3]


class Pixels:
    """How the samples of one dataset become squares and clips."""

    def __init__(self, matrix: MatrixSpec, levels: Levels) -> None:
        self._matrix, self._levels = matrix, levels

    def square(self, name: str, example: Example, pixels: int) -> Square | Skipped:
        """The first moment as uint8 [pixels, pixels, 3]; or why not."""
        return self._step(name, example, self._dense(example), 0, pixels)

    def clip(self, name: str, example: Example, pixels: int, frames: int) -> Clip | Skipped:
        """Evenly spaced moments, each with the next one, as of a video; or why not."""
        dense = self._dense(example)
        pairs = moments(len(dense) if dense is not None else example.steps, frames, None)
        squares: dict[int, Square] = {}
        bad: Skipped | None = None
        for step in sorted({step for pair in pairs for step in pair}):
            square = self._step(name, example, dense, step, pixels)
            if isinstance(square, Skipped):
                bad = square
            else:
                squares[step] = square
        whole = [pair for pair in pairs if pair[0] in squares and pair[1] in squares]
        if not whole:
            return bad or Skipped(name, "a video without frames")
        return paired(squares, whole)

    def _dense(self, example: Example) -> NDArray[np.float32] | None:
        return array(example, self._matrix) if example.numbers else None

    def _step(
        self, name: str, example: Example, dense: NDArray[np.float32] | None, step: int, pixels: int
    ) -> Square | Skipped:
        if dense is None:
            return images.decode_bytes(name, example.images[step], pixels)
        return images.squeeze(name, picture(self._levels.eight_bits(dense[step])), pixels)

    def whole(self, example: Example) -> Sequence[NDArray[np.uint8]]:
        """Every moment of a dense sample in full, uint8 [h, w, 1 or 3 or 4]. Raises NoPixels."""
        return [picture(self._levels.eight_bits(values)) for values in array(example, self._matrix)]

    def size(self, example: Example) -> tuple[int, int] | None:
        """Width and height, where metadata or the head of a JPEG or PNG tell."""
        if self._matrix.rows > 0 and self._matrix.columns > 0:
            return self._matrix.columns, self._matrix.rows
        if example.numbers:
            shape = array(example, self._matrix).shape
            return shape[2], shape[1]
        head = example.images[0]
        found = headers.jpeg(head) or headers.png(head)
        return found.size if found else None
