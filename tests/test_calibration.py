"""Temperatures are the best ones, and posteriors stay posteriors whatever the scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.heads.calibration import log_loss, posteriors, temperature
from headstart.words.task import LabelKind


@pytest.mark.parametrize("labels", ["single", "multi"])
@settings(deadline=None, max_examples=25)
@given(scale=st.floats(1e-3, 1e3), noise=st.floats(0.3, 2), seed=st.integers(0, 10**6))
def test_no_temperature_of_a_fine_grid_has_less_log_loss(
    labels: LabelKind, scale: float, noise: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    indicator = np.eye(4)[rng.integers(0, 4, 80)]
    scores = scale * (indicator - 0.5 + noise * rng.normal(size=indicator.shape))
    found = log_loss(scores, indicator, temperature(scores, indicator, labels), labels)
    grid = scale * np.geomspace(0.02, 20, 400)
    assert found <= min(log_loss(scores, indicator, float(t), labels) for t in grid) + 2e-3


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 20), st.integers(2, 300), st.floats(1e-6, 1e6), st.integers(0, 10**6))
def test_posteriors_sum_to_one_and_no_sample_changes_its_order(
    samples: int, classes: int, spread: float, seed: int
) -> None:
    scores = spread * np.random.default_rng(seed).normal(size=(samples, classes))
    found = posteriors(scores, spread / 3)
    assert found.dtype == np.float32 and found.shape == scores.shape
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(found.argmax(axis=1), scores.argmax(axis=1))


@pytest.mark.parametrize("labels", ["single", "multi"])
@pytest.mark.parametrize("scores", [np.zeros((6, 3)), np.full((6, 3), -1e4), np.full((6, 3), 1e-300)])
def test_scores_that_say_nothing_get_a_finite_temperature(scores: np.ndarray, labels: LabelKind) -> None:
    indicator = np.eye(3)[[0, 1, 2] * 2]
    found = temperature(scores, indicator, labels)
    assert np.isfinite(found) and found > 0
    assert np.isfinite(posteriors(scores, found, labels)).all()


def test_a_class_that_no_score_knows_does_not_spoil_the_others() -> None:
    rng = np.random.default_rng(0)
    indicator = np.eye(4)[rng.integers(0, 3, 60)]
    scores = 2 * indicator + rng.normal(size=(60, 4))
    with_absent = scores.copy()
    with_absent[:, 3] = -1e4
    heat = temperature(with_absent, indicator)
    assert 0.05 < heat < 20
    found = posteriors(with_absent, heat)
    assert (found[:, 3] == 0).all() and (found.max(axis=1) < 1).all()


def test_many_samples_are_thinned_and_change_the_temperature_little() -> None:
    rng = np.random.default_rng(1)
    indicator = np.eye(100)[rng.integers(0, 100, 3000)]
    scores = 4 * indicator + rng.normal(size=indicator.shape)
    exact = min(np.geomspace(0.2, 5, 60), key=lambda t: log_loss(scores, indicator, float(t)))
    assert temperature(scores, indicator) == pytest.approx(exact, rel=0.15)
