"""Heads in closed form: every shortcut equals the long way round."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headstart.heads.calibration import log_loss, posteriors, temperature
from headstart.heads.ensemble import Ensemble, choose
from headstart.heads.kernel import Kernel, centred, unit
from headstart.heads.lda import analytic_penalty, discriminant
from headstart.heads.means import held_out_means, nearest_means
from headstart.heads.neighbours import held_out_votes, votes
from headstart.heads.ridge import class_sums, inverse, solve
from headstart.heads.statistics import FoldStatistics
from headstart.learn.candidates import SPECS, Problem, candidates
from headstart.words.config import HEADS
from headstart.words.scoring import score

Array = NDArray[np.float64]
sizes = st.tuples(st.integers(2, 5), st.integers(3, 8), st.integers(2, 30), st.integers(0, 10**6))


def data(classes: int, each: int, dim: int, seed: int) -> tuple[Array, Array, NDArray[np.int64]]:
    """Features [n, dim], indicator and folds."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    features = rng.normal(size=(len(labels), dim)) + rng.normal(size=(classes, dim))[labels]
    return features, np.eye(classes)[labels], np.tile(np.arange(each) % 3, classes)


@settings(deadline=None, max_examples=40)
@given(sizes)
def test_leaving_a_fold_out_in_closed_form_equals_solving_without_it(size: tuple[int, int, int, int]) -> None:
    features, indicator, folds = data(*size)
    kernel, targets = centred(features @ features.T), indicator - indicator.mean(axis=0)
    fit = solve(kernel, indicator, folds, 0.7)
    for place, fold in enumerate(np.unique(folds)):
        out, kept = folds == fold, folds != fold
        dual = np.linalg.solve(kernel[np.ix_(kept, kept)] + 0.7 * np.eye(kept.sum()), targets[kept])
        np.testing.assert_allclose(fit.held_out[out], kernel[np.ix_(out, kept)] @ dual, atol=1e-7)
        means = class_sums(kernel[np.ix_(kept, kept)] @ dual, indicator[kept])
        counts = np.maximum(indicator[kept].sum(axis=0), 1)[:, None]
        np.testing.assert_allclose(fit.fold_means[place], means / counts, atol=1e-7)


@settings(deadline=None, max_examples=40)
@given(sizes)
def test_the_discriminant_from_ridge_equals_shrunk_lda(size: tuple[int, int, int, int]) -> None:
    features, indicator, folds = data(*size)
    x = features - features.mean(axis=0)
    fit = solve(centred(features @ features.T), indicator, folds, 2.0)
    turned = discriminant(fit.class_means, fit.counts)
    scores = turned((x @ x.T) @ fit.coefficients)
    means = class_sums(x, indicator) / indicator.sum(axis=0)[:, None]
    rest = x - indicator @ means
    covariance = (rest.T @ rest + 2.0 * np.eye(x.shape[1])) / len(x)
    weights = np.linalg.solve(covariance, means.T)
    direct = x @ weights - 0.5 * np.einsum("cd,dc->c", means, weights)
    np.testing.assert_allclose(scores, direct, rtol=1e-5, atol=1e-5 * np.abs(direct).max())


def test_the_analytic_penalty_is_ledoit_and_wolfs() -> None:
    features, indicator, _ = data(3, 8, 12, 5)
    rest = features - indicator @ (class_sums(features, indicator) / 8)
    n, d = rest.shape
    covariance = rest.T @ rest / n
    noise = np.mean([((np.outer(r, r) - covariance) ** 2).sum() for r in rest]) / n
    nu = np.trace(covariance) / d
    share = noise / ((covariance - nu * np.eye(d)) ** 2).sum()
    assert 0 < share < 0.999
    found = analytic_penalty(centred(features @ features.T), indicator, d)
    assert found == pytest.approx(share / (1 - share) * nu * n)


