"""Inner products of feature blocks, computed once per pair of samples as the samples arrive."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headstart.heads.kernel import Matrix


class Products:
    """One block's training samples (at most `most` of them, in the order of the run) and their Gram matrix."""

    def __init__(self, dim: int, most: int) -> None:
        self.most = most
        self.features = np.zeros((0, dim), np.float16)
        self.norms = np.zeros(0, np.float32)
        self._products = np.zeros((0, 0), np.float32)

    def __len__(self) -> int:
        return len(self.features)

    def extend(self, features: Matrix) -> None:
        """Add samples (unit-length features [m, dim]); only their products are computed."""
        new = features[: max(self.most - len(self), 0)].astype(np.float16)
        if len(new) == 0:
            return
        old, total = len(self), len(self) + len(new)
        self.features = np.concatenate([self.features, new])
        widened = new.astype(np.float32)
        self.norms = np.concatenate([self.norms, np.einsum("ij,ij->i", widened, widened)])
        grown = np.empty((total, total), np.float32)
        grown[:old, :old] = self._products
        fresh = widened
        grown[old:, old:] = fresh @ fresh.T
        for first in range(0, old, 512):  # half precision is widened a piece at a time
            rows = slice(first, min(first + 512, old))
            grown[rows, old:] = self.features[rows].astype(np.float32) @ fresh.T
        grown[old:, :old] = grown[:old, old:].T
        self._products = grown

    def among(self, samples: int) -> tuple[Matrix, Matrix]:
        """Inner products [n, n] of the first n samples, and their squared norms [n]."""
        some = self._products[:samples, :samples]
        if len(some) < samples:  # forgotten meanwhile
            wide = self.features[:samples].astype(np.float32)
            some = wide @ wide.T
        return some, self.norms[:samples]

    def forget(self) -> None:
        """Free the Gram matrix; the features and norms stay, and no sample is added from now on."""
        self._products = np.zeros((0, 0), np.float32)
        self.most = len(self)

    def with_queries(self, queries: Matrix, first: int, samples: int) -> Matrix:
        """Inner products [m, samples - first] of queries [m, dim] with training samples from `first` on."""
        return queries @ self.features[first:samples].astype(np.float32).T


class Queries:
    """Products of a block's test samples with its training samples; grows on both sides, nothing twice."""

    def __init__(self, dim: int, samples: int) -> None:
        self.features = np.zeros((samples, dim), np.float16)
        self.done = np.zeros(samples, bool)
        self._products = np.zeros((samples, 0), np.float32)
        self._current = np.zeros(samples, np.int64)  # with how many training samples each row was multiplied

    def put(self, rows: NDArray[np.int64], features: Matrix) -> None:
        """Features [m, dim], of unit length, of some test samples."""
        self.features[rows] = features
        self.done[rows] = True

    def lacking(self, rows: NDArray[np.int64], samples: int) -> int:
        """How many products of these rows with the first training samples are yet to be computed."""
        return int(np.maximum(samples - self._current[rows], 0).sum())

    def against(self, block: Products, rows: NDArray[np.int64], samples: int) -> tuple[Matrix, Matrix]:
        """Inner products [m, samples] of test rows with the first training samples, and their norms [m]."""
        if self._products.shape[1] < samples:
            wider = np.zeros((len(self.done), len(block)), np.float32)
            wider[:, : self._products.shape[1]] = self._products
            self._products = wider
        for start in np.unique(self._current[rows]):
            if start < samples:
                behind = rows[self._current[rows] == start]
                queries = self.features[behind].astype(np.float32)
                self._products[behind, start:samples] = block.with_queries(queries, int(start), samples)
                self._current[behind] = samples
        own = self.features[rows].astype(np.float32)
        return self._products[rows, :samples], np.einsum("ij,ij->i", own, own)
