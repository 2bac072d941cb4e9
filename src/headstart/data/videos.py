"""Clips of every form: video files, animated pictures, folders of frames, and a picture as a still clip.

What is wrong with a clip comes back as a value. Every function may run in several threads at once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from PIL import Image

from headstart.data import films, images
from headstart.data.frames import Clip, moments, paired_at_sizes
from headstart.data.images import Square, decode
from headstart.data.kinds import ANIMATED, extension, frames_of, is_film
from headstart.words.task import Skipped


def poster(path: str, pixels: int) -> Square | Skipped:
    """The first keyframe of a clip, uint8 [pixels, pixels, 3]; or why there is none."""
    if os.path.isdir(path):
        names = frames_of(path)
        return (
            decode(os.path.join(path, names[0]), pixels)
            if names
            else Skipped(path, "a folder without frames")
        )
    if not is_film(path):
        return decode(path, pixels)
    try:
        return films.first(path, pixels)
    except Exception as error:  # whatever a decoder throws at a damaged file
        return Skipped(path, films.reason(error))


def clips(path: str, frames: int, sizes: Sequence[int]) -> list[Clip] | Skipped:
    """At most so many evenly spaced frames at each of some sizes, decoded once; or why there are none."""
    try:
        if os.path.isdir(path):
            return _from_folder(path, frames, sizes)
        if is_film(path):
            return films.clip(path, frames, sizes)
        return _from_picture(path, frames, sizes)
    except Exception as error:
        return Skipped(path, films.reason(error))


def is_animated(path: str) -> bool:
    """Whether a GIF, WebP or PNG holds several pictures. Reads the header only; False where it cannot be read."""
    try:
        with images.opened(path) as picture:
            return bool(getattr(picture, "is_animated", False))
    except Exception:
        return False


def size(path: str) -> tuple[int, int] | Skipped:
    """Width and height of a clip's frames; or why they are not known."""
    try:
        if os.path.isdir(path):
            names = frames_of(path)
            return (
                images.peek(os.path.join(path, names[0]))
                if names
                else Skipped(path, "a folder without frames")
            )
        return films.size(path) if is_film(path) else images.peek(path)
    except Exception as error:
        return Skipped(path, films.reason(error))


def _from_folder(folder: str, frames: int, sizes: Sequence[int]) -> list[Clip] | Skipped:
    names = frames_of(folder)
    if not names:
        return Skipped(folder, "a folder without frames")
    read: dict[int, tuple[Square, ...]] = {}
    pairs = moments(len(names), frames, None)
    bad: Skipped | None = None
    for index in sorted({index for pair in pairs for index in pair}):
        squares = images.square(os.path.join(folder, names[index]), tuple(sizes))
        if isinstance(squares, Skipped):
            bad = squares
        else:
            read[index] = squares
    whole = [pair for pair in pairs if pair[0] in read and pair[1] in read]
    if not whole:
        return Skipped(folder, f"{names[0]}: {bad.reason}" if bad else "a folder without frames")
    return paired_at_sizes(read, whole, len(sizes))


def _from_picture(path: str, frames: int, sizes: Sequence[int]) -> list[Clip] | Skipped:
    """An animation frame by frame; a picture without one is a clip of a single frame."""
    if extension(path) in ANIMATED and is_animated(path):
        with images.opened(path) as picture:
            total = min(int(getattr(picture, "n_frames", 1)), films.LONGEST)
            pairs = moments(total, frames, None)
            read = _seen(picture, sorted({index for pair in pairs for index in pair}), sizes)
        whole = [pair for pair in pairs if pair[0] in read and pair[1] in read]
        if whole:
            return paired_at_sizes(read, whole, len(sizes))
    still = images.square(path, tuple(sizes))
    if isinstance(still, Skipped):
        return still
    return [Clip(square[None], square[None]) for square in still]


def _seen(picture: Image.Image, wanted: list[int], sizes: Sequence[int]) -> dict[int, tuple[Square, ...]]:
    """The squares of the wanted frames, up to the first that is damaged."""
    read: dict[int, tuple[Square, ...]] = {}
    for index in wanted:
        try:
            picture.seek(index)
            read[index] = tuple(images.squeezed(picture, size) for size in sizes)
        except (EOFError, OSError, SyntaxError, ValueError):
            break
    return read
