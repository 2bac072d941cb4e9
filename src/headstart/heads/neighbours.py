"""k nearest neighbours in kernel space: a vote of the most similar training samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headstart.heads.ridge import Array

K = 8


def votes(kernel: NDArray[np.floating], indicator: NDArray[np.floating], k: int = K) -> Array:
    """The share of each class among the k most similar samples, weighted by similarity.

    kernel: [m, n] similarities to n training samples, indicator [n, classes]. Returns float64 [m, classes],
    rows that sum to at most 1.
    """
    k = min(k, kernel.shape[1])
    nearest = np.argpartition(-kernel, k - 1, axis=1)[:, :k]
    weights = np.maximum(np.take_along_axis(kernel, nearest, axis=1), 0)
    weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    result: Array = np.einsum("mk,mkc->mc", weights, indicator[nearest].astype(np.float64))
    return result


def held_out_votes(kernel: Array, indicator: Array, folds: NDArray[np.integer], k: int = K) -> Array:
    """The vote on each sample without its own fold, float64 [n, classes]."""
    apart = np.where(folds[:, None] == folds[None, :], -np.inf, kernel)
    return votes(apart, indicator, k)