def test_class_sums_by_sorting_equal_the_product() -> None:
    features, indicator, _ = data(4, 5, 7, 1)
    shuffled = np.random.default_rng(0).permutation(len(features))
    features, indicator = features[shuffled], indicator[shuffled]
    np.testing.assert_allclose(class_sums(features, indicator), indicator.T @ features)
    many = indicator + np.roll(indicator, 1, axis=1)
    np.testing.assert_allclose(class_sums(features, many), many.T @ features)


@pytest.mark.parametrize("size", [3, 399, 401, 700])
def test_the_inverse_is_one_whatever_way_it_is_made(size: int) -> None:
    features = np.random.default_rng(size).normal(size=(size, size + 5))
    matrix = features @ features.T / size + np.eye(size)
    np.testing.assert_allclose(inverse(matrix.copy()) @ matrix, np.eye(size), atol=1e-8)


def test_nearest_means_and_neighbours_by_hand() -> None:
    x = np.array([[0.0], [1.0], [10.0], [11.0]])
    indicator, kernel = np.eye(2)[[0, 0, 1, 1]], x @ x.T
    weights, offset = nearest_means(kernel, indicator)
    scores = kernel @ weights + offset  # half the squared distance to .5 and 10.5, less x²/2
    np.testing.assert_allclose(scores[:, 0] - scores[:, 1], [(10.5**2 - 0.5**2) / 2, *(55.0 - 10 * x[1:, 0])])
    assert (held_out_means(kernel, indicator, np.array([0, 1, 0, 1])).argmax(axis=1) == [0, 0, 1, 1]).all()
    near = -np.abs(x - x.T) + 20
    np.testing.assert_allclose(votes(near, indicator, 1), indicator)
    assert (held_out_votes(near, indicator, np.arange(4), 1).argmax(axis=1) == [0, 0, 1, 1]).all()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6))
def test_the_temperature_is_where_the_log_loss_is_least(seed: int) -> None:
    rng = np.random.default_rng(seed)
    indicator = np.eye(3)[rng.integers(0, 3, 60)]
    scores = 3 * indicator + rng.normal(size=(60, 3)) * 4
    found = log_loss(scores, indicator, temperature(scores, indicator))
    best = min(log_loss(scores, indicator, t) for t in np.geomspace(0.3, 300, 300))
    assert found <= best + 1e-3


def test_posteriors_sum_to_one_and_keep_the_ranking() -> None:
    scores = np.array([[1000.0, -1000.0, 0.0], [0.0, 0.0, 1.0]])
    out = posteriors(scores, 0.5)
    np.testing.assert_allclose(out.sum(axis=1), 1, rtol=1e-6)
    assert (out.argmax(axis=1) == [0, 2]).all()
    np.testing.assert_allclose(posteriors(np.array([[0.0, 2.0]]), 1.0, "multi"), [[0.5, 0.880797]], rtol=1e-5)


def test_statistics_that_stream_equal_solving_at_once() -> None:
    features, indicator, folds = data(3, 9, 6, 2)
    stream, whole = FoldStatistics(6, 3, 3), FoldStatistics(6, 3, 3)
    for start in range(0, 27, 4):
        some = slice(start, start + 4)
        stream.add(features[some], indicator[some], folds[some])
    whole.add(features, indicator, folds)
    np.testing.assert_allclose(stream.products, whole.products)
    fit, mean = stream.solve(1.3, features, folds)
    dual = solve(centred(features @ features.T), indicator, folds, 1.3)
    np.testing.assert_allclose((features - mean) @ fit.coefficients,
                               centred(features @ features.T) @ dual.coefficients, atol=1e-8)  # fmt: skip
    kept = folds != 0
    x, y = features[kept], indicator[kept]
    z = x - x.mean(axis=0)
    direct = np.linalg.solve(z.T @ z + 1.3 * np.eye(6), z.T @ (y - y.mean(axis=0)))
    np.testing.assert_allclose(fit.held_out[~kept], (features[~kept] - x.mean(axis=0)) @ direct, atol=1e-8)


