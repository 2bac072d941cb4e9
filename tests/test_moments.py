"""Moments of a batch of features, against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.meta.moments import MOMENTS, moments, trimmed

COLUMN = np.array([[4.0], [1.0], [0.0], [3.0], [2.0]], np.float32)  # 0 to 4 in some order


def of(name: str, rows: np.ndarray, trim: float = 0.0) -> float:
    return float(moments(rows, [name], trim)[0])


def test_by_hand_on_zero_to_four() -> None:
    sd = math.sqrt(2.5)  # unbiased: 10 / 4
    z = [value / (sd + 0.1) for value in (-2, -1, 0, 1, 2)]
    assert of("mean", COLUMN) == 2
    assert of("median", COLUMN) == 2
    assert of("variance", COLUMN) == pytest.approx(2.5)
    assert of("sd", COLUMN) == pytest.approx(sd)
    assert of("skewness", COLUMN) == pytest.approx(0, abs=1e-6)
    assert of("kurtosis", COLUMN) == pytest.approx(sum(value**4 for value in z) / 5, rel=1e-5)


def test_skewness_by_hand_and_its_sign() -> None:
    rows = np.array([[0.0], [0.0], [3.0]], np.float32)  # mean 1, variance 3
    scale = math.sqrt(3) + 0.1
    assert of("skewness", rows) == pytest.approx(((-1) ** 3 + (-1) ** 3 + 2**3) / scale**3 / 3, rel=1e-5)
    assert of("skewness", -rows) == pytest.approx(-of("skewness", rows), rel=1e-5)


def test_an_even_batch_has_the_mean_of_the_middle_two_as_median() -> None:
    assert of("median", np.array([[1.0], [9.0], [2.0], [4.0]], np.float32)) == 3


def test_trimming_takes_as_many_rows_from_each_end() -> None:
    ten = np.arange(10, dtype=np.float32)[::-1, None]
    assert trimmed(ten, 0.0).ravel().tolist() == list(range(10))
    assert trimmed(ten, 0.2).ravel().tolist() == [2, 3, 4, 5, 6, 7]
    assert trimmed(ten, 0.25).ravel().tolist() == [2, 3, 4, 5, 6, 7]
    assert trimmed(ten, 0.4).ravel().tolist() == [4, 5]
    hundred = np.arange(100, dtype=np.float32)[:, None]
    assert len(trimmed(hundred, 0.29)) == 42  # .29 * 100 is a little less than 29 in binary


def test_an_outlier_is_trimmed_column_by_column() -> None:
    rows = np.array([[0, 1000], [1, 1], [2, 2], [3, 3], [4, 4], [-1000, 5]], np.float32)
    assert moments(rows, ["mean"], trim=0.2).tolist() == [1.5, 3.5]


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_two_rows_always_stay(count: int) -> None:
    rows = np.arange(count, dtype=np.float32)[:, None]
    assert len(trimmed(rows, 0.49)) == (2 if count % 2 == 0 else 3)


def test_a_single_sample_has_no_spread() -> None:
    row = np.array([[0.5, 2.0]], np.float32)
    assert moments(row, trim=0.4).tolist() == [0.5, 2.0, 0.5, 2.0] + [0.0] * 8


def test_the_order_is_that_of_moments_and_blocks_follow_each_other() -> None:
    rows = np.random.default_rng(0).random((7, 3), np.float32)
    whole = moments(rows)
    assert whole.shape == (18,) and whole.dtype == np.float32
    some = moments(rows, ["kurtosis", "mean"])
    assert np.array_equal(some, np.concatenate([whole[:3], whole[15:]]))


@given(st.integers(1, 40), st.integers(1, 4), st.integers(0, 1000), st.floats(0, 0.49))
def test_every_one_is_what_it_is_in_any_company_and_order(b: int, f: int, seed: int, trim: float) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.random((b, f), np.float32)
    whole = moments(rows, trim=trim).reshape(len(MOMENTS), f)
    assert np.isfinite(whole).all()
    assert (whole[2] >= 0).all() and np.allclose(whole[3], whole[2] ** 2, atol=1e-6)
    for place, name in enumerate(MOMENTS):
        assert np.allclose(moments(rows[rng.permutation(b)], [name], trim), whole[place], atol=1e-5)


@pytest.mark.parametrize(
    ("rows", "which", "trim", "match"),
    [
        (np.zeros((0, 3), np.float32), ("mean",), 0.0, "b of 1 or more"),
        (np.zeros(3, np.float32), ("mean",), 0.0, "b of 1 or more"),
        (COLUMN, ("mode",), 0.0, "not \\['mode'\\]"),
        (COLUMN, (), 0.0, "moments are some of"),
        (COLUMN, ("mean",), 0.5, "below .5"),
        (COLUMN, ("mean",), -0.1, "below .5"),
    ],
)
def test_what_cannot_be_is_refused(rows: np.ndarray, which: tuple[str, ...], trim: float, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        moments(rows, which, trim)
