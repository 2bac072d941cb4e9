"""Standardised features on their principal axes, where every known data set counts the same.

Mean and variance are those of a mixture in which each data set has the same weight, however many samples
it has. A feature that never varies is 0 afterwards. Each axis keeps its own variance: distances stay those
between standardised features, but for the axes that are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]
_FLAT = 1e-6  # a standard deviation below this part of the largest one is none


@dataclass(frozen=True)
class Projection:
    """x to ((x - mean) / sd) @ axes. mean, inverse sd: float32 [d]; axes: float32 [d, k], or None for all."""

    mean: Features
    scale: Features
    axes: Features | None

    @property
    def width(self) -> int:
        """Features that it takes."""
        return len(self.mean)

    @property
    def dim(self) -> int:
        """Numbers that it gives."""
        return self.width if self.axes is None else self.axes.shape[1]

    def __call__(self, features: Features) -> Features:
        """[b, d] to float32 [b, dim]."""
        standard = (features - self.mean) * self.scale
        return np.asarray(standard if self.axes is None else standard @ self.axes, np.float32)


def standard(rows: list[Features]) -> Projection:
    """Zero mean and unit variance, nothing left out."""
    mean = np.mean([part.mean(axis=0, dtype=np.float64) for part in rows], axis=0)
    square = np.mean([((part - mean) ** 2).mean(axis=0, dtype=np.float64) for part in rows], axis=0)
    sd = np.sqrt(square)
    varies = sd > _FLAT * max(float(sd.max()), 1e-30)
    scale = np.where(varies, 1 / np.where(varies, sd, 1), 0)
    return Projection(mean.astype(np.float32), scale.astype(np.float32), None)


def principal(rows: list[Features], dims: int | None) -> Projection:
    """The same on the `dims` axes with the most variance, or fewer where there are no more; None: no axes."""
    plain = standard(rows)
    if dims is None:
        return plain
    scatter = np.zeros((plain.width, plain.width))
    for part in rows:
        values = plain(part).astype(np.float64)
        scatter += values.T @ values / len(values)
    _, vectors = np.linalg.eigh(scatter)
    axes = vectors[:, ::-1][:, : min(dims, plain.width)]
    # The sign of an axis is arbitrary; fixed, equal priors give equal numbers.
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] < 0, -1, 1)
    return Projection(plain.mean, plain.scale, axes.astype(np.float32))
