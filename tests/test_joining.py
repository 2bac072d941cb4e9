"""A trained network joins the heads by training evidence alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.learn.joining import SHARES, joined, losses
from headstart.words.scoring import score


def some(samples: int, classes: int, skill: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Truth [n, classes], and posteriors that know so much of it."""
    rng = np.random.default_rng(seed)
    truth = np.eye(classes)[np.arange(samples) % classes]
    scores = skill * truth + rng.normal(size=(samples, classes))
    values = np.exp(scores)
    return truth, (values / values.sum(axis=1, keepdims=True)).astype(np.float32)


def test_a_network_that_knows_more_joins_with_a_large_share() -> None:
    truth, closed = some(200, 4, 0.5, 1)
    trained = some(200, 4, 6.0, 2)[1]
    found = joined(closed, trained, truth, "single")
    assert found is not None
    assert found.share >= 0.7 and found.samples == 200
    assert score(truth, found.held_out) > score(truth, closed)
    assert found.gain > found.error > 0


def test_a_network_that_knows_nothing_stays_out() -> None:
    truth, closed = some(200, 4, 3.0, 1)
    trained = some(200, 4, 0.0, 2)[1]
    assert joined(closed, trained, truth, "single") is None


def test_too_few_samples_say_nothing() -> None:
    truth, closed = some(200, 4, 0.5, 1)
    trained = some(200, 4, 6.0, 2)[1]
    trained[15:] = np.nan
    assert joined(closed, trained, truth, "single") is None


def test_where_the_network_has_not_spoken_the_heads_are_the_evidence() -> None:
    truth, closed = some(200, 4, 0.5, 1)
    trained = some(200, 4, 6.0, 2)[1]
    trained[100:] = np.nan
    found = joined(closed, trained, truth, "single")
    assert found is not None and found.samples == 100
    assert np.array_equal(found.held_out[100:], closed[100:])
    assert not np.isnan(found.held_out).any()


def test_losses_by_hand() -> None:
    single = losses(np.array([[0.5, 0.5], [0.9, 0.1]], np.float32), np.array([[1.0, 0], [0, 1]]), "single")
    assert single == pytest.approx([np.log(2), -np.log(0.1)], rel=1e-5)
    several = losses(np.array([[0.5, 0.9]], np.float32), np.array([[1.0, 0.0]]), "multi")
    assert several == pytest.approx([(np.log(2) - np.log(0.1)) / 2], rel=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(16, 80),
    st.integers(2, 6),
    st.floats(0, 5),
    st.floats(0, 5),
    st.integers(0, 1000),
    st.sampled_from(["single", "multi"]),
)
def test_what_joins_never_lowers_the_evidence(
    n: int, classes: int, ours: float, theirs: float, seed: int, labels
) -> None:
    truth, closed = some(n, classes, ours, seed)
    trained = some(n, classes, theirs, seed + 1)[1]
    found = joined(closed, trained, truth, labels)
    if found is not None:
        assert found.share in SHARES
        assert score(truth, found.held_out) >= score(truth, closed)
        assert losses(found.held_out, truth, labels).mean() < losses(closed, truth, labels).mean()
