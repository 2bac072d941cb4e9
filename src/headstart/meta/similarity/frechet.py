"""Fréchet distance between the batch and a prior, each taken as a normal distribution.

|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)). With diagonal covariances the second part is the squared
distance of the standard deviations, and a batch of any size has them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.meta.similarity.contract import Features, Priors, Ranks, batch, named, sets
from headstart.meta.similarity.projection import Projection, principal

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Frechet:
    """dims: principal axes. full: whole covariance matrices; else their diagonals on these axes."""

    dims: int = 64
    full: bool = False
    name: str = "Fréchet"

    def fit(self, priors: Priors, seed: int = 0) -> FittedFrechet:
        """Nothing is drawn: the seed does not matter."""
        names, rows = sets(priors)
        project = principal(rows, self.dims)
        shapes = [_Normal.of(project(part), self.full) for part in rows]
        return FittedFrechet(names, project, tuple(shapes), _typical(shapes))


@dataclass(frozen=True)
class FittedFrechet:
    """normals: what each prior's samples are taken for. scale: the median distance of priors to their nearest."""

    names: tuple[str, ...]
    project: Projection
    normals: tuple[_Normal, ...]
    scale: float

    def rank(self, features: Features) -> Ranks:
        """Minus the distance, in units of `scale`."""
        own = _Normal.of(self.project(batch(features, self.project.width)), self.normals[0].root.ndim == 2)
        distances = np.array([own.distance(other) for other in self.normals])
        return named(self.names, -distances / self.scale)


@dataclass(frozen=True)
class _Normal:
    """Mean [k] and the square root of the covariance: standard deviations [k], or a symmetric matrix [k, k]."""

    mean: Doubles
    root: Doubles

    @staticmethod
    def of(rows: Features, full: bool) -> _Normal:
        mean = rows.mean(axis=0, dtype=np.float64)
        apart = rows - mean
        if not full:
            return _Normal(mean, np.sqrt((apart**2).mean(axis=0)))
        values, vectors = np.linalg.eigh(apart.T @ apart / len(rows))
        return _Normal(mean, (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)

    def distance(self, other: _Normal) -> float:
        apart = float(((self.mean - other.mean) ** 2).sum())
        if self.root.ndim == 1:
            return apart + float(((self.root - other.root) ** 2).sum())
        # tr (S1 S2)^(1/2) is the sum of the singular values of S1^(1/2) S2^(1/2).
        shared = np.linalg.svd(self.root @ other.root, compute_uv=False).sum()
        spread = (self.root**2).sum() + (other.root**2).sum() - 2 * shared
        return apart + max(float(spread), 0.0)


def _typical(shapes: list[_Normal]) -> float:
    if len(shapes) < 2:
        return 1.0
    nearest = [min(one.distance(other) for other in shapes if other is not one) for one in shapes]
    return max(float(np.median(nearest)), 1e-12)
