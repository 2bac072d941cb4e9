"""The resize inside an exported graph gives Pillow's pixels, one by one."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from headstart.data.images import shrink
from headstart.export.builder import Builder
from headstart.export.check import opened
from headstart.export.resizing import resized

SIZES = (16, 32, 64, 128, 224)
Pixels = NDArray[np.uint8]


@cache
def session(size: int) -> Any:
    import onnx

    graph = Builder()
    graph.node("Identity", resized(graph, "image", size), name="square")
    model = graph.model({"image": ["n", "h", "w", 3]}, {"square": ("uint8", ["n", size, size, 3])})
    onnx.checker.check_model(model, full_check=True)
    return opened(model.SerializeToString())


def squares(images: Pixels, size: int) -> Pixels:
    """What the graph makes of pictures uint8 [n, h, w, 3]."""
    result: Pixels = session(size).run(None, {"image": images})[0]
    return result


def pillows(image: Pixels, size: int) -> Pixels:
    small = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR, reducing_gap=1.1)
    return np.asarray(small)


def noise(height: int, width: int, seed: int = 0, count: int = 1) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8)


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 400), st.integers(1, 400), st.sampled_from(SIZES), st.integers(0, 99))
def test_every_pixel_is_pillows(height: int, width: int, size: int, seed: int) -> None:
    image = noise(height, width, seed)
    assert np.array_equal(squares(image, size)[0], pillows(image[0], size))


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 900), (900, 1), (1300, 40), (40, 1300), (1023, 771), (64, 200)]
)
@pytest.mark.parametrize("size", SIZES)
def test_extreme_shapes(shape: tuple[int, int], size: int) -> None:
    image = noise(*shape)
    assert np.array_equal(squares(image, size)[0], pillows(image[0], size))


@pytest.mark.parametrize("factor", range(1, 12))
def test_every_small_reduction_with_and_without_a_part_cell_at_the_border(factor: int) -> None:
    for more in (0, 1, 7):
        image = noise(int(16 * factor * 1.2) + more, int(16 * factor * 1.5) + more)
        assert np.array_equal(squares(image, 16)[0], pillows(image[0], 16))


@pytest.mark.parametrize("level", [0, 1, 127, 254, 255])
def test_a_flat_picture_stays_flat(level: int) -> None:
    for shape in ((7, 300), (64, 64), (500, 333)):
        assert (squares(np.full((1, *shape, 3), level, np.uint8), 64) == level).all()


def test_a_square_of_the_right_size_is_left_alone() -> None:
    image = noise(64, 64, count=3)
    assert np.array_equal(squares(image, 64), image)


def test_pictures_of_a_batch_do_not_touch_each_other() -> None:
    images = noise(90, 130, count=4)
    assert np.array_equal(squares(images, 32), np.stack([pillows(image, 32) for image in images]))


def test_it_is_the_resize_of_the_package() -> None:
    image = noise(224, 224)
    assert np.array_equal(squares(image, 64)[0], shrink(image[0], 64))


@pytest.mark.slow
def test_a_large_photograph() -> None:
    image = noise(3000, 4000)
    for size in SIZES:
        assert np.array_equal(squares(image, size)[0], pillows(image[0], size))
