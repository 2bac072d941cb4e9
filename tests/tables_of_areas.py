"""Invented tables of areas for the tests of selection."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headstart.meta.performance import Performance


def worlds(
    count: int = 24, configs: int = 8, noise: float = 0.01, seed: int = 0
) -> tuple[Performance, NDArray[np.float64]]:
    """Priors of two kinds, each kind with its own best configurations, and a feature that tells the kinds apart.

    The first configuration is second best everywhere, so that it is the single best.
    """
    rng = np.random.default_rng(seed)
    kind = np.arange(count) % 2
    values = rng.uniform(0.3, 0.5, (count, configs))
    values[:, 0] = 0.75
    values[:, 1] = np.where(kind == 0, 0.9, 0.4)
    values[:, 2] = np.where(kind == 1, 0.9, 0.4)
    values += rng.normal(0, noise, values.shape)
    features = np.column_stack([kind * 4.0 + rng.normal(0, 0.3, count), rng.normal(size=count)])
    names = [f"prior{i:02d}" for i in range(count)]
    table = Performance.of(names, [f"c{j}" for j in range(configs)], np.clip(values, 0, 1))
    return table, features


def flat(count: int = 24, configs: int = 8, seed: int = 0) -> tuple[Performance, NDArray[np.float64]]:
    """Features that say nothing: one configuration is best on average, and the rest is noise."""
    rng = np.random.default_rng(seed)
    values = 0.6 + 0.1 * np.arange(configs)[::-1] / configs + rng.normal(0, 0.02, (count, configs))
    names = [f"prior{i:02d}" for i in range(count)]
    table = Performance.of(names, [f"c{j}" for j in range(configs)], values)
    return table, rng.normal(size=(count, 3))
