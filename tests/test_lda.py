"""The discriminant from a ridge regression is shrunk LDA, also where a class is absent."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headstart.heads.kernel import centred
from headstart.heads.lda import analytic_penalty, discriminant, ledoit_wolf
from headstart.heads.ridge import class_averages, solve
from headstart.learn.candidates import held_out_discriminant

Array = NDArray[np.float64]


def shrunk(x: Array, indicator: Array, penalty: float) -> tuple[Array, Array]:
    """Weights [d, classes] and offset [classes] of W = n (S_w + lambda I)^-1 M', straight from its definition."""
    means, _ = class_averages(x, indicator)
    rest = x - indicator @ means
    scatter = rest.T @ rest + penalty * np.eye(x.shape[1])
    weights = len(x) * np.linalg.solve(scatter, means.T)
    return weights, -0.5 * np.einsum("cd,dc->c", means, weights)


@settings(deadline=None, max_examples=40)
@given(
    counts=st.lists(st.integers(1, 12), min_size=2, max_size=6),
    dim=st.integers(1, 40),
    penalty=st.floats(0.05, 100),
    seed=st.integers(0, 10**6),
)
def test_classes_of_any_sizes_give_shrunk_lda(counts: list[int], dim: int, penalty: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    features = rng.normal(size=(len(labels), dim)) + 2 * rng.normal(size=(len(counts), dim))[labels]
    indicator, x = np.eye(len(counts))[labels], features - features.mean(axis=0)
    fit = solve(centred(features @ features.T), indicator, np.arange(len(labels)) % 2, penalty)
    found = discriminant(fit.class_means, fit.counts)(x @ x.T @ fit.coefficients)
    weights, offset = shrunk(x, indicator, penalty)
    direct = x @ weights + offset
    np.testing.assert_allclose(found, direct, rtol=1e-4, atol=1e-5 * max(1.0, np.abs(direct).max()))


def test_a_class_without_samples_never_comes_first_and_stays_finite() -> None:
    rng = np.random.default_rng(1)
    indicator = np.eye(4)[rng.choice([0, 1, 3], 30)]
    features = rng.normal(size=(30, 6)) + indicator @ rng.normal(size=(4, 6))
    fit = solve(centred(features @ features.T), indicator, np.arange(30) % 3, 1.0)
    scores = discriminant(fit.class_means, fit.counts)(fit.held_out)
    assert np.isfinite(scores).all() and (scores.argmax(axis=1) != 2).all()


def test_a_class_that_is_in_one_fold_alone_is_not_guessed_for_that_fold() -> None:
    rng = np.random.default_rng(2)
    labels, folds = np.repeat([0, 1, 2], 8), np.tile(np.arange(4), 6)
    folds[labels == 2] = 1
    indicator = np.eye(3)[labels]
    features = rng.normal(size=(24, 10)) + 3 * indicator @ rng.normal(size=(3, 10))
    fit = solve(centred(features @ features.T), indicator, folds, 1.0)
    scores = held_out_discriminant(fit, folds)
    assert np.isfinite(scores).all()
    assert (scores[folds == 1].argmax(axis=1) != 2).all()


def test_what_is_held_out_agrees_with_lda_solved_without_the_fold() -> None:
    rng = np.random.default_rng(3)
    labels, folds = np.tile(np.arange(4), 30), np.repeat(np.arange(5), 24)
    indicator = np.eye(4)[labels]
    features = rng.normal(size=(120, 12)) + 1.5 * rng.normal(size=(4, 12))[labels]
    fit = solve(centred(features @ features.T), indicator, folds, 5.0)
    scores, x = held_out_discriminant(fit, folds), features - features.mean(axis=0)
    for fold in range(5):
        out = folds == fold
        weights, offset = shrunk(x[~out], indicator[~out], 5.0)
        np.testing.assert_allclose(scores[out], x[out] @ weights + offset, atol=0.02 * np.abs(scores).max())


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 5), st.integers(2, 10), st.integers(2, 60), st.integers(0, 10**6))
def test_the_analytic_penalty_is_that_of_explicit_residuals(
    classes: int, each: int, dim: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    features = rng.normal(size=(len(labels), dim)) * rng.uniform(0.1, 2, dim)
    indicator = np.eye(classes)[labels]
    rest = features - indicator @ class_averages(features, indicator)[0]
    n = len(rest)
    covariance = rest.T @ rest / n
    noise = float(np.mean([((np.outer(r, r) - covariance) ** 2).sum() for r in rest])) / n
    scale = float(np.trace(covariance)) / dim
    distance = float(((covariance - scale * np.eye(dim)) ** 2).sum())
    share = min(max(noise / distance, 1e-4), 0.999)
    found = analytic_penalty(centred(features @ features.T), indicator, dim)
    np.testing.assert_allclose(found, share / (1 - share) * scale * n, rtol=1e-5)


def test_residuals_without_any_length_ask_for_a_finite_penalty() -> None:
    assert np.isfinite(ledoit_wolf(0.0, 0.0, 0.0, 10, 5))
    kernel = centred(np.kron(np.eye(2), np.ones((3, 3))))  # every sample equals its class mean
    assert 0 <= analytic_penalty(kernel, np.eye(2)[[0, 0, 0, 1, 1, 1]], 2) < 1e-3
