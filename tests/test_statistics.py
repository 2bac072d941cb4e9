"""Streamed statistics give what solving everything at once gives, in whatever pieces the samples came."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headstart.heads.ridge import class_averages
from headstart.heads.statistics import FoldStatistics

Array = NDArray[np.float64]
FOLDS = 3


def data(samples: int, dim: int, classes: int, seed: int) -> tuple[Array, Array, NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    indicator = np.eye(classes)[rng.integers(0, classes, samples)]
    folds = rng.permutation(np.arange(samples) % FOLDS)
    return rng.normal(size=(samples, dim)) + indicator @ rng.normal(size=(classes, dim)), indicator, folds


def explicit(x: Array, indicator: Array, penalty: float) -> tuple[Array, Array]:
    """Ridge coefficients [d, classes] and the mean [d] that they refer to."""
    mean = x.mean(axis=0)
    z = x - mean
    scatter = z.T @ z + penalty * np.eye(x.shape[1])
    return np.linalg.solve(scatter, z.T @ (indicator - indicator.mean(axis=0))), mean


@settings(deadline=None, max_examples=30)
@given(
    samples=st.integers(6, 60),
    dim=st.integers(1, 20),
    classes=st.integers(2, 5),
    pieces=st.integers(1, 12),
    penalty=st.floats(0.1, 100),
    seed=st.integers(0, 10**6),
)
def test_every_fold_is_left_out_as_if_solved_without_it(
    samples: int, dim: int, classes: int, pieces: int, penalty: float, seed: int
) -> None:
    features, indicator, folds = data(samples, dim, classes, seed)
    statistics = FoldStatistics(dim, classes, FOLDS)
    for some in np.array_split(np.arange(samples), pieces):
        statistics.add(features[some], indicator[some], folds[some])
    fit, mean = statistics.solve(penalty, features, folds)
    coefficients, middle = explicit(features, indicator, penalty)
    np.testing.assert_allclose(fit.coefficients, coefficients, atol=1e-8)
    np.testing.assert_allclose(mean, middle, atol=1e-10)
    means, counts = class_averages((features - middle) @ coefficients, indicator)
    np.testing.assert_allclose(fit.class_means, means, atol=1e-8)
    np.testing.assert_array_equal(fit.counts, counts)
    for place, fold in enumerate(range(FOLDS)):
        kept = folds != fold
        coefficients, middle = explicit(features[kept], indicator[kept], penalty)
        scores = (features - middle) @ coefficients
        np.testing.assert_allclose(fit.held_out[~kept], scores[~kept], atol=1e-8)
        means, _ = class_averages(scores[kept], indicator[kept])
        np.testing.assert_allclose(fit.fold_means[place], means, atol=1e-8)


@settings(deadline=None, max_examples=20)
@given(st.integers(6, 2000), st.integers(1, 8), st.integers(0, 10**6))
def test_pieces_add_up_to_the_whole(samples: int, pieces: int, seed: int) -> None:
    features, indicator, folds = data(samples, 4, 3, seed)
    piecewise, whole = FoldStatistics(4, 3, FOLDS), FoldStatistics(4, 3, FOLDS)
    for some in np.array_split(np.arange(samples), pieces):
        piecewise.add(features[some].astype(np.float32), indicator[some], folds[some])
    whole.add(features.astype(np.float32), indicator, folds)
    for name in ("samples", "counts", "sums", "products", "by_class"):
        np.testing.assert_allclose(getattr(piecewise, name), getattr(whole, name), rtol=1e-9, atol=1e-9)


def test_the_spread_within_classes_is_that_of_the_residuals() -> None:
    features, indicator, folds = data(80, 6, 4, 0)
    statistics = FoldStatistics(6, 4, FOLDS)
    statistics.add(features, indicator, folds)
    rest = features - indicator @ class_averages(features, indicator)[0]
    covariance = rest.T @ rest / 80
    trace, squared = statistics.within()
    np.testing.assert_allclose([trace, squared], [np.trace(covariance), (covariance**2).sum()])


def test_only_some_samples_need_to_be_kept_for_the_evidence() -> None:
    features, indicator, folds = data(90, 5, 3, 1)
    statistics = FoldStatistics(5, 3, FOLDS)
    statistics.add(features, indicator, folds)
    all_of_them, _ = statistics.solve(1.0, features, folds)
    first, _ = statistics.solve(1.0, features[:20], folds[:20])
    np.testing.assert_allclose(first.held_out, all_of_them.held_out[:20])


def test_a_class_that_has_no_sample_yet_has_a_mean_of_nought() -> None:
    features, indicator, folds = data(30, 5, 3, 2)
    wider = np.column_stack([indicator, np.zeros(30)])
    statistics = FoldStatistics(5, 4, FOLDS)
    statistics.add(features, wider, folds)
    fit, _ = statistics.solve(1.0, features, folds)
    assert np.isfinite(fit.held_out).all() and (fit.class_means[3] == 0).all() and fit.counts[3] == 0


@pytest.mark.parametrize("classes", [5, 150])
def test_sums_by_class_are_those_of_the_product(classes: int) -> None:
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(60, 7)), rng.integers(0, classes, 60)
    statistics = FoldStatistics(7, classes, 3)
    statistics.add(features, np.eye(classes)[labels], np.arange(60) % 3)
    for fold in range(3):
        rows = np.arange(60) % 3 == fold
        np.testing.assert_allclose(
            statistics.by_class[fold], features[rows].T @ np.eye(classes)[labels[rows]], atol=1e-9
        )


def test_class_means_can_be_left_out() -> None:
    rng = np.random.default_rng(0)
    features, indicator, folds = (
        rng.normal(size=(30, 4)),
        np.eye(3)[np.arange(30) % 3],
        np.arange(30) // 3 % 3,
    )
    statistics = FoldStatistics(4, 3, 3)
    statistics.add(features, indicator, folds)
    whole, _ = statistics.solve(1.0, features, folds)
    bare, _ = statistics.solve(1.0, features, folds, by_class=False)
    np.testing.assert_array_equal(whole.held_out, bare.held_out)
    assert bare.class_means.size == 0 and whole.class_means.shape == (3, 3)
