"""Every beginning of the order is balanced."""

from __future__ import annotations

import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from headstart.data.order import balanced, balanced_multi

LABELS = st.lists(st.integers(0, 5), max_size=60)


@given(LABELS, st.integers(0, 2**32))
def test_every_sample_comes_once_and_every_beginning_is_balanced(labels: list[int], seed: int) -> None:
    targets = np.array(labels, np.int32)
    order = balanced(targets, 6, seed)
    assert order.dtype == np.int64 and sorted(order.tolist()) == list(range(len(labels)))
    total = np.bincount(targets, minlength=6)
    seen = np.zeros(6, int)
    for sample in order:
        seen[targets[sample]] += 1
        left = seen < total
        assert not left.any() or seen.max() - seen[left].min() <= 1


@given(LABELS, st.integers(0, 2**32))
def test_single_labels_as_indicators_are_as_balanced(labels: list[int], seed: int) -> None:
    targets = np.array(labels, np.int64)
    order = balanced_multi(np.eye(6, dtype=np.uint8)[targets], seed)
    assert sorted(order.tolist()) == list(range(len(labels)))
    total = np.bincount(targets, minlength=6)
    seen = np.zeros(6, int)
    for sample in order:
        seen[targets[sample]] += 1
        left = seen < total
        assert not left.any() or seen.max() - seen[left].min() <= 1


def many(samples: int, labels: int, seed: int = 0) -> NDArray[np.uint8]:
    """Labels from common (one sample in two) to rare (one in 200); some samples have none."""
    rng = np.random.default_rng(seed)
    return (rng.random((samples, labels)) < np.geomspace(0.5, 0.005, labels)).astype(np.uint8)


@given(st.integers(0, 80), st.integers(1, 8), st.integers(0, 2**32))
def test_several_labels_come_once_each_and_early(samples: int, labels: int, seed: int) -> None:
    indicator = many(samples, labels, seed)
    order = balanced_multi(indicator, seed)
    assert sorted(order.tolist()) == list(range(samples))
    first = indicator[order[: labels + 1]].any(0)
    assert (first == indicator.any(0)).all()


def test_rare_labels_are_seen_far_more_often_than_in_a_random_order() -> None:
    indicator = many(5000, 20)
    start = indicator[balanced_multi(indicator, 1)[:200]].sum(0)
    assert start.min() >= 8  # a random order has 1 to 2 of the rarest
    assert (1 - indicator[balanced_multi(indicator, 1)[:200]].any(1)).sum() > 0


def test_the_seed_decides() -> None:
    targets = np.arange(200, dtype=np.int32) % 7
    assert (balanced(targets, 7, 3) == balanced(targets, 7, 3)).all()
    assert (balanced(targets, 7, 3) != balanced(targets, 7, 4)).any()
    indicator = many(200, 5)
    assert (balanced_multi(indicator, 3) == balanced_multi(indicator, 3)).all()
    assert (balanced_multi(indicator, 3) != balanced_multi(indicator, 4)).any()


def test_classes_without_samples_and_no_samples_at_all() -> None:
    assert balanced(np.array([4, 4, 1], np.int32), 9, 0).shape == (3,)
    assert balanced(np.array([], np.int32), 3, 0).shape == (0,)
    assert balanced_multi(np.zeros((0, 4), np.uint8), 0).shape == (0,)
    assert sorted(balanced_multi(np.zeros((3, 4), np.uint8), 0).tolist()) == [0, 1, 2]


def test_a_million_samples_are_ordered_in_a_second() -> None:
    targets = np.random.default_rng(0).integers(0, 1000, 1_000_000).astype(np.int32)
    start = time.process_time()
    balanced(targets, 1000, 0)
    assert time.process_time() - start < 1
    indicator = many(100_000, 20)
    start = time.process_time()
    balanced_multi(indicator, 0)
    assert time.process_time() - start < 2
