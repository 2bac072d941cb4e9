"""Pixels of the samples of a run: large files are decoded once and kept; small ones are decoded again.

For small files that is cheaper than keeping them. Which way a file takes depends on the file alone, so training,
test and later prediction see the same pixels.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from headstart.data import videos
from headstart.data.frames import Clip
from headstart.data.images import Square, decode, shrink
from headstart.words.task import Kind, Skipped

LARGE = 256 << 10
"""Files of more bytes count as large: about 1 megapixel of JPEG, where decoding costs more than a network."""
KEPT = 224
_MOST = 4 << 30  # bytes of squares on disk; beyond, large files are decoded again


class Squares:
    """Decodes samples, and keeps the squares of large files in a file of its own in `folder`."""

    def __init__(self, folder: Path, kind: Kind = "image") -> None:
        self._lock = threading.Lock()
        self._kind = kind
        self._places: dict[tuple[str, int], tuple[int, tuple[int, ...]]] = {}
        self._file = (folder / "squares.u8").open("w+b", buffering=0)
        self._end = 0

    def __call__(self, path: str, pixels: int, frames: int = 1) -> Square | Clip | Skipped:
        """The picture or first frame as uint8 [pixels, pixels, 3], or a clip of `frames`; or why not.

        Any thread may call.
        """
        if frames > 1:
            return self._clip(path, pixels, frames)
        if self._kind == "video":
            return videos.poster(path, pixels)  # one frame costs little, and is looked at once
        if pixels > KEPT or not _is_large(path):
            return decode(path, pixels)
        kept = self._kept_or(path, 1, lambda: decode(path, KEPT))
        return kept if isinstance(kept, Skipped) else shrink(kept, pixels)

    def _clip(self, path: str, pixels: int, frames: int) -> Clip | Skipped:
        if pixels > KEPT or not _is_large(path):
            found = videos.clips(path, frames, (pixels,))
            return found if isinstance(found, Skipped) else found[0]
        kept = self._kept_or(path, frames, lambda: _joined(videos.clips(path, frames, (KEPT,))))
        return kept if isinstance(kept, Skipped) else Clip(kept[0], kept[1]).shrunk(pixels)

    def _kept_or(self, path: str, frames: int, made: Callable[[], Square | Skipped]) -> Square | Skipped:
        kept = self._kept((path, frames))
        if kept is not None:
            return kept
        square = made()
        if not isinstance(square, Skipped):
            self._keep((path, frames), square)
        return square

    def _kept(self, key: tuple[str, int]) -> Square | None:
        with self._lock:
            if key not in self._places:
                return None
            place, shape = self._places[key]
            self._file.seek(place)
            content = self._file.read(int(np.prod(shape)))
        return np.frombuffer(content, np.uint8).reshape(shape)

    def _keep(self, key: tuple[str, int], square: Square) -> None:
        with self._lock:
            if self._end + square.nbytes > _MOST:
                return
            try:
                self._file.seek(self._end)
                if self._file.write(square.tobytes()) != square.nbytes:
                    return
            except OSError:  # a full disk only means that this file is decoded again
                return
            self._places[key], self._end = (self._end, square.shape), self._end + square.nbytes

    def close(self) -> None:
        """Close the file of squares and remove it."""
        self._file.close()
        Path(self._file.name).unlink(missing_ok=True)


def at_sizes(path: str, sizes: Sequence[int]) -> list[Square] | Skipped:
    """The same pixels as `Squares` gives, at several sizes and with a large file decoded once."""
    result: list[Square] = []
    kept = decode(path, KEPT) if min(sizes) <= KEPT and _is_large(path) else None
    if isinstance(kept, Skipped):
        return kept
    for size in sizes:
        one = shrink(kept, size) if kept is not None and size <= KEPT else decode(path, size)
        if isinstance(one, Skipped):
            return one
        result.append(one)
    return result


def clips_at_sizes(path: str, frames: int, sizes: Sequence[int]) -> list[Square] | list[Clip] | Skipped:
    """The same pixels as `Squares` gives for a clip, at several sizes: squares of the first frame, or clips."""
    if frames == 1:
        posters = [videos.poster(path, size) for size in sizes]
        bad = next((poster for poster in posters if isinstance(poster, Skipped)), None)
        return bad or [poster for poster in posters if not isinstance(poster, Skipped)]
    if not _is_large(path):
        return videos.clips(path, frames, tuple(sizes))
    direct = [size for size in sizes if size > KEPT]
    found = videos.clips(path, frames, (KEPT, *direct))
    if isinstance(found, Skipped):
        return found
    whole = dict(zip((KEPT, *direct), found, strict=True))
    return [whole[size] if size in whole else whole[KEPT].shrunk(size) for size in sizes]


def _joined(found: list[Clip] | Skipped) -> Square | Skipped:
    return found if isinstance(found, Skipped) else np.stack([found[0].frames, found[0].after])


def _is_large(path: str) -> bool:
    try:
        return os.stat(path).st_size > LARGE
    except (OSError, ValueError):
        return False  # decode says why
