"""What is given damaged files, and what it may answer: a table to which a function that reads files is added."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from benchmarks.faults import autodl, seeds
from benchmarks.faults.seeds import Seeds
from headstart.data.images import MAX_PIXELS, decode, peek
from headstart.words.task import Skipped

PIXELS = 32
FRAMES = 4


class Wrong(Exception):
    """An answer that is none; the message says what."""


@dataclass(frozen=True)
class Target:
    """A reader of files.

    seeds: makes whole files. check: reads a file at a path and tells the outcome in a few words; raises Wrong, or
    whatever the reader raises, which it must not. suffix: of the files' names, "" where seeds are named with theirs.
    tokens: what means something in the format. needs: a module without which the target is left out.
    """

    name: str
    seeds: Callable[[], Seeds]
    check: Callable[[str], str]
    suffix: str = ""
    tokens: tuple[bytes, ...] = ()
    needs: tuple[str, ...] = ()

    def is_there(self) -> bool:
        """Whether all that it needs is installed."""
        return all(find_spec(module) is not None for module in self.needs)


def outcome(found: object) -> str:
    """Pixels as such, a skipped file by its reason."""
    if not isinstance(found, Skipped):
        return "pixels"
    reason = found.reason
    if not reason or not reason.isprintable() or len(reason) > 200:
        raise Wrong(f"a reason that nobody can read: {reason!r}")
    return f"skipped: {reason}"


def image(path: str) -> str:
    """`decode` gives a square or a reason, `peek` a size or a reason; a size where there is a square."""
    square, size = decode(path, PIXELS), peek(path)
    if not isinstance(square, Skipped) and (square.shape != (PIXELS, PIXELS, 3) or square.dtype != np.uint8):
        raise Wrong(f"pixels of shape {square.shape} and type {square.dtype}")
    if not isinstance(size, Skipped) and not (min(size) > 0 and all(type(side) is int for side in size)):
        raise Wrong(f"a size of {size}")
    said = outcome(square)
    outcome(size)
    if isinstance(size, Skipped) and not isinstance(square, Skipped):
        raise Wrong(f"pixels, but peek says: {size.reason}")
    if not isinstance(size, Skipped) and not isinstance(square, Skipped) and size[0] * size[1] > MAX_PIXELS:
        raise Wrong(f"pixels of an image of {size}")
    return said


def clip(path: str) -> str:
    """`clips` gives pairs of frames at every size or a reason, `poster` a square, `size` a size."""
    from headstart.data.videos import clips, poster, size

    found, first, sides = clips(path, FRAMES, (PIXELS, 16)), poster(path, PIXELS), size(path)
    for other in (first, sides):
        outcome(other)
    if isinstance(found, Skipped):
        return outcome(found)
    for item, pixels in zip(found, (PIXELS, 16), strict=True):
        for part in (item.frames, item.after):
            if (
                part.dtype != np.uint8
                or part.shape[1:] != (pixels, pixels, 3)
                or not 1 <= len(part) <= FRAMES
            ):
                raise Wrong(f"frames of shape {part.shape} and type {part.dtype}")
    return "pixels"


def table(path: str) -> str:
    """`read_lists` gives samples whose targets fit the classes, or the sentence that a user reads."""
    from headstart.data.labels import read_lists
    from headstart.errors import BadDataset

    try:
        found = read_lists(os.path.dirname(path), [path])
    except BadDataset as error:
        if any(unicodedata.category(character) == "Cc" for character in str(error)):
            raise Wrong("a sentence with control characters") from error
        words = re.sub(r"'[^']*'|[0-9]+", "_", str(error))
        return f"skipped: {words[:60]}"
    targets, shape = found.train.targets, (len(found.train), len(found.classes))
    if targets is None or targets.shape != (shape if found.labels == "multi" else shape[:1]):
        raise Wrong("targets that do not fit the samples")
    if found.labels == "single" and not (targets.min() >= 0 and targets.max() < shape[1]):
        raise Wrong("targets that are no classes")
    return "pixels"


def _image(name: str, made: Callable[[], Seeds], tokens: tuple[bytes, ...] = ()) -> Target:
    return Target(name, made, image, f".{name}", tokens)


_CSV = (
    b'"',
    b",",
    b"\n",
    b"\r",
    b"\0",
    b";",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b'""',
    b"path",
    b"../",
    b"/",
    b"1",
)
_VIDEO = ("headstart.data.videos", "av")
TARGETS = {
    target.name: target
    for target in (
        _image(
            "jpg", seeds.jpegs, (b"\xff", b"\xff\xd9", b"\xff\xda", b"\xff\xdd\0\4", b"\xff\xc0\0\x11\x08")
        ),
        _image(
            "png",
            seeds.pngs,
            (b"IDAT", b"\0\0\0\0IEND", b"tRNS", b"PLTE", b"eXIf", b"acTL", b"iCCP", b"zTXt"),
        ),
        _image("webp", seeds.webps, (b"VP8X", b"VP8L", b"VP8 ", b"ALPH", b"ANIM", b"ANMF", b"EXIF")),
        _image("gif", seeds.gifs, (b"!\xf9\4", b"!\xff\x0bNETSCAPE2.0", b",\0\0\0\0", b";", b"\0")),
        _image("bmp", seeds.bmps, (b"BM", b"\0\0\0\0", b"\x28\0\0\0", b"#", b"\n", b"99999999 ", b" ")),
        _image("tif", seeds.tiffs, (b"II*\0", b"MM\0*", b"\0\1", b"\1\1\3\0\1\0\0\0", b"\x11\1\4\0")),
        _image("avif", seeds.avifs, (b"ftyp", b"meta", b"iloc", b"iprp", b"mdat", b"\0\0\0\0")),
        Target(
            "video", seeds.videos, clip, needs=_VIDEO, tokens=(b"moov", b"mdat", b"RIFF", b"idx1", b"\0\0\1")
        ),
        Target("table", seeds.tables, table, needs=("headstart.data.labels",), tokens=_CSV),
        Target("autodl", autodl.seeds, autodl.check, ".autodl", autodl.TOKENS),
        Target(
            "animation", seeds.animations, clip, needs=_VIDEO[:1], tokens=(b"ANMF", b"fcTL", b"!\xf9\4", b";")
        ),
    )
}
