"""Decision thresholds of multi-label tasks: the largest F1, safe for labels with few positives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from headstart.heads.thresholds import (
    best_threshold,
    held_out_thresholds,
    precision_recall,
    thresholds,
)

# Few distinct values, so that ties are common, and everything that a head may say by accident.
POSTERIORS = st.one_of(
    st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.500001, 0.9, 1.0]), st.floats(0, 1, width=32),
    st.sampled_from([np.nan, np.inf, -np.inf, 1e-30, 1 - 1e-9]),
)  # fmt: skip
SHAPES = st.tuples(st.integers(0, 30), st.integers(0, 6))


@st.composite
def tasks(draw: st.DrawFn) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    shape = draw(SHAPES)
    posteriors = draw(arrays.arrays(np.float64, shape, elements=POSTERIORS))
    return posteriors, draw(arrays.arrays(np.uint8, shape, elements=st.integers(0, 1)))


def f1(given: NDArray[np.bool_], has: NDArray[np.bool_]) -> float:
    return float(2 * (given & has).sum() / max(given.sum() + has.sum(), 1))


def world(n: int, labels: int, seed: int, off: float = 0.0) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Calibrated posteriors of labels of all frequencies, shifted by up to `off` in log odds per label."""
    rng, labelled = np.random.default_rng(seed), np.random.default_rng(99)
    base, spread = labelled.uniform(-4, -0.5, labels), labelled.uniform(0.5, 4, labels)
    logits = base + spread * rng.normal(size=(n, labels))
    targets = (rng.random((n, labels)) < 1 / (1 + np.exp(-logits))).astype(np.uint8)
    return 1 / (1 + np.exp(-logits - off * labelled.normal(size=labels))), targets


@given(tasks())
def test_thresholds_are_inside_0_and_1_and_never_nan(
    task: tuple[NDArray[np.float64], NDArray[np.uint8]],
) -> None:
    posteriors, targets = task
    found = thresholds(posteriors, targets)
    assert found.shape == (posteriors.shape[1],) and found.dtype == np.float32
    assert ((found > 0) & (found < 1)).all()
    crossed = held_out_thresholds(posteriors, targets)
    assert crossed.shape == posteriors.shape and ((crossed > 0) & (crossed < 1)).all()


@given(tasks())
def test_labels_of_none_or_all_samples_get_the_common_threshold(
    task: tuple[NDArray[np.float64], NDArray[np.uint8]],
) -> None:
    posteriors, targets = task
    found = thresholds(posteriors, targets)
    plain = np.flatnonzero((targets.sum(axis=0) == 0) | (targets.sum(axis=0) == len(targets)))
    assert len(set(found[plain].tolist())) <= 1
    if not targets.any():
        assert (found == 0.5).all()


@given(tasks())
def test_the_order_of_samples_and_of_labels_does_not_matter(
    task: tuple[NDArray[np.float64], NDArray[np.uint8]],
) -> None:
    posteriors, targets = task
    found = thresholds(posteriors, targets)
    np.testing.assert_array_equal(thresholds(posteriors[::-1], targets[::-1]), found)
    np.testing.assert_allclose(thresholds(posteriors[:, ::-1], targets[:, ::-1]), found[::-1], rtol=1e-6)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10)), min_size=1, max_size=30))
def test_the_best_threshold_gives_the_largest_f1(pairs: list[tuple[bool, int]]) -> None:
    has = np.array([True, *(pair[0] for pair in pairs)])
    posteriors = np.array([0.35, *(pair[1] / 10 for pair in pairs)])
    found = f1(posteriors >= best_threshold(posteriors, has), has)
    assert found == pytest.approx(max(f1(posteriors >= t, has) for t in posteriors))


def test_equal_posteriors_fall_on_one_side() -> None:
    posteriors = np.full((6, 2), 0.4)
    targets = np.array([[1, 0]] * 3 + [[0, 0]] * 3, np.uint8)
    found = thresholds(posteriors, targets)
    assert (found < 0.4).all() and (found > 0.1).all()


def test_of_equally_good_thresholds_the_highest_is_taken() -> None:
    posteriors, has = np.array([0.9, 0.6, 0.3, 0.1]), np.array([True, False, False, True])
    assert f1(posteriors >= 0.05, has) == f1(posteriors >= 0.8, has) == pytest.approx(2 / 3)
    assert best_threshold(posteriors, has) == pytest.approx(0.75)


