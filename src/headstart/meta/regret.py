"""A regressor of the regret: how far a configuration is above or below the single best, from meta-features.

Kernel ridge regression, one output per configuration and the same kernel for all of them: the mean over the kinds
of meta-features of exp(-d^2 / 2 h^2), d the distance between standardised features in units of its median. Where
features say nothing the kernel is wide or the ridge large, and all that is left is the mean over priors: the single
best configuration. Kernel width and ridge are chosen by leaving out one source at a time, in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.meta.performance import Table
from headstart.meta.selectors.contract import (
    Choice,
    Forecast,
    Situation,
    Vector,
    View,
    eligible,
    gains,
    ranked,
)

WIDTHS = (0.35, 0.7, 1.4, 2.8)
LEVEL = 100.0  # of the kernel's constant part: the mean is fitted almost freely, and left out with its priors
RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0, 100.0)


@dataclass(frozen=True)
class RegretModel:
    """Kernel ridge regression of gains on meta-features. views: which kinds it looks at; those must be there."""

    views: tuple[str, ...] = ("simple", "moments", "landmarks")
    name: str = "regret model"

    @property
    def needs(self) -> tuple[str, ...]:
        return self.views

    def choose(self, situation: Situation) -> Choice:
        expected = self.forecast(situation)
        return ranked(situation.performance, expected.gain, expected.because)

    def forecast(self, situation: Situation) -> Forecast:
        """What it expects of each configuration; the error is that of one new task, not of a mean."""
        table = situation.performance
        gain, weights = gains(table), table.weights()
        mean = weights @ gain
        views = [situation.views[name] for name in self.views if name in situation.views]
        if not views or len(set(table.sources)) < 3:
            spread = np.sqrt(weights @ (gain - mean) ** 2)
            return Forecast(
                mean,
                spread,
                np.tile(mean, (len(gain), 1)),
                "is best on average: there are too few priors to tell more",
            )
        distances = [_distances(view) for view in views]
        columns = eligible(table)
        width, ridge = _settings(distances, gain[:, columns], table.sources, weights)
        inside, across = _kernel(distances, width)
        system = inside + ridge * _noise(weights)
        answer = np.linalg.solve(system, np.column_stack([gain, across]))
        guess, explained = across @ answer[:, :-1], float(across @ answer[:, -1])
        missed = _left_out(system, gain, table.sources)
        unknown = max(1.0 + LEVEL - explained, 0.0) / _typical(system, inside)
        error = np.sqrt(weights @ missed**2 * unknown)
        first = table.priors[int(np.argmax(across))]
        because = f"is expected to do best, as on what is alike, most of all {first}"
        return Forecast(guess, error, gain - missed, because)


def _distances(view: View) -> tuple[Table, Vector]:
    """Among the priors [priors, priors], and from the new task to them [priors], in units of the median."""
    scale = view.priors.std(axis=0)
    scale[scale < 1e-9] = np.inf  # the same for all priors: nothing was learnt of it
    rows, own = view.priors / scale, view.own / scale
    both = np.vstack([rows, own]) / np.sqrt(rows.shape[1])
    norms = (both**2).sum(axis=1)
    every = np.sqrt(np.clip(norms[:, None] + norms[None, :] - 2 * both @ both.T, 0.0, None))
    inside, across = every[:-1, :-1], every[:-1, -1]
    unit = float(np.median(inside[~np.eye(len(inside), dtype=bool)]))
    return inside / max(unit, 1e-9), across / max(unit, 1e-9)


def _kernel(distances: list[tuple[Table, Vector]], width: float) -> tuple[Table, Vector]:
    scale = -0.5 / width**2
    inside = np.mean([np.exp(scale * among**2) for among, _ in distances], axis=0)
    across = np.mean([np.exp(scale * to**2) for _, to in distances], axis=0)
    return inside + LEVEL, across + LEVEL


def _noise(weights: Vector) -> Table:
    """The ridge per prior: several priors of one source count as one."""
    return np.diag(1.0 / (weights * len(weights)))


def _settings(
    distances: list[tuple[Table, Vector]], wanted: Table, sources: tuple[str, ...], weights: Vector
) -> tuple[float, float]:
    """Kernel width and ridge with the least squared error on sources left out; of equals the more careful."""
    errors = {}
    for width in WIDTHS:
        inside, _ = _kernel(distances, width)
        for ridge in RIDGES:
            missed = _left_out(inside + ridge * _noise(weights), wanted, sources)
            errors[width, ridge] = float((weights @ missed**2).mean())
    return min(errors, key=lambda key: (errors[key], -key[1]))


def _left_out(system: Table, wanted: Table, sources: tuple[str, ...]) -> Table:
    """Residuals of each prior when its source is left out, [priors, configs], in closed form.

    With A the system, those of the group g are (A^-1)_gg^-1 (A^-1 y)_g.
    """
    inverse = np.linalg.inv(system)
    solved = inverse @ wanted
    missed: Table = solved / np.diag(inverse)[:, None]  # right where a source has one prior
    names = np.array(sources)
    for source in dict.fromkeys(sources):
        rows = np.flatnonzero(names == source)
        if len(rows) > 1:
            missed[rows] = np.linalg.solve(inverse[np.ix_(rows, rows)], solved[rows])
    return missed


def _typical(system: Table, inside: Table) -> float:
    """The share of the variance that is left unexplained of a typical prior by the others."""
    inverse = np.linalg.inv(system)
    noise = np.diag(system) - np.diag(inside)
    return float(np.clip(1.0 / np.diag(inverse) - noise, 1e-3, None).mean())
