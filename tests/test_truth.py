"""Targets as indicators: the same numbers whichever way they are held."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headstart.learn.truth import Truth


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.data())
def test_class_numbers_and_their_indicator_say_the_same(labels: list[int], data: st.DataObject) -> None:
    numbers = np.array(labels, np.int32)
    whole = np.eye(6, dtype=np.uint8)[numbers]
    one, two = Truth(numbers, 6), Truth(whole, 6)
    rows = np.array(data.draw(st.lists(st.integers(0, len(labels) - 1))), np.int64)
    first = data.draw(st.integers(0, len(labels)))
    for truth in (one, two):
        assert len(truth) == len(labels) and truth[rows].dtype == np.float64
        assert np.array_equal(truth[rows], whole[rows]) and np.array_equal(truth[:first], whole[:first])
        assert np.array_equal(truth.take(rows)[:], whole[rows])
        assert np.array_equal(truth.counts(first), whole[:first].sum(axis=0))
        assert truth.counts().sum() == len(labels)
