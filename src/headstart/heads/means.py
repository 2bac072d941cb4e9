"""Nearest class mean: the head that needs one sample per class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headstart.heads.ridge import Array, class_averages


def nearest_means(kernel: Array, indicator: Array) -> tuple[Array, Array]:
    """Scores of a class mean are linear in kernel values: k(x) @ weights + offset.

    kernel: float64 [n, n] of the training samples, indicator: [n, classes]. The score of class c is
    k(x)·mean_c - |mean_c|² / 2, half the negative squared distance less what all classes share.
    Returns weights [n, classes] and offset [classes]; a class without samples scores -1e4.
    """
    counts = indicator.sum(axis=0)
    weights = indicator / np.maximum(counts, 1)
    offset = -0.5 * np.einsum("ic,ci->c", weights, class_averages(kernel, indicator)[0])
    return weights, np.where(counts > 0, offset, -1e4)


def held_out_means(kernel: Array, indicator: Array, folds: NDArray[np.integer]) -> Array:
    """What the class means without a sample's fold say about it, float64 [n, classes]."""
    scores = np.empty(indicator.shape)
    for fold in np.unique(folds):
        out, kept = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        weights, offset = nearest_means(kernel[np.ix_(kept, kept)], indicator[kept])
        scores[out] = kernel[np.ix_(out, kept)] @ weights + offset
    return scores
