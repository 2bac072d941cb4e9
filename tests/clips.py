"""Short videos, made on the spot: a bright square that moves over a grey ground."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

Frames = NDArray[np.uint8]
WAYS = {"right": (1, 0), "left": (-1, 0), "down": (0, 1), "up": (0, -1)}


def moving(way: str, count: int = 12, seed: int = 0, side: int = 64, speed: int = 2) -> list[Frames]:
    """Frames uint8 [side, side, 3] of a square that moves; where it is at the middle frame is drawn at random."""
    rng = np.random.default_rng(seed)
    x, y = rng.integers(side // 4, side // 2, 2)
    ground = np.kron(rng.integers(90, 130, (8, 8)), np.ones((side // 8, side // 8)))
    step_x, step_y = WAYS[way]
    frames = []
    for number in range(count):
        frame = np.repeat(ground[:, :, None], 3, axis=2).astype(np.uint8)
        left = int(x + step_x * speed * (number - count // 2)) % (side - 12)
        top = int(y + step_y * speed * (number - count // 2)) % (side - 12)
        frame[top : top + 12, left : left + 12] = (250, 220, 30)
        frames.append(frame)
    return frames


def numbered(count: int, side: int = 64) -> list[Frames]:
    """Flat grey frames whose level tells their number: 10, 15, 20, ..."""
    return [np.full((side, side, 3), 10 + 5 * number, np.uint8) for number in range(count)]


def encode(
    path: Path, frames: Iterable[Frames], *, rate: int = 10, gop: int = 12, codec: str = "mpeg4"
) -> Path:
    """Write a video file; the container is told by the name."""
    av = pytest.importorskip("av")
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = None
        for frame in frames:
            if stream is None:
                stream = container.add_stream(codec, rate=Fraction(rate))
                stream.width, stream.height = frame.shape[1], frame.shape[0]
                stream.pix_fmt = "yuv420p"
                stream.codec_context.gop_size = gop
                stream.options = {"sc_threshold": "1000000000"}  # no keyframes beyond those
                stream.codec_context.bit_rate = 2_000_000
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        if stream is not None:
            container.mux(stream.encode(None))
    return path


def animate(path: Path, frames: Iterable[Frames]) -> Path:
    """Write an animated GIF, WebP or PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *rest = map(Image.fromarray, frames)
    lossless = {"lossless": True} if path.suffix == ".webp" else {}
    first.save(path, save_all=True, append_images=rest, duration=100, loop=0, **lossless)
    return path


def folder_of_frames(path: Path, frames: Iterable[Frames]) -> Path:
    """Write frames as numbered pictures."""
    path.mkdir(parents=True)
    for number, frame in enumerate(frames, 1):
        Image.fromarray(frame).save(path / f"frame_{number:04d}.png")
    return path