EDGES = {
    "one sample per class": (3, 1, 5),
    "two classes": (2, 6, 5),
    "two samples of each of 60 classes": (60, 2, 5),
    "more features than samples": (3, 4, 200),
    "more samples than features": (3, 40, 2),
}


@pytest.mark.parametrize("case", EDGES)
def test_every_head_keeps_the_contract(case: str) -> None:
    classes, each, dim = EDGES[case]
    features, indicator, folds = data(classes, each, dim, 3)
    block = unit(np.abs(features))
    products, norms = block @ block.T, (block**2).sum(axis=1)
    problem = Problem(("b",), products, norms, dim, indicator, np.arange(len(folds)) % 2, "single")
    found = list(candidates(problem, SPECS, HEADS))
    assert {c.member.head for c in found} == set(HEADS)
    for candidate in found:
        member, held = candidate.member, candidate.held_out
        assert held.shape == indicator.shape and np.isfinite(held).all()
        assert member.evidence == score(indicator, held)
        again = member.posteriors(products, norms, norms, "single")
        np.testing.assert_allclose(again.sum(axis=1), 1, rtol=1e-5)


def test_equal_samples_without_any_spread_break_nothing() -> None:
    block = unit(np.ones((6, 4)))
    products, norms = block @ block.T, (block**2).sum(axis=1)
    problem = Problem(("b",), products, norms, 4, np.eye(2)[[0, 1] * 3], np.arange(6) % 2, "single")
    for candidate in candidates(problem, SPECS, HEADS):
        assert np.isfinite(candidate.held_out).all()


def test_multi_label_tasks_are_solved_by_heads_that_can() -> None:
    features, indicator, folds = data(3, 12, 8, 4)
    many = np.maximum(indicator, np.roll(indicator, 5, axis=0))
    block = unit(np.abs(features))
    problem = Problem(("b",), block @ block.T, (block**2).sum(axis=1), 8, many, folds, "multi")
    found = list(candidates(problem, SPECS, HEADS))
    assert {c.member.head for c in found} == {"ridge", "neighbours"}
    assert all(((c.held_out > 0) & (c.held_out < 1)).all() for c in found)


def test_a_model_says_the_same_as_the_member_that_it_was_made_of() -> None:
    features, indicator, folds = data(3, 8, 10, 6)
    block = unit(np.abs(features))
    products, norms = block @ block.T, (block**2).sum(axis=1)
    problem = Problem(("b",), products, norms, 10, indicator, folds, "single")
    member = next(c.member for c in candidates(problem, SPECS[1:2], ("lda",)))
    ensemble = Ensemble((member,), {"b": block}, "single")
    np.testing.assert_allclose(
        ensemble({"b": block}), member.posteriors(products, norms, norms, "single"), atol=1e-6
    )
    assert ensemble({"b": block[:0]}).shape == (0, 3)


def test_no_kind_of_head_takes_more_than_its_half() -> None:
    evidence = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
    kinds = ["lda", "lda", "lda", "lda", "ridge", "means"]
    assert choose(evidence, kinds, 5) == [0, 1, 2, 4, 5]
    assert choose(evidence[:4], kinds[:4], 3) == [0, 1, 2]


def test_a_linear_kernel_is_the_inner_product_and_an_rbf_is_one_at_home() -> None:
    block = unit(np.array([[4.0, 0.0], [0.0, 9.0], [1.0, 1.0]]))
    np.testing.assert_allclose(block, [[1, 0], [0, 1], [0.5**0.5, 0.5**0.5]], rtol=1e-6)
    products, norms = block @ block.T, np.ones(3, np.float32)
    np.testing.assert_allclose(Kernel("linear")(products, norms, norms), products)
    kernel = Kernel("rbf", 1.0).fitted(products, norms)
    values = kernel(products, norms, norms)
    np.testing.assert_allclose(np.diag(values), 1, atol=1e-6)
    assert values[0, 1] == pytest.approx(np.exp(-2 / kernel.scale), rel=1e-5)
