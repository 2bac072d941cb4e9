"""Beyond the dual form: kernel coordinates at landmarks, with statistics that stream.

With more samples than a kernel matrix should have, the first ones stay as landmarks L, and every sample x
becomes z = R^-1 k_L(x) where R R' is the landmarks' kernel (Nyström). Heads are linear in z.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.heads.kernel import Kernel, Matrix
from headstart.heads.lda import discriminant, ledoit_wolf
from headstart.heads.ridge import Array
from headstart.heads.statistics import FoldStatistics
from headstart.learn.candidates import Candidate, Spec, held_out_discriminant, judged
from headstart.learn.products import Products
from headstart.learn.truth import Truth
from headstart.words.task import LabelKind

LANDMARKS = 1024
_FOLDS = 3
_JITTER = 1e-4  # of the mean eigenvalue: products are in single precision, and landmarks may be equal
_PENALTY = 0.3  # where there is no analytic one (multi-label)
Fetch = Callable[[str, NDArray[np.int64]], Matrix]


@dataclass(frozen=True)
class Known:
    """The samples that evidence is taken from."""

    blocks: tuple[str, ...]
    indicator: Array
    labels: LabelKind


class Landmarks:
    """One combination of blocks at one kernel, fed with ever more samples."""

    def __init__(
        self, blocks: Sequence[str], products: Sequence[Products], kernel: Kernel, classes: int
    ) -> None:
        count = min(LANDMARKS, *(len(block) for block in products))
        pairs = [block.among(count) for block in products]
        among, norms = np.sum([p for p, _ in pairs], axis=0), np.sum([n for _, n in pairs], axis=0)
        self.blocks, self._norms, self.consumed = tuple(blocks), norms, 0
        self._given, self.kernel = kernel, kernel.fitted(among, norms)
        self._fixed = {
            # Widened once: every piece of the stream is multiplied with them.
            name: block.features[:count].astype(np.float32)
            for name, block in zip(blocks, products, strict=True)
        }
        values = self.kernel(among, norms, norms)
        self._root = _root(values)
        self.statistics = FoldStatistics(count, classes, _FOLDS)
        self._held: list[Matrix] = []

    def coordinates(self, features: Sequence[Matrix]) -> Matrix:
        """float32 [m, landmarks] from unit-length features of each block."""
        products, norms = np.zeros((len(features[0]), len(self._norms)), np.float32), np.zeros(1, np.float32)
        for block, own in zip(self.blocks, features, strict=True):
            products += own @ self._fixed[block].T
            norms = norms + np.einsum("ij,ij->i", own, own)
        return (self.kernel(products, norms, self._norms) @ self._root).astype(np.float32)

    def feed(
        self, fetch: Fetch, rows: NDArray[np.int64], truth: Truth, folds: NDArray[np.integer], keep: int
    ) -> Iterator[int]:
        """Take in the rows that are new, a piece at a time; yields how many were. Row i is sample i of the run."""
        while self.consumed < len(rows):
            some = slice(self.consumed, min(self.consumed + 512, len(rows)))
            z = self.coordinates([fetch(block, rows[some]) for block in self.blocks])
            self.statistics.add(z, truth[some], folds[some] % _FOLDS)
            if self.consumed < keep:
                self._held.append(z[: keep - self.consumed])
            self.consumed = some.stop
            yield some.stop - some.start

    def candidates(
        self, truth: Truth, folds: NDArray[np.integer], heads: Sequence[str], labels: LabelKind
    ) -> Iterator[Candidate]:
        """The heads on what was fed so far; evidence on the first samples, which were kept."""
        held = np.concatenate(self._held).astype(np.float64)
        known = Known(self.blocks, truth[: len(held)], labels)
        own = folds[: len(held)] % _FOLDS
        fit, mean = self.statistics.solve(self._penalty(held, known), held, own, "lda" in heads)
        spec = Spec(self._given)
        if "ridge" in heads:
            prior = truth.counts(self.consumed) / self.consumed - (0.5 if labels == "multi" else 0.0)
            weights, offset = self._root @ fit.coefficients, prior - mean @ fit.coefficients
            yield judged(known, "ridge", spec, self.kernel, weights, offset, fit.held_out + prior)
        if "lda" in heads and labels == "single":
            final = discriminant(fit.class_means, fit.counts)
            primal = fit.coefficients @ final.transform
            weights, offset = self._root @ primal, final.offset - mean @ primal
            scores = held_out_discriminant(fit, own)
            yield judged(known, "lda", spec, self.kernel, weights, offset, scores)

    def _penalty(self, held: Array, known: Known) -> float:
        """Analytic (see `analytic_penalty`), with the residuals' fourth moments from the kept samples."""
        samples, dim = self.statistics.samples.sum(), len(self._norms)
        trace, squared = self.statistics.within()
        if known.labels == "multi":
            return float(_PENALTY * trace * samples / dim)
        means = self.statistics.by_class.sum(axis=0) / np.maximum(self.statistics.counts.sum(axis=0), 1)
        lengths = ((held - means.T[known.indicator.argmax(axis=1)]) ** 2).sum(axis=1)
        return ledoit_wolf(trace, squared, float((lengths**2).mean()), samples, dim)


def _root(values: Array) -> Array:
    """R'^-1 of the landmarks' kernel R R', so that k_L(x)' R'^-1 has the kernel's inner products."""
    jitter = _JITTER * float(np.trace(values)) / len(values)
    for _ in range(4):
        values[np.diag_indices_from(values)] += jitter
        try:
            result: Array = np.linalg.inv(np.linalg.cholesky(values)).T
            return result
        except np.linalg.LinAlgError:
            jitter *= 10
    raise np.linalg.LinAlgError("the landmarks' kernel is not positive definite")
