"""Linear discriminant analysis with Ledoit and Wolf's analytic shrinkage, solved anew from all samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.learners.protocol import Labels

Array = NDArray[np.float64]
_TEMPERATURE = 3.0
_FEW = 3  # samples per class below which a covariance says nothing
_SHARP = 30.0  # of nearest class means, for features of length 1


def posteriors(
    train: NDArray[Any], targets: Labels, classes: int, test: NDArray[Any], dim: int | None = None
) -> Array:
    """float64 [m, classes] for test [m, d]; classes without a training sample get 0.

    dim: of the features, where train and test hold their coordinates in a smaller space.
    """
    counts = np.bincount(targets, minlength=classes)
    present = np.flatnonzero(counts)
    centre = train.mean(axis=0, dtype=np.float64)
    x, t = train - centre, test - centre
    means = np.stack([x[targets == k].mean(axis=0) for k in present])
    place = np.searchsorted(present, targets)
    if len(x) < _FEW * len(present):
        weights = _SHARP * means.T
    else:
        weights = _directions(x - means[place], means, dim or train.shape[1])
    scores = np.full((len(test), classes), -np.inf)
    scores[:, present] = t @ weights - 0.5 * np.einsum("kd,dk->k", means, weights)
    return softmax(scores / _TEMPERATURE)


def _directions(residuals: Array, means: Array, dim: int) -> Array:
    """(shrunk within-class covariance)^-1 means', in whichever of the two forms is smaller."""
    n, width = residuals.shape
    dual = n < width
    products = residuals @ residuals.T if dual else residuals.T @ residuals
    lengths = np.einsum("ij,ij->i", residuals, residuals)
    average = lengths.sum() / n / dim
    squared = float((products**2).sum()) / n**2
    noise = (float((lengths**2).mean()) - squared) / n
    shrinkage = min(max(noise / max(squared - average**2 * dim, 1e-30), 1e-4), 0.9999)
    ridge, share = shrinkage * average + 1e-12, (1 - shrinkage) / n
    products[np.diag_indices_from(products)] += ridge / share
    if not dual:
        primal: Array = np.linalg.solve(products, means.T) / share
        return primal
    wide: Array = (means.T - residuals.T @ np.linalg.solve(products, residuals @ means.T)) / ridge
    return wide


def softmax(scores: Array) -> Array:
    """Rows that sum to 1."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    result: Array = raised / raised.sum(axis=1, keepdims=True)
    return result
