"""Kernels over feature blocks: from inner products of unit-length features to a centred kernel matrix.

A block's features are square-rooted and scaled to unit length (`unit`), so that blocks add up: the inner
product over several blocks is the sum of theirs, and one Gram matrix per block serves every combination.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]


def unit(features: NDArray[np.floating]) -> Matrix:
    """Square root, then unit length per row: float32 [n, d]. Features are relu outputs or pixels, so >= 0.

    Square root and L2 was the best of the normalisations tried on characters and drawings
    (docs/decisions/003-heads.md).
    """
    rooted: Matrix = np.sqrt(np.maximum(features, 0, dtype=np.float32))
    length = np.sqrt(np.einsum("ij,ij->i", rooted, rooted))
    rooted /= np.maximum(length, 1e-9)[:, None]
    return rooted


@dataclass(frozen=True)
class Kernel:
    """A similarity of samples as a function of their inner products.

    name: "linear", or "rbf": exp(-gamma * squared distance / scale). scale: the median squared distance
    between different training samples, which makes gamma mean the same on every data set.
    """

    name: str
    gamma: float = 0.0
    scale: float = 1.0

    def fitted(self, products: Matrix, norms: Matrix) -> Kernel:
        """This kernel with the scale of training samples: inner products [n, n], squared norms [n]."""
        if self.name == "linear":
            return self
        step = max(1, len(products) // 400)  # the median of 400 x 400 pairs is near enough
        some = products[::step, ::step]
        distances = norms[::step, None] + norms[None, ::step] - 2 * some
        apart = distances[distances > 1e-6]
        return Kernel(self.name, self.gamma, float(np.median(apart)) if len(apart) else 1.0)

    def __call__(self, products: Matrix, rows: Matrix, columns: Matrix) -> NDArray[np.float64]:
        """Kernel values float64 [m, n] from inner products [m, n] and the squared norms of both sides."""
        if self.name == "linear":
            return products.astype(np.float64)
        exponent = products * np.float32(2)
        exponent -= rows[:, None]
        exponent -= columns[None, :]
        np.minimum(exponent, 0, out=exponent)
        exponent *= np.float32(self.gamma / self.scale)
        values: NDArray[np.float64] = np.exp(exponent, out=exponent).astype(np.float64)
        return values


def centred(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """The kernel of features minus their mean: H K H, float64 [n, n]."""
    means = kernel.mean(axis=0)
    result: NDArray[np.float64] = kernel - means[None, :]
    result -= means[:, None]
    result += means.mean()
    return result
