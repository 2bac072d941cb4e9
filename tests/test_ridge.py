"""Ridge regression in closed form on what real runs bring: ragged folds, many classes, samples that are equal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headstart.heads.kernel import centred
from headstart.heads.ridge import class_averages, class_sums, solve

Array = NDArray[np.float64]


def without(kernel: Array, targets: Array, kept: NDArray[np.bool_], penalty: float) -> Array:
    """Fitted scores of all samples by a solve of the kept ones: the long way round."""
    own = kernel[np.ix_(kept, kept)] + penalty * np.eye(int(kept.sum()))
    return kernel[:, kept] @ np.linalg.solve(own, targets[kept])


@settings(deadline=None, max_examples=40)
@given(
    samples=st.integers(4, 40),
    classes=st.integers(2, 6),
    dim=st.integers(1, 60),
    folds=st.integers(2, 6),
    penalty=st.floats(1e-3, 1e3),
    several=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_any_folds_are_left_out_as_if_solved_without_them(
    samples: int, classes: int, dim: int, folds: int, penalty: float, several: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(samples, dim))
    kernel = centred(features @ features.T)
    indicator = np.eye(classes)[rng.integers(0, classes, samples)]
    if several:
        indicator = np.maximum(indicator, rng.integers(0, 2, indicator.shape))
    parts = rng.integers(0, folds, samples)
    parts[0], parts[1] = 0, 1
    fit = solve(kernel, indicator, parts, penalty)
    targets = indicator - indicator.mean(axis=0)
    size = 1e-8 * max(1.0, 1 / penalty)
    for place, fold in enumerate(np.unique(parts)):
        kept = parts != fold
        long = without(kernel, targets, kept, penalty)
        np.testing.assert_allclose(fit.held_out[~kept], long[~kept], atol=size)
        means, counts = class_averages(long[kept], indicator[kept])
        np.testing.assert_allclose(fit.fold_means[place], means, atol=size)
        np.testing.assert_array_equal(fit.fold_counts[place], counts)
    full = without(kernel, targets, np.ones(samples, bool), penalty)
    np.testing.assert_allclose(kernel @ fit.coefficients, full, atol=size)
    np.testing.assert_allclose(fit.class_means, class_averages(full, indicator)[0], atol=size)


def test_large_problems_take_the_faster_inverse_to_the_same_result() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(450, 30))
    kernel, indicator = centred(features @ features.T), np.eye(4)[rng.integers(0, 4, 450)]
    parts = np.arange(450) % 5
    fit = solve(kernel, indicator, parts, 3.0)
    long = without(kernel, indicator - indicator.mean(axis=0), parts != 2, 3.0)
    np.testing.assert_allclose(fit.held_out[parts == 2], long[parts == 2], atol=1e-8)


@pytest.mark.parametrize("samples", [6, 500])
def test_samples_that_are_all_equal_are_solved_and_say_nothing(samples: int) -> None:
    indicator = np.eye(2)[np.arange(samples) % 2]
    fit = solve(np.zeros((samples, samples)), indicator, np.arange(samples) % 3, 0.0)
    np.testing.assert_allclose(fit.held_out, 0, atol=1e-6)


def test_the_kernel_that_is_given_is_not_changed() -> None:
    kernel = centred(np.diag(np.arange(1.0, 451.0)))
    before = kernel.copy()
    solve(kernel, np.eye(2)[np.arange(450) % 2], np.arange(450) % 3, 1.0)
    np.testing.assert_array_equal(kernel, before)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 30), st.integers(1, 8), st.integers(1, 5), st.integers(0, 10**6))
def test_class_sums_equal_the_product_also_for_absent_classes(
    samples: int, classes: int, width: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    indicator = np.eye(classes)[rng.integers(0, classes, samples)]
    scores = rng.normal(size=(samples, width))
    np.testing.assert_allclose(class_sums(scores, indicator), indicator.T @ scores, atol=1e-12)
    means, counts = class_averages(scores, indicator)
    assert np.isfinite(means).all() and (means[counts == 0] == 0).all()
