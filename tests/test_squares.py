"""Large files are decoded once, and whoever asks sees the same pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.data.squares import LARGE, Squares, at_sizes
from headstart.words.task import Skipped


@pytest.mark.parametrize("pixels", [90, 900])
def test_one_by_one_or_all_at_once_the_pixels_are_the_same(pixels: int, tmp_path: Path) -> None:
    path = tmp_path / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (pixels, pixels, 3), np.uint8)).save(path)
    assert (path.stat().st_size > LARGE) == (pixels == 900)
    squares = Squares(tmp_path)
    together = at_sizes(str(path), (64, 224, 256))
    assert not isinstance(together, Skipped)
    for size, expected in zip((64, 224, 256), together, strict=True):
        for _ in range(2):  # decoded, then kept
            np.testing.assert_array_equal(squares(str(path), size), expected)
    squares.close()
    assert not (tmp_path / "squares.u8").exists()


def test_an_unreadable_file_says_why(tmp_path: Path) -> None:
    for name, content in (("gone.png", None), ("large.png", b"no picture" * LARGE)):
        if content:
            (tmp_path / name).write_bytes(content)
        assert isinstance(at_sizes(str(tmp_path / name), (64, 224)), Skipped)
