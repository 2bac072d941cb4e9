"""Whether a listing is of pictures or of videos: by extension, and by a look at a few files where that is open."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from headstart.data.listing import natural_order

IMAGES = frozenset(["jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "tif", "tiff", "gif", "ppm"])
FILMS = frozenset(
    ["mp4", "m4v", "mov", "avi", "mkv", "webm", "mpg", "mpeg", "wmv", "flv", "ogv", "3gp", "mts", "m2ts"]
)
ANIMATED = frozenset(["gif", "webp", "png"])
ALL = IMAGES | FILMS

_LOOKED_AT = 16
_FRAMES = 4  # fewer numbered pictures in a folder are no clip
_NUMBER = re.compile(r"(\d+)(?=\D*$)")


def extension(name: str) -> str:
    """In lower case and without the dot."""
    return name.rpartition(".")[2].lower()


def is_film(path: str) -> bool:
    """Whether a file is a video by its extension."""
    return extension(path) in FILMS


def some(paths: Sequence[str]) -> list[str]:
    """A few paths, evenly spread over the list."""
    places = np.linspace(0, len(paths) - 1, min(len(paths), _LOOKED_AT)).astype(int)
    return [paths[int(place)] for place in places]


def frames_of(folder: str) -> list[str]:
    """The names of the pictures directly in a folder, in natural order. Raises OSError."""
    return natural_order(n for n in os.listdir(folder) if extension(n) in IMAGES and n[0] != ".")


def are_clip_folders(folders: Iterable[str]) -> bool:
    """Whether every one of these folders holds a clip as numbered frames (`0001.jpg`, `0002.jpg`, ...)."""
    found = set(folders)
    try:
        return bool(found) and all(_is_numbered(frames_of(folder)) for folder in found)
    except OSError:
        return False


def _is_numbered(names: Sequence[str]) -> bool:
    """Whether names differ in their last number only, and the numbers follow each other."""
    matches = [_NUMBER.search(name) for name in names]
    if len(names) < _FRAMES or not all(matches):
        return False
    numbers = [int(match[0]) for match in matches if match]
    around = {
        name[: match.start()] + "#" + name[match.end() :]
        for name, match in zip(names, matches, strict=True)
        if match
    }
    steps = set(np.diff(sorted(numbers)).tolist())
    return len(around) == 1 and len(steps) == 1 and 0 not in steps


def as_clips(paths: Iterable[str], place: str) -> Iterator[str]:
    """The clips among the files below a folder: a picture in a sub-folder is a frame of the clip that it is."""
    lead = len(place) + 1 if place else 0
    last = None
    for path in paths:
        folder, _, _ = path.rpartition("/")
        if is_film(path) or len(folder) < lead or not path[lead:].count("/"):
            yield path
        elif folder != last:
            last = folder
            yield folder
