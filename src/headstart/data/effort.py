"""How much work it is to decode a file, as its header tells: what a simulated run charges for.

Seconds of a decoding are a constant (for each kind of file and size of the square), so much for each byte of the
file, and so much for each number (pixel times channel) that the decoder makes. Nothing is decoded here.
"""

from __future__ import annotations

import os
import struct
from typing import NamedTuple

from headstart.data import headers, videos
from headstart.data.images import peek
from headstart.data.kinds import frames_of, is_film
from headstart.data.squares import KEPT, LARGE
from headstart.words.task import Kind, Skipped

MEASURED = ("jpeg", "png", "webp", "gif")
"""Kinds of picture that cost tables know; any other counts as png."""
_HEAD = 64 << 10
_SCALES = (8, 4, 2)
_IHDR = struct.Struct(">II")


class Effort(NamedTuple):
    """One charge: what does it, the size of the square (0: does not matter), how many."""

    name: str
    size: int
    n: int


class Efforts:
    """The charges for samples of a run, which keeps the squares of large files (data/squares.py). Never raises."""

    def __init__(self, kind: Kind = "image") -> None:
        self._kind = kind
        self._kept: set[tuple[str, int]] = set()

    def __call__(self, path: str, pixels: int, frames: int = 1) -> list[Effort]:
        """What it costs to get the square, or clip, of a sample at this place of the run."""
        size = _bytes_of(path)
        if size is None:
            return [Effort("array", 0, frames)]  # from memory, or no file any more
        poster = self._kind == "video" and frames == 1
        if poster or pixels > KEPT or size <= LARGE:
            return self._made(path, size, pixels, frames)
        again = Effort("kept", 0, frames if frames == 1 else 2 * frames)
        if (path, frames) in self._kept:
            return [again]
        self._kept.add((path, frames))
        return [*self._made(path, size, KEPT, frames), again]

    def _made(self, path: str, size: int, pixels: int, frames: int) -> list[Effort]:
        if is_film(path):
            return _film(path, size, pixels, frames)
        if os.path.isdir(path):
            names = frames_of(path)[: 1 if frames == 1 else 2 * frames]
            listed = [os.path.join(path, name) for name in names]
            return [effort for one in listed for effort in picture(one, _bytes_of(one) or 0, pixels)]
        found = picture(path, size, pixels)
        return found if frames == 1 else [effort._replace(n=effort.n * 2 * frames) for effort in found]


def picture(path: str, size: int, pixels: int) -> list[Effort]:
    """The charges for one picture of `size` bytes, decoded to a square of `pixels`."""
    kind, numbers = _read(path, pixels)
    return [Effort(kind, pixels, 1), Effort(f"{kind} bytes", 0, size), Effort(f"{kind} numbers", 0, numbers)]


def _film(path: str, size: int, pixels: int, frames: int) -> list[Effort]:
    found = videos.size(path)
    wide, high = (0, 0) if isinstance(found, Skipped) else found
    looked_at = 1 if frames == 1 else 2 * frames
    # Of a film whose first frame is wanted the rest is not decoded.
    read = size if frames > 1 else min(size, wide * high // 4)
    return [
        Effort("film", pixels, looked_at),
        Effort("film bytes", 0, read),
        Effort("film numbers", 0, wide * high * 3 * looked_at),
    ]


def _read(path: str, pixels: int) -> tuple[str, int]:
    """The kind of picture, and how many numbers its decoder makes for a square of `pixels`."""
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
        kind = (headers.kind(head[:16]) or "png").lower()
        if kind == "jpeg" and (jpeg := headers.jpeg(head)):
            scale = next((s for s in _SCALES if min(jpeg.size) >= s * pixels), 1)
            return kind, -(-jpeg.size[0] // scale) * -(-jpeg.size[1] // scale) * _channels(jpeg.mode)
        if kind == "png":
            plain = headers.png(head)
            wide, high = _IHDR.unpack_from(head, 16)
            return kind, wide * high * (_channels(plain.mode) if plain else 4)
    except (OSError, struct.error, IndexError):
        return "png", 0
    found = peek(path)
    numbers = 0 if isinstance(found, Skipped) else found[0] * found[1] * 4
    return (kind if kind in MEASURED else "png"), numbers


def _channels(mode: str) -> int:
    return {"L": 1, "CMYK": 4}.get(mode, 3)


def _bytes_of(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):
        return None
