"""Small AutoDL datasets and the parts that they are made of."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headstart.data.autodl.writer import Sample, write_dataset


def pixels(number: int, width: int = 32, height: int = 32) -> NDArray[np.uint8]:
    """A picture that no other number has."""
    rng = np.random.default_rng(number)
    return rng.integers(0, 256, (height, width, 3), np.uint8)


def coded(values: NDArray[np.uint8], form: str = "PNG") -> bytes:
    """Pixels as an image file."""
    file = io.BytesIO()
    Image.fromarray(values).save(file, form)
    return file.getvalue()


def png(number: int, width: int = 32, height: int = 32) -> bytes:
    return coded(pixels(number, width, height))


def jpeg(number: int, width: int, height: int) -> bytes:
    return coded(pixels(number, width, height), "JPEG")


def png_dataset(folder: Path, name: str = "mini", train: int = 20, test: int = 8, classes: int = 4) -> Path:
    """The layout of the official PNG sample: 32 x 32, fixed size."""
    made = [Sample([png(n)], [n % classes], (32, 32)) for n in range(train + test)]
    data = folder / f"{name}.data"
    write_dataset(str(data), {f"class {n}": n for n in range(classes)}, made[test:], made[:test])
    return data


def jpeg_dataset(
    folder: Path, name: str = "monkeys", train: int = 20, test: int = 8, classes: int = 4
) -> Path:
    """The layout of the official JPEG sample: every picture of its own size, no names of classes."""
    sizes = [(20 + 3 * n, 30 + n % 7) for n in range(train + test)]
    made = [Sample([jpeg(n, *size)], [n % classes], size) for n, size in enumerate(sizes)]
    data = folder / f"{name}.data"
    write_dataset(str(data), classes, made[test:], made[:test])
    return data


def records_of(data: Path, split: str = "train") -> Path:
    """The file of records of a split."""
    (found,) = (data / split).glob("sample*")
    return found


def damage(path: Path, offset: int) -> None:
    """Turn one byte over."""
    content = bytearray(path.read_bytes())
    content[offset] ^= 0xFF
    path.write_bytes(content)
