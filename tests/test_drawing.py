"""Bars, curves and times in character cells."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.cli.drawing import ASCII, UNICODE, Glyphs, curve_rows, fit, moment, printable, time_axis, width


@given(
    st.lists(st.tuples(st.floats(0, 2000), st.floats(-1, 1)), max_size=15).map(sorted),
    st.floats(0, 3000),
    st.floats(1, 1e5),
    st.integers(1, 100),
    st.integers(1, 3),
    st.sampled_from([UNICODE, ASCII]),
)
def test_curves_have_the_size_asked_for(
    points: list[tuple[float, float]], now: float, budget: float, cells: int, rows: int, glyphs: Glyphs
) -> None:
    drawn = curve_rows(points, now, budget, cells, rows, glyphs)
    assert [len(row) for row in drawn] == [cells] * rows
    assert bool(points) == any(row.strip() for row in drawn)


def test_a_curve_rises() -> None:
    points = [(0.0, 0.0), (3.0, 0.5), (15.0, 1.0)]
    assert curve_rows(points, 63.0, 63.0, 6, 1, ASCII) == [".." + "::" + "||"]
    assert curve_rows(points, 63.0, 63.0, 6, 1, UNICODE) == ["⣀⣀" + "⣶⣶" + "⣿⣿"]


@given(st.floats(1, 1e6), st.integers(1, 200))
def test_the_time_axis_fits_and_names_the_budget(budget: float, cells: int) -> None:
    axis = time_axis(budget, cells)
    assert len(axis) <= cells
    if cells >= 10:
        assert axis.endswith(moment(budget)) and axis.startswith("0")


@given(st.floats(0, 1e5))
def test_moments_are_short(seconds: float) -> None:
    assert len(moment(seconds)) <= 6


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "0s"), (0.64, "0.6s"), (9.96, "10s"), (59.6, "1m"), (192, "3m12s"), (3599.8, "1h"),
     (3900, "1h05m")],
)  # fmt: skip
def test_moments(seconds: float, said: str) -> None:
    assert moment(seconds) == said


@given(st.text(), st.integers(0, 50))
def test_what_is_cut_fits(words: str, columns: int) -> None:
    assert width(fit(words, columns)) <= columns


@given(st.text(alphabet=st.characters(), max_size=40))
def test_what_is_printed_commands_no_terminal(words: str) -> None:
    cleaned = printable(words)
    assert all(c.isprintable() or c in "\u00a0\u3000" or ord(c) > 0x7F for c in cleaned)
    assert not re.search("[\x00-\x1f\x7f-\x9f]", cleaned)
