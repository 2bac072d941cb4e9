"""Which frames of a clip are selected."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.data.selection import HOW, select
from headstart.errors import BadInput
from headstart.words.recipe import Selection

ways = st.sampled_from(sorted(HOW))
counts = st.integers(1, 200)


def chosen(n: int, m: int, how: str, seed: int = 0) -> list[int]:
    indices = select(n, m, how, np.random.default_rng(seed))
    assert indices.dtype == np.int64 and indices.shape == (m,)
    found: list[int] = indices.tolist()
    return found


def test_the_ways_are_those_of_a_recipe() -> None:
    assert set(HOW) == set(get_args(Selection))


@given(counts, counts, ways, st.integers(0, 99))
def test_frames_are_there_and_in_their_order(n: int, m: int, how: str, seed: int) -> None:
    frames = chosen(n, m, how, seed)
    assert frames == sorted(frames) and frames[0] >= 0 and frames[-1] < n
    assert frames == chosen(n, m, how, seed)
    if m <= n:
        assert len(set(frames)) == m or how == "segments"
    else:
        assert set(frames) == set(range(n)) or how == "segments"


@given(counts, counts)
def test_segments_hold_one_frame_each(n: int, m: int) -> None:
    frames = chosen(n, m, "segments")
    for i, frame in enumerate(frames):
        assert i * n // m <= frame <= (i + 1) * n / m


@given(counts, counts)
def test_parts_of_whole_length_give_different_frames(parts: int, length: int) -> None:
    frames = chosen(parts * length, parts, "segments")
    assert [frame // length for frame in frames] == list(range(parts))


def test_frames_by_hand() -> None:
    assert chosen(10, 1, "even") == [5]
    assert chosen(10, 2, "even") == [2, 7]
    assert chosen(9, 3, "even") == [1, 4, 7]
    assert chosen(4, 4, "even") == [0, 1, 2, 3]
    assert chosen(2, 4, "even") == [0, 0, 1, 1]
    assert chosen(100, 3, "keyframe") == [0, 1, 2]
    assert chosen(1, 3, "random") == [0, 0, 0]


def test_the_middle_is_likelier_than_the_ends_and_random_is_even() -> None:
    rng = np.random.default_rng(0)
    middle = Counter(int(select(10, 1, "middle", rng)[0]) for _ in range(4000))
    plain = Counter(int(select(10, 1, "random", rng)[0]) for _ in range(4000))
    assert set(middle) == set(plain) == set(range(10))
    assert middle[4] + middle[5] > 4 * (middle[0] + middle[9])
    assert max(plain.values()) < 1.4 * min(plain.values())


def test_what_cannot_be_selected_is_said() -> None:
    with pytest.raises(BadInput, match=r"'best'.*even"):
        chosen(3, 1, "best")
    for n, m in ((0, 1), (3, 0)):
        with pytest.raises(ValueError, match="cannot be selected"):
            chosen(n, m, "even")
