"""From scores to posteriors: a temperature, found on held-out scores.

AUC per class compares different samples' scores, so the normalisation over classes matters even where
it changes no sample's ranking.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headstart.heads.ridge import Array
from headstart.words.task import LabelKind

_STEPS = 12
_FEW_STEPS = 6  # within a sixteenth of what is searched
_GOLDEN = (np.sqrt(5.0) - 1) / 2
_TINY = 1e-9
_ENOUGH = 60_000  # posteriors that the search looks at; more change the temperature by less than its noise


def posteriors(scores: Array, temperature: float, labels: LabelKind = "single") -> NDArray[np.float32]:
    """Softmax (single-label) or logistic function per label (multi-label) of scores / temperature.

    scores: [n, classes]; for multi-label tasks a score of 0 means even odds. Returns float32 [n, classes].
    """
    scaled = np.asarray(scores, np.float64) / temperature
    if labels == "multi":
        return (1.0 / (1.0 + np.exp(-np.clip(scaled, -30, 30)))).astype(np.float32)
    scaled -= scaled.max(axis=1, keepdims=True)
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=1, keepdims=True)
    return scaled.astype(np.float32)


def log_loss(scores: Array, indicator: Array, temperature: float, labels: LabelKind = "single") -> float:
    """Mean negative log posterior of the truth, in nats per sample (per label for multi-label tasks)."""
    estimate = np.clip(posteriors(scores, temperature, labels), _TINY, 1 - 1e-7)
    if labels == "multi":
        return float(-np.mean(indicator * np.log(estimate) + (1 - indicator) * np.log(1 - estimate)))
    return float(-np.mean(np.log((estimate * indicator).sum(axis=1))))


def temperature(scores: Array, indicator: Array, labels: LabelKind = "single") -> float:
    """The temperature with the least log loss on held-out scores, by golden section on its logarithm.

    Searches four decades around the scores' own spread.
    """
    step = 1 + scores.size // _ENOUGH
    scores, indicator = scores[::step], indicator[::step]
    spread = float(np.median(scores.max(axis=1) - np.median(scores, axis=1))) or 1.0
    return _least(scores, indicator, labels, abs(spread) * 1e-2, abs(spread) * 1e2, _STEPS)


def _least(
    scores: Array, indicator: Array, labels: LabelKind, lowest: float, highest: float, steps: int
) -> float:
    low, high = np.log(lowest), np.log(highest)

    def loss(x: float) -> float:
        return log_loss(scores, indicator, float(np.exp(x)), labels)

    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(steps):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = loss(right)
    return float(np.exp((low + high) / 2))


def sharpened(
    given: NDArray[np.float32], temperature: float, labels: LabelKind = "single"
) -> NDArray[np.float32]:
    """Posteriors at another temperature, float32 [n, classes]: their logarithms (log odds) divided by it."""
    if temperature == 1.0:
        return given
    return posteriors(_scores(given, labels), temperature, labels)


def final_temperature(given: NDArray[np.float32], indicator: Array, labels: LabelKind = "single") -> float:
    """The temperature at which held-out posteriors of an average have the least log loss, between 1/4 and 4."""
    step = 1 + 3 * given.size // _ENOUGH
    return _least(_scores(given[::step], labels), indicator[::step], labels, 0.25, 4.0, _FEW_STEPS)


def _scores(given: NDArray[np.float32], labels: LabelKind) -> Array:
    wide = np.clip(given.astype(np.float64), _TINY, 1 - 1e-7)
    return np.log(wide) - np.log1p(-wide) if labels == "multi" else np.log(wide)
