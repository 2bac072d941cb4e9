"""Shrunk linear discriminant analysis, from a ridge regression that is already solved.

With centred features x, ridge scores f(x) = x' B for class indicators, D = the class counts and Q = the
class means of f, Woodbury's identity gives the discriminant with within-class scatter S_w + lambda I:

    (S_w + lambda I)^-1 M' = B (I - Q)^-1 D^-1

so a discriminant costs a classes x classes solve on top of the ridge regression (Hastie, Tibshirani and
Buja's flexible discriminant analysis is the same thought). M holds the class means as rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.heads.ridge import Array, class_averages

_EMPTY = -1e4  # the score of a class that has no sample: never first, and finite


@dataclass(frozen=True)
class Discriminant:
    """Linear discriminant scores as a function of ridge scores: f @ transform + offset."""

    transform: Array
    offset: Array

    def __call__(self, scores: Array) -> Array:
        """Ridge scores float64 [n, classes] to discriminant scores of the same shape."""
        return scores @ self.transform + self.offset


def discriminant(class_means: Array, counts: Array) -> Discriminant:
    """From the class means of fitted ridge scores [classes, classes] and the samples per class."""
    classes = len(counts)
    present = counts > 0
    spread = np.eye(classes) - np.where(present[:, None], class_means, 0.0)
    spread[np.diag_indices(classes)] += 1e-9  # a ridge that interpolates leaves nothing within a class
    inverted = np.linalg.inv(spread)
    per_class = counts.sum() / np.maximum(counts, 1)
    transform = inverted * per_class[None, :]
    offset = -0.5 * np.einsum("ij,ji->i", class_means, transform)
    transform[:, ~present] = 0.0
    offset[~present] = _EMPTY
    return Discriminant(transform, offset)


def analytic_penalty(kernel: Array, indicator: Array, dim: int) -> float:
    """The ridge penalty that Ledoit and Wolf's shrinkage of the within-class covariance amounts to.

    kernel: centred, float64 [n, n]. indicator: one class per
    sample, 0/1, [n, classes]. dim: of the features behind the kernel.
    Ledoit and Wolf (2004), "A well-conditioned estimator for large-dimensional covariance matrices",
    needs only the squared lengths and inner products of the residuals, which the kernel holds.
    """
    samples = len(kernel)
    labels = indicator.argmax(axis=1)
    towards, _ = class_averages(kernel, indicator)
    middle, _ = class_averages(towards.T.copy(), indicator)
    within = kernel - towards[labels]
    within -= towards[labels].T
    within += middle[labels][:, labels]
    lengths = np.maximum(np.diag(within), 0)
    squared = float(np.einsum("ij,ij->", within, within)) / samples**2
    return ledoit_wolf(float(lengths.mean()), squared, float((lengths**2).mean()), samples, dim)


def ledoit_wolf(trace: float, squared: float, fourth: float, samples: float, dim: int) -> float:
    """The penalty on the scatter, from moments of the residuals of a class mean.

    trace and squared Frobenius norm of their covariance; fourth: mean of their lengths to the fourth power.
    """
    noise = max((fourth - squared) / samples, 0.0)
    distance = max(squared - trace**2 / dim, 1e-30)
    shrinkage = min(max(noise / distance, 1e-4), 0.999)
    return float(max(shrinkage / (1 - shrinkage) * trace / dim * samples, 1e-6 * trace))
