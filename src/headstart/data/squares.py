"""Squares of large files are decoded once and kept; small files are decoded again where that is cheaper.

Which way a file takes depends on the file alone, so training, test and later prediction see the same pixels.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from headstart.data.images import Square, decode, shrink
from headstart.words.task import Skipped

LARGE = 256 << 10
"""Files of more bytes count as large: about 1 megapixel of JPEG, where decoding costs more than a network."""
KEPT = 224
_MOST = 4 << 30  # bytes of squares on disk; beyond, large files are decoded again


class Squares:
    """Decodes files, and keeps the squares of large ones in a file of its own in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._places: dict[str, int] = {}
        self._file = (folder / "squares.u8").open("w+b", buffering=0)
        self._end = 0

    def __call__(self, path: str, pixels: int) -> Square | Skipped:
        """The image as uint8 [pixels, pixels, 3], or why it cannot be read. Any thread may call."""
        if pixels > KEPT or not _is_large(path):
            return decode(path, pixels)
        kept = self._kept(path)
        if kept is None:
            decoded = decode(path, KEPT)
            if isinstance(decoded, Skipped):
                return decoded
            self._keep(path, decoded)
            kept = decoded
        return shrink(kept, pixels)

    def _kept(self, path: str) -> Square | None:
        with self._lock:
            place = self._places.get(path)
            if place is None:
                return None
            self._file.seek(place)
            content = self._file.read(KEPT * KEPT * 3)
        return np.frombuffer(content, np.uint8).reshape(KEPT, KEPT, 3)

    def _keep(self, path: str, square: Square) -> None:
        with self._lock:
            if self._end + square.nbytes > _MOST:
                return
            try:
                self._file.seek(self._end)
                if self._file.write(square.tobytes()) != square.nbytes:
                    return
            except OSError:  # a full disk only means that this file is decoded again
                return
            self._places[path], self._end = self._end, self._end + square.nbytes

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


def _is_large(path: str) -> bool:
    try:
        return os.stat(path).st_size > LARGE
    except (OSError, ValueError):
        return False  # decode says why
