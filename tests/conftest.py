"""Small image folders, made on the spot, and the way to larger ones that are lent from outside."""

from __future__ import annotations

import colorsys
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is loaded: small tests must not start pools

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from PIL import Image, ImageDraw

Unprivileged = Callable[[], AbstractContextManager[None]]
SHAPES = ("ellipse", "rectangle", "triangle", "cross", "bar")


class MakeFolder(Protocol):
    def __call__(
        self, classes: int = 3, each: int = 4, pixels: int = 32, form: str = "png", root: Path | None = None
    ) -> Path:
        """A folder with one sub-folder per class, `shape_0`, `shape_1`, …, and `each` files in it."""
        ...


def draw(label: int, seed: int, pixels: int = 32) -> Image.Image:
    """One picture of a class: its shape in its hue, somewhere on a grey ground, with a little noise."""
    rng = np.random.default_rng([label, seed])
    colour = colorsys.hsv_to_rgb((label * 0.381966 + rng.normal(0, 0.01)) % 1, 0.8, 0.9)
    image = Image.new("RGB", (pixels, pixels), (int(rng.integers(150, 230)),) * 3)
    size = rng.uniform(0.4, 0.7) * pixels
    left, top = rng.uniform(0, pixels - size, 2)
    _shape(ImageDraw.Draw(image), SHAPES[label % len(SHAPES)], (left, top, left + size, top + size), colour)
    noisy = np.asarray(image) + rng.normal(0, 4, (pixels, pixels, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def _shape(
    pen: ImageDraw.ImageDraw, shape: str, box: tuple[float, ...], colour: tuple[float, float, float]
) -> None:
    fill = tuple(int(255 * part) for part in colour)
    left, top, right, bottom = box
    third = (right - left) / 3
    match shape:
        case "ellipse":
            pen.ellipse([left, top, right, bottom], fill)
        case "triangle":
            pen.polygon([(left, bottom), (right, bottom), ((left + right) / 2, top)], fill)
        case "cross":
            pen.rectangle([left + third, top, right - third, bottom], fill)
            pen.rectangle([left, top + third, right, bottom - third], fill)
        case "bar":
            pen.rectangle([left, top + third, right, bottom - third], fill)
        case _:
            pen.rectangle([left, top, right, bottom], fill)


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Makes small image folders; every call with the same arguments makes the same files."""

    def make(
        classes: int = 3, each: int = 4, pixels: int = 32, form: str = "png", root: Path | None = None
    ) -> Path:
        root = root or tmp_path / "shapes"
        for label in range(classes):
            folder = root / f"shape_{label}"
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(each):
                draw(label, number, pixels).save(folder / f"{number}.{form}")
        return root

    return make


@pytest.fixture
def image_folder(make_folder: MakeFolder) -> Path:
    """Three classes with four PNG files of 32 pixels each."""
    return make_folder()


@pytest.fixture
def unprivileged(tmp_path: Path) -> Iterator[Unprivileged]:
    """`with unprivileged():` file permissions count inside, also where the tests are run by root."""
    if not hasattr(os, "geteuid"):
        pytest.skip("needs POSIX permissions")
    modes = {folder: folder.stat().st_mode for folder in (tmp_path, *list(tmp_path.parents)[:2])}
    for folder in modes:  # pytest closes its own folders to everyone else
        folder.chmod(0o755)

    @contextmanager
    def drop() -> Iterator[None]:
        own = os.geteuid()
        os.seteuid(65534 if own == 0 else own)
        try:
            yield
        finally:
            os.seteuid(own)

    yield drop
    for folder, mode in modes.items():
        folder.chmod(mode)


@pytest.fixture(scope="session")
def datasets() -> Path:
    """The folder of HEADSTART_DATA: data sets as NAME/train/CLASS/file. Without it the test is skipped."""
    place = os.environ.get("HEADSTART_DATA")
    if not place or not Path(place).is_dir():
        pytest.skip("set HEADSTART_DATA to a folder of data sets to run this")
    return Path(place)
