"""Kernel ridge regression on class indicators, with every fold left out in closed form.

One inverse of the n x n kernel answers for the full solve and for the solve without each fold: removing
fold f from the dual coefficients a = (K + lambda I)^-1 Y changes them by -G[:, f] G[f, f]^-1 a[f] with
G = (K + lambda I)^-1, and what the solve without f says about f is Y[f] - G[f, f]^-1 a[f].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_BLOCK = 128
_LEAST = 1e-6  # features have unit length, so this is next to nothing; without any spread it is something
_TRIES = 4  # penalties, each ten times the one before, until rounding leaves the kernel positive definite
SCIPY_PAYS = 400  # below so many samples importing scipy costs more than its faster inverse saves


@dataclass(frozen=True)
class Fit:
    """A solved regression.

    coefficients: float64 [n, classes], dual. held_out: float64 [n, classes], what the solve without a
    sample's fold says about it. class_means: mean fitted score of each class's samples, float64
    [classes, classes], of the full solve; fold_means: the same for the solve without each fold.
    counts, fold_counts: samples per class behind those means.
    All scores are relative to the mean indicator.
    """

    coefficients: Array
    held_out: Array
    class_means: Array
    counts: Array
    fold_means: tuple[Array, ...]
    fold_counts: tuple[Array, ...]


def inverse(matrix: Array) -> Array:
    """The inverse of a symmetric positive definite matrix, float64 [n, n]; `matrix` is overwritten."""
    if len(matrix) < SCIPY_PAYS:
        return np.asarray(np.linalg.inv(matrix), np.float64)
    from scipy.linalg import lapack

    # LAPACK works in columns: the transposed view of a symmetric matrix is itself, and nothing is copied.
    factor, bad = lapack.dpotrf(matrix.T, lower=1, overwrite_a=1)
    if bad:
        raise np.linalg.LinAlgError("the kernel is not positive definite")
    lower, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
    for first in range(0, len(lower), _BLOCK):
        last = min(first + _BLOCK, len(lower))
        square = lower[first:last, first:last]
        lower[:first, first:last] = lower[first:last, :first].T
        square[:] = np.tril(square) + np.tril(square, -1).T
    return np.asarray(lower, np.float64)


def class_averages(scores: Array, indicator: Array) -> tuple[Array, Array]:
    """Mean score of each class's samples, float64 [classes, m] for scores [n, m], and samples per class."""
    counts = indicator.sum(axis=0)
    return class_sums(scores, indicator) / np.maximum(counts, 1)[:, None], counts


def _no_averages(scores: Array, indicator: Array) -> tuple[Array, Array]:
    return np.zeros((0, 0)), indicator.sum(axis=0)


def class_sums(scores: Array, indicator: Array) -> Array:
    """indicator' @ scores: float64 [classes, m] for scores [n, m].

    With one class per sample rows are added up by class, which with hundreds of classes is far cheaper
    than the product.
    """
    if len(indicator) == 0 or not (indicator.sum(axis=1) == 1).all():
        product: Array = indicator.T @ scores
        return product
    labels = indicator.argmax(axis=1)
    order = np.argsort(labels, kind="stable")
    present, starts = np.unique(labels[order], return_index=True)
    sums = np.zeros((indicator.shape[1], scores.shape[1]))
    sums[present] = np.add.reduceat(scores[order], starts, axis=0)
    return sums


def _inverted(kernel: Array, penalty: float) -> tuple[Array, float]:
    """(K + lambda I)^-1 and the lambda that it took: samples that are equal need more than nothing."""
    penalty = max(penalty, _LEAST)
    for _ in range(_TRIES):
        shifted = kernel.copy()
        shifted[np.diag_indices_from(shifted)] += penalty
        try:
            return inverse(shifted), penalty
        except np.linalg.LinAlgError:
            penalty *= 10
    raise np.linalg.LinAlgError("the kernel is not positive definite")


def solve(
    kernel: Array, indicator: Array, folds: NDArray[np.integer], penalty: float, by_class: bool = True
) -> Fit:
    """Ridge regression of the indicators (float64 [n, classes]) on a centred kernel [n, n].

    folds: which fold each sample is left out with, integers [n]. penalty: lambda > 0, on the scale of
    the kernel's eigenvalues. by_class: also the class means, [classes, classes] each, else none. Cost: one
    inverse plus n² per class.
    """
    inverted, penalty = _inverted(kernel, penalty)
    targets = indicator - indicator.mean(axis=0)
    coefficients = inverted @ targets
    averages = class_averages if by_class else _no_averages
    class_means, counts = averages(targets - penalty * coefficients, indicator)
    held_out = np.empty_like(targets)
    fold_means, fold_counts = [], []
    for fold in np.unique(folds):
        out = np.flatnonzero(folds == fold)
        kept = np.flatnonzero(folds != fold)
        columns = inverted[:, out]
        change = np.linalg.solve(columns[out], coefficients[out])
        held_out[out] = targets[out] - change
        without = coefficients[kept] - columns[kept] @ change
        means, kept_counts = averages(targets[kept] - penalty * without, indicator[kept])
        fold_means.append(means)
        fold_counts.append(kept_counts)
    return Fit(coefficients, held_out, class_means, counts, tuple(fold_means), tuple(fold_counts))