def test_many_positives_are_heard_and_few_are_not() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random((2000, 3)) < [0.3, 0.3, 0.001]).astype(np.uint8)
    targets[:, 2] = 0
    targets[0, 2] = 1
    # The label's own best thresholds: about .2, about .6, and .95 by the word of a single sample.
    high = np.array([0.3, 0.9, 0.96])
    low = np.array([0.1, 0.3, 0.3])
    posteriors = np.where(targets, high, low) + rng.uniform(-0.02, 0.02, targets.shape)
    found = thresholds(posteriors, targets)
    assert found[0] == pytest.approx(0.2, abs=0.05) and found[1] == pytest.approx(0.6, abs=0.05)
    posteriors[0, 2] = 0.999
    posteriors[1:, 2] = rng.uniform(0, 0.99, 1999)
    own = best_threshold(posteriors[:, 2], targets[:, 2].astype(bool))
    common = thresholds(posteriors, np.where([True, True, False], targets, 0).astype(np.uint8))[2]
    assert own > 0.98 and abs(thresholds(posteriors, targets)[2] - common) < 0.3


def test_calibrated_posteriors_get_half_of_the_largest_f1() -> None:
    posteriors, targets = world(60_000, 4, seed=1)
    found = thresholds(posteriors, targets)
    best = precision_recall(posteriors, targets, found).f1
    np.testing.assert_allclose(found, best / 2, atol=0.06)


@pytest.mark.parametrize("off", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("n", [60, 300])
def test_new_samples_are_labelled_better_than_with_one_half_or_each_labels_own(n: int, off: float) -> None:
    ours, half, own = [], [], []
    new, truth = world(6000, 12, seed=1000, off=off)
    for seed in range(6):
        posteriors, targets = world(n, 12, seed, off)
        found = thresholds(posteriors, targets)
        has = targets.astype(bool)
        single = [best_threshold(posteriors[:, k], has[:, k]) if has[:, k].any() else 0.5 for k in range(12)]
        for kind, used in ((ours, found), (half, np.full(12, 0.5)), (own, np.array(single))):
            kind.append((f1(new >= used, truth == 1), np.nanmean(precision_recall(new, truth, used).f1)))
    ours_, half_, own_ = (np.mean(kind, axis=0) for kind in (ours, half, own))
    assert ours_[1] > half_[1] + 0.02, "mean F1 against .5 for all"
    assert ours_[0] > own_[0], "micro-F1 against each label's own"
    assert ours_[1] > own_[1] - 0.015, "mean F1 against each label's own"


def test_held_out_thresholds_do_not_flatter() -> None:
    rng = np.random.default_rng(3)
    posteriors, targets = rng.random((80, 40)), (rng.random((80, 40)) < 0.1).astype(np.uint8)
    inside = np.nanmean(precision_recall(posteriors, targets, thresholds(posteriors, targets)).f1)
    outside = np.nanmean(precision_recall(posteriors, targets, held_out_thresholds(posteriors, targets)).f1)
    assert outside < inside


def test_precision_recall_and_f1_of_labels_with_and_without_samples() -> None:
    posteriors = np.array([[0.9, 0.1, 0.6], [0.8, 0.2, 0.1], [0.1, 0.3, 0.2]], np.float16)
    targets = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 0]], np.uint8)
    found = precision_recall(posteriors, targets, np.array([0.5, 0.5, 0.5], np.float32))
    np.testing.assert_array_equal(found.support, [2, 1, 0])
    np.testing.assert_allclose(found.precision, [0.5, np.nan, 0.0])
    np.testing.assert_allclose(found.recall, [0.5, 0.0, np.nan])
    np.testing.assert_allclose(found.f1, [0.5, 0.0, np.nan])


def test_at_the_threshold_a_label_is_given() -> None:
    found = precision_recall(np.array([[0.5]], np.float32), np.array([[1]], np.uint8), np.array([0.5]))
    assert found.recall[0] == 1.0


@pytest.mark.parametrize("shape", [(3,), (3, 1), (2, 2), (3, 2, 1)])
def test_shapes_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"posteriors \(3, 2\) and targets"):
        thresholds(np.zeros((3, 2)), np.zeros(shape, np.uint8))
