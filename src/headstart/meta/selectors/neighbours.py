"""Soft neighbours: every prior speaks as loudly as it is alike, and all together speak for the average.

With w the weights of the priors by similarity and u those of the plain mean over sources, the expected gain of a
configuration is its mean gain under (1 - shrink) w + shrink u. One bad neighbour cannot decide alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.meta.performance import Table
from headstart.meta.selectors.contract import (
    Choice,
    Forecast,
    Situation,
    Vector,
    eligible,
    gains,
    ranked,
)

WIDTHS = (0.05, 0.1, 0.2, 0.4, 0.8)
SHRINKS = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class SoftNeighbours:
    """Kernel-weighted priors, shrunk to the mean.

    width, shrink: of the kernel (in medians of the distance to the nearest) and to the mean. Where the situation
    has similarities among the priors both are chosen by leaving out one source of them at a time.
    """

    width: float = 0.2
    shrink: float = 0.5
    name: str = "soft neighbours"
    needs: tuple[str, ...] = ("likeness",)

    def choose(self, situation: Situation) -> Choice:
        expected = self.forecast(situation)
        return ranked(situation.performance, expected.gain, expected.because)

    def forecast(self, situation: Situation) -> Forecast:
        """What it expects of each configuration; see `Forecast`."""
        table = situation.performance
        gain, plain = gains(table), table.weights()
        likeness = np.array([situation.similarities.get(name, -np.inf) for name in table.priors])
        if not np.isfinite(likeness).any():
            past = np.tile(plain @ gain, (len(gain), 1))
            return _forecast(gain, plain, plain, past, "is best on average: no prior could be compared")
        width, shrink = self._settings(situation, gain)
        alike = kernel(likeness, plain, width)
        weights = (1 - shrink) * alike + shrink * plain
        first = table.priors[int(np.argmax(alike))]
        past = self._past(situation, gain, width, shrink)
        return _forecast(gain, weights, plain, past, f"did best on what is alike, most of all {first}")

    def _past(self, situation: Situation, gain: Table, width: float, shrink: float) -> Table:
        table = situation.performance
        between = situation.between
        if between is None:  # nothing is known of how alike priors are: all that can be said is the mean
            return np.tile(table.weights() @ gain, (len(gain), 1))
        alike, means = _left_out(gain, between, table.sources, table.weights(), width)
        return (1 - shrink) * alike + shrink * means

    def _settings(self, situation: Situation, gain: Table) -> tuple[float, float]:
        if situation.between is None:
            return self.width, self.shrink
        table = situation.performance
        gain = gain[:, eligible(table)]
        errors = {}
        for width in WIDTHS:
            guesses = _left_out(gain, situation.between, table.sources, table.weights(), width)
            for shrink in SHRINKS:
                guess = (1 - shrink) * guesses[0] + shrink * guesses[1]
                errors[width, shrink] = float((table.weights() @ (guess - gain) ** 2).mean())
        return min(errors, key=lambda key: (errors[key], -key[1]))  # of equals the one nearer the mean


def kernel(likeness: Vector, plain: Vector, width: float) -> Vector:
    """Weights of the priors, sum 1: exp(-distance / (width x median distance)), all sources alike."""
    known = np.isfinite(likeness)
    distance = np.where(known, likeness[known].max() - np.where(known, likeness, 0.0), np.inf)
    positive = distance[known & (distance > 0)]
    unit = float(np.median(positive)) if positive.size else 1.0
    weights: NDArray[np.float64] = np.exp(-distance / (width * unit)) * plain
    weights /= weights.sum()
    return weights


def _left_out(
    gain: Table, between: Table, sources: tuple[str, ...], plain: Vector, width: float
) -> tuple[Table, Table]:
    """What neighbours, and what the mean, say of each prior from those of other sources, [2] x [priors, configs]."""
    names = np.array(sources)
    alike, means = np.zeros(gain.shape), np.zeros(gain.shape)
    for i in range(len(gain)):
        others = names != names[i]
        if not others.any():
            continue
        share = plain[others] / plain[others].sum()
        likeness = between[i, others]
        weights = kernel(likeness, share, width) if np.isfinite(likeness).any() else share
        alike[i], means[i] = weights @ gain[others], share @ gain[others]
    return alike, means


def _forecast(gain: Table, weights: Vector, plain: Vector, past: Table, because: str) -> Forecast:
    """The weighted mean and its error; a variance is half that under the weights and half that over all priors."""
    mean = weights @ gain
    near = weights @ (gain - mean) ** 2
    over_all = plain @ (gain - plain @ gain) ** 2
    error = np.sqrt(0.5 * (near + over_all) * (weights**2).sum())
    return Forecast(mean, error, past, because)
