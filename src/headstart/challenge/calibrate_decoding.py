"""What decoding costs: pictures of several kinds and sizes, made on the spot, and clips where PyAV is there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headstart.challenge.calibrate_cells import Cell
from headstart.data import videos
from headstart.data.effort import picture
from headstart.data.images import decode, squeeze
from headstart.data.squares import KEPT, LARGE, Squares

SIDES = (16, 32, 64, 128, 224, 320, 448)
"""Sizes of the square that are measured; those between are interpolated."""
_SMALL = ((32, 32), (96, 96), (256, 256), (512, 384))
_MEGAPIXEL, _CAMERA = (1152, 864), (4000, 3000)
_SAVED: dict[str, dict[str, Any]] = {
    "jpeg": {"quality": 85},
    "png": {"compress_level": 3},
    "webp": {"quality": 80, "method": 0},
    "gif": {},
}


def cells(folder: Path) -> list[Cell]:
    """Cells of single pictures (parts: bytes and numbers), made in `folder`."""
    result: list[Cell] = []
    for kind, options in _SAVED.items():
        sizes = [*_SMALL, *([_MEGAPIXEL] if kind != "gif" else [])]
        for place, size in enumerate(sizes):
            path = folder / f"{place}.{kind}"
            drawn(size, place).save(path, **options)
            result += [_cell(kind, path, side) for side in (SIDES if size != _MEGAPIXEL else SIDES[2:])]
        result += _others(kind, folder)
    return result


def _others(kind: str, folder: Path) -> Iterator[Cell]:
    """Files of other weights: twelve megapixels, fine detail, grey, so that bytes and numbers are told apart."""
    if kind in ("jpeg", "png"):
        path = folder / f"camera.{kind}"
        options: dict[str, Any] = {"quality": 90} if kind == "jpeg" else {"compress_level": 1}
        drawn(_CAMERA, 9).save(path, **options)
        yield _cell(kind, path, KEPT)
        grey = folder / f"grey.{kind}"
        drawn((256, 256), 8).convert("L").save(grey)
        yield _cell(kind, grey, 64)
    if kind == "jpeg":
        for place, quality in enumerate((50, 97)):
            fine = folder / f"fine{place}.jpeg"
            drawn((512, 384), 7).save(fine, quality=quality)
            yield from (_cell(kind, fine, side) for side in (64, KEPT))


def _cell(kind: str, path: Path, side: int) -> Cell:
    made = picture(str(path), path.stat().st_size, side)
    return Cell("decode", kind, side, 1, partial(decode, str(path), side), (made[1].n, made[2].n))


def drawn(size: tuple[int, int], seed: int) -> Image.Image:
    """A picture with shapes, shades and some noise: about as many bytes as a photograph of its size."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (max(size[1] // 24, 2), max(size[0] // 24, 2), 3), np.uint8)
    smooth = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    values: NDArray[np.float32] = np.asarray(smooth, np.float32)
    tile = rng.normal(0, 5, (min(size[1], 512), min(size[0], 512), 1)).astype(np.float32)
    repeats = (-(-size[1] // tile.shape[0]), -(-size[0] // tile.shape[1]), 1)
    values = values + np.tile(tile, repeats)[: size[1], : size[0]]
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def kept(folder: Path) -> tuple[list[Cell], Squares]:
    """Cells of squares that are kept from an earlier pass, and of pictures in memory; close the Squares after."""
    path = folder / "large.jpeg"
    drawn((1600, 1200), 5).save(path, quality=95)
    assert path.stat().st_size > LARGE
    squares = Squares(folder)
    array = np.asarray(drawn((256, 256), 4))
    # Cutting down a square costs about the same for every side below its own: one row holds for all.
    result = [Cell("decode", "kept", 0, 1, partial(squares, str(path), side)) for side in (64, 128)]
    result += [Cell("decode", "array", 0, 1, partial(squeeze, "one", array, side)) for side in (64, 128)]
    return result, squares


def clips(folder: Path) -> list[Cell]:
    """Cells of video files: first keyframes, and eight frames with one after each. Empty without PyAV."""
    if find_spec("av") is None:
        return []
    result = []
    for place, (size, count) in enumerate((((160, 120), 48), ((320, 240), 96), ((640, 480), 48))):
        path = folder / f"{place}.mp4"
        _film(path, size, count)
        weight, numbers = path.stat().st_size, size[0] * size[1] * 3
        for side in SIDES[1:5]:
            run = partial(videos.clips, str(path), 8, (side,))
            result.append(Cell("decode", "film", side, 16, run, (weight, numbers * 16)))
        early = min(weight, numbers // 12)
        result.append(Cell("decode", "film", 64, 1, partial(videos.poster, str(path), 64), (early, numbers)))
    return result


def _film(path: Path, size: tuple[int, int], count: int) -> None:
    import av

    ground = np.asarray(drawn((size[0] * 2, size[1]), 3))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=24)
        stream.width, stream.height, stream.pix_fmt = size[0], size[1], "yuv420p"
        for place in range(count):
            left = place * size[0] // count
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(ground[:, left : left + size[0]]), "rgb24"
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
