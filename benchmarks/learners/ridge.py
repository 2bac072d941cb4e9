"""Ridge regression of class indicators with lambda and temperature by leave-one-out, in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.learners.lda import Array, softmax
from benchmarks.learners.protocol import Labels

_PENALTIES = np.geomspace(1e-4, 10.0, 11)  # relative to the mean squared length
_TEMPERATURES = np.geomspace(0.02, 0.5, 8)


def posteriors(train: NDArray[Any], targets: Labels, classes: int, test: NDArray[Any]) -> Array:
    """float64 [m, classes] for test [m, d]."""
    centre = train.mean(axis=0, dtype=np.float64)
    x, t = train - centre, test - centre
    wanted = np.eye(classes)[targets]
    prior = wanted.mean(axis=0)
    left, values, queries = _spectrum(x, t)
    turned = left.T @ (wanted - prior)
    scale = max(float(values.sum()) / len(x), 1e-12)
    best: tuple[float, float, float] = (np.inf, 1.0, 1.0)
    for penalty in _PENALTIES * scale:
        kept = values / (values + penalty)
        fitted = left @ (kept[:, None] * turned)
        leverage = np.einsum("ij,j,ij->i", left, kept, left) + 1 / len(x)
        residual = (wanted - prior - fitted) / np.maximum(1 - leverage, 1e-6)[:, None]
        alone = wanted - residual
        for temperature in _TEMPERATURES:
            chance = softmax(alone / temperature)[np.arange(len(x)), targets]
            best = min(best, (-float(np.log(np.maximum(chance, 1e-9)).mean()), penalty, temperature))
    _, penalty, temperature = best
    scores = queries @ (turned * (np.sqrt(values) / (values + penalty))[:, None]) + prior
    return softmax(scores / temperature)


def _spectrum(x: Array, t: Array) -> tuple[Array, Array, Array]:
    """Left singular vectors and squared singular values of x, and t in the right singular vectors."""
    if len(x) <= x.shape[1]:
        values, left = np.linalg.eigh(x @ x.T)
        kept = values > 1e-9 * values[-1]
        values, left = values[kept], left[:, kept]
        return left, values, (t @ x.T) @ left / np.sqrt(values)
    values, right = np.linalg.eigh(x.T @ x)
    kept = values > 1e-9 * values[-1]
    values, right = values[kept], right[:, kept]
    return x @ right / np.sqrt(values), values, t @ right
