"""Which frames of a clip are looked at, and the squares that come of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headstart.data.images import Square, shrink

_APART = 0.1  # seconds between a frame and the one that shows how it moves


@dataclass(frozen=True)
class Clip:
    """Frames of one video in their order, and for each the frame that follows soon after it.

    frames, after: uint8 [m, pixels, pixels, 3], RGB; m is at most what was asked for, and at least 1.
    """

    frames: Square
    after: Square

    def shrunk(self, pixels: int) -> Clip:
        """The same frames at a smaller size."""
        if self.frames.shape[1] == pixels:
            return self
        sets = ([shrink(square, pixels) for square in some] for some in (self.frames, self.after))
        return Clip(*map(np.stack, sets))

    def exactly(self, count: int) -> Square:
        """So many of its frames, evenly spaced, uint8 [count, pixels, pixels, 3]; a short clip's come repeatedly."""
        some: Square = self.frames[np.linspace(0, len(self.frames) - 1, count).round().astype(int)]
        return some


def frames_of(item: Square | Clip, frames: int) -> Square:
    """What a network that was trained on a task looks at: a square, or exactly so many frames of a clip."""
    return item.exactly(frames) if isinstance(item, Clip) else item


def paired(squares: Mapping[int, Square], pairs: Sequence[tuple[int, int]]) -> Clip:
    """A clip from the squares of its frames by index, and the pairs of indices that `moments` chose."""
    return Clip(np.stack([squares[one] for one, _ in pairs]), np.stack([squares[two] for _, two in pairs]))


def paired_at_sizes(
    squares: Mapping[int, Sequence[Square]], pairs: Sequence[tuple[int, int]], sizes: int
) -> list[Clip]:
    """The same where each frame has a square for each of several sizes."""
    return [paired({index: of[place] for index, of in squares.items()}, pairs) for place in range(sizes)]


def moments(total: int, count: int, rate: float | None) -> list[tuple[int, int]]:
    """Indices of evenly spaced frames, first and last part included, each with the index of a later one.

    total: frames of the video, 1 or more. count: at most so many are wanted. rate: frames per second.
    """
    step = min(max(1, round((rate or 0.0) * _APART)), max(1, total - 1))
    starts = max(1, total - step)
    chosen = np.unique(np.linspace(0, starts - 1, min(count, starts)).round().astype(int)).tolist()
    return [(start, min(start + step, total - 1)) for start in chosen]
