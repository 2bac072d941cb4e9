"""Motion and statistics over frames: what they must tell apart, and that they tell nothing where nothing moves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clips import WAYS, moving
from headstart.backbones.motion import THIRDS, motion, thirds
from headstart.backbones.table import BACKBONES
from headstart.backbones.temporal import STATISTICS, dim, parted, summary


def told(way: str, seed: int = 0) -> dict[str, np.ndarray]:
    frames = np.stack(moving(way, seed=seed))
    return motion(frames[:-1], frames[1:])


def test_the_table_says_how_many_numbers_there_are() -> None:
    found = told("left")
    assert {name: value.shape for name, value in found.items()} == {
        name: (numbers,) for name, numbers in BACKBONES["motion"].outputs
    }
    for value in found.values():
        assert value.dtype == np.float32 and np.isfinite(value).all() and (value >= 0).all()


def test_nothing_moves_where_all_frames_are_equal() -> None:
    still = np.stack(moving("left")[:1] * 5)
    for value in motion(still, still).values():
        assert not value.any()


@pytest.mark.parametrize(("way", "part"), [("right", 0), ("down", 1), ("left", 2), ("up", 3)])
def test_the_direction_of_a_motion_is_the_largest_part_of_the_flow(way: str, part: int) -> None:
    """Golden: x and y to the positive side, then to the negative one, as rows and columns of pictures count."""
    flow = told(way)["flow"][: 3 * 64].reshape(3, 16, 4)[1].sum(axis=0)  # the middle scale, first third
    assert flow.argmax() == part and set(WAYS) == {"right", "down", "left", "up"}


def test_backwards_is_told_from_forwards() -> None:
    frames = np.stack(moving("right"))
    forwards, backwards = motion(frames[:-1], frames[1:]), motion(frames[::-1][:-1], frames[::-1][1:])
    for name, value in forwards.items():
        cosine = value @ backwards[name] / np.linalg.norm(value) / np.linalg.norm(backwards[name])
        assert cosine < 0.9, name


@given(st.integers(1, 12))
def test_thirds_of_equal_rows_are_those_rows(count: int) -> None:
    rows = np.tile(np.arange(4, dtype=np.float32), (count, 1))
    assert np.allclose(thirds(rows), np.tile(np.arange(4), THIRDS))


def test_thirds_by_hand() -> None:
    rows = np.array([[0.0], [2.0], [4.0], [6.0], [8.0], [10.0]], np.float32)
    assert thirds(rows).tolist() == [1.0, 5.0, 9.0]


@given(arrays(np.float32, (5, 7), elements=st.floats(0, 100, width=32)), st.sampled_from(list(STATISTICS)))
def test_statistics_are_never_negative_and_as_long_as_stated(frames: np.ndarray, statistic: str) -> None:
    found = summary(frames, statistic)
    assert found.shape == (dim(f"x+{statistic}" if statistic else "x", 7),)
    assert found.dtype == np.float32 and (found >= 0).all()
    one = summary(frames[:1], statistic)
    assert one.shape == found.shape and (statistic == "" or not one.any())


def test_the_mean_is_that_of_equation_two_and_change_knows_the_order() -> None:
    frames = np.array([[0.0, 4.0], [0.0, 4.0], [0.0, 4.0], [3.0, 4.0]], np.float32)
    assert summary(frames, "").tolist() == [0.75, 4.0]
    assert summary(frames, "change").tolist() == [0.0, 0.0, 0.0, 0.0, 3.0, 0.0]
    assert summary(frames[::-1], "change").tolist() == [3.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert parted("d10+std") == ("d10", "std") and parted("d10") == ("d10", "")
