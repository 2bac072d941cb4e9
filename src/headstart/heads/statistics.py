"""Sufficient statistics that grow with the stream: what a closed-form head needs, summed once per sample.

For n beyond the dual form: features z of d numbers (coordinates at landmarks), one set of sums per fold, in
float64. Leaving a fold out is a subtraction, and a solve costs the same at sample 2 000 and at 200 000.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headstart.heads.ridge import Array, Fit

_ROWS_AT_ONCE = 512
_MANY = 100  # classes from which on adding up by class is cheaper than the product
_LEAST = 1e-6  # features have unit length: next to nothing, but samples that are all equal need something


class FoldStatistics:
    """Counts, sums and products of a stream of samples, kept apart by fold."""

    def __init__(self, dim: int, classes: int, folds: int) -> None:
        self.samples = np.zeros(folds)
        self.counts = np.zeros((folds, classes))
        self.sums = np.zeros((folds, dim))
        self.products = np.zeros((folds, dim, dim))
        self.by_class = np.zeros((folds, dim, classes))

    def add(
        self, features: NDArray[np.floating], indicator: NDArray[np.floating], folds: NDArray[np.integer]
    ) -> None:
        """Take in m samples: features [m, dim], indicator [m, classes], fold of each [m]."""
        for fold in np.unique(folds):
            rows = np.flatnonzero(folds == fold)
            for first in range(0, len(rows), _ROWS_AT_ONCE):
                some = rows[first : first + _ROWS_AT_ONCE]
                z, y = features[some].astype(np.float64), indicator[some].astype(np.float64)
                self.samples[fold] += len(some)
                self.counts[fold] += y.sum(axis=0)
                self.sums[fold] += z.sum(axis=0)
                self.products[fold] += z.T @ z
                self._add_by_class(int(fold), z, y)

    def _add_by_class(self, fold: int, z: Array, y: Array) -> None:
        """by_class += z' y; with one class per sample only the columns that occur are touched."""
        if y.shape[1] < _MANY or not (y.sum(axis=1) == 1).all():
            self.by_class[fold] += z.T @ y
            return
        labels = y.argmax(axis=1)
        order = np.argsort(labels, kind="stable")
        present, starts = np.unique(labels[order], return_index=True)
        self.by_class[fold][:, present] += np.add.reduceat(z[order], starts, axis=0).T

    def solve(
        self, penalty: float, held: Array, held_folds: NDArray[np.integer], by_class: bool = True
    ) -> tuple[Fit, Array]:
        """Ridge regression of the indicators, in full and without each fold.

        held: features [m, dim] of samples that were added before, on which leaving out is scored;
        held_folds: their folds. Returns the fit (its coefficients are primal, [dim, classes]) and the
        mean feature [dim] that they refer to. by_class: as in `ridge.solve`.
        """
        everything = np.ones(len(self.samples), bool)
        coefficients, mean, class_means, counts = self._part(everything, penalty, by_class)
        scores = np.empty((len(held), self.counts.shape[1]))
        fold_means, fold_counts = [], []
        for fold in np.unique(held_folds):
            kept = everything.copy()
            kept[fold] = False
            part, middle, means, kept_counts = self._part(kept, penalty, by_class)
            rows = held_folds == fold
            scores[rows] = (held[rows] - middle) @ part
            fold_means.append(means)
            fold_counts.append(kept_counts)
        return Fit(coefficients, scores, class_means, counts, tuple(fold_means), tuple(fold_counts)), mean

    def _part(
        self, kept: NDArray[np.bool_], penalty: float, by_class: bool
    ) -> tuple[Array, Array, Array, Array]:
        samples, counts = self.samples[kept].sum(), self.counts[kept].sum(axis=0)
        mean = self.sums[kept].sum(axis=0) / samples
        sums = self.by_class[kept].sum(axis=0)
        scatter = -samples * np.outer(mean, mean)
        for fold in np.flatnonzero(kept):  # one at a time: picking them all would copy them all
            scatter += self.products[fold]
        scatter[np.diag_indices_from(scatter)] += max(penalty, _LEAST)
        towards = sums - np.outer(mean, counts)
        coefficients = np.linalg.solve(scatter, towards)
        if not by_class:
            return coefficients, mean, np.zeros((0, 0)), counts
        class_means = (sums / np.maximum(counts, 1)).T - mean
        class_means[counts == 0] = 0.0
        return coefficients, mean, class_means @ coefficients, counts

    def within(self) -> tuple[float, float]:
        """Trace and squared Frobenius norm of the within-class covariance of all samples (single-label)."""
        counts, by_class = self.counts.sum(axis=0), self.by_class.sum(axis=0)
        scatter = self.products.sum(axis=0)
        scatter -= (by_class / np.maximum(counts, 1)) @ by_class.T
        scatter /= self.samples.sum()
        return float(np.trace(scatter)), float(np.einsum("ij,ij->", scatter, scatter))
