"""Linear discriminant analysis with the priors as classes: samples' log posteriors, clipped and added up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.meta.similarity.contract import Features, Priors, Ranks, batch, named, sets
from headstart.meta.similarity.projection import Projection, principal

LOWEST = -8.0
"""No sample says less than this about a prior: one outlier must not decide for a batch."""


@dataclass(frozen=True)
class Lda:
    """dims: principal axes. shrinkage: the part of the covariance that is replaced by a multiple of the identity."""

    dims: int = 128
    shrinkage: float = 0.05
    name: str = "LDA, sum of log p"

    def fit(self, priors: Priors, seed: int = 0) -> FittedLda:
        """Every prior is as likely as any other beforehand. Nothing is drawn: the seed does not matter."""
        names, rows = sets(priors)
        project = principal(rows, self.dims)
        parts = [project(part).astype(np.float64) for part in rows]
        means = np.stack([part.mean(axis=0) for part in parts])
        within = np.zeros((project.dim, project.dim))
        for part, mean in zip(parts, means, strict=True):
            within += (part - mean).T @ (part - mean) / len(part) / len(parts)
        level = np.trace(within) / len(within)
        within = (1 - self.shrinkage) * within + (self.shrinkage * level + 1e-9) * np.eye(len(within))
        weights = np.linalg.solve(within, means.T)
        offset = -0.5 * np.einsum("ij,ji->i", means, weights)
        return FittedLda(names, project, weights.astype(np.float32), offset.astype(np.float32))


@dataclass(frozen=True)
class FittedLda:
    """Scores of a projected sample: x @ weights + offset. weights: [dims, priors]; offset: [priors]."""

    names: tuple[str, ...]
    project: Projection
    weights: Features
    offset: Features

    def each(self, features: Features) -> Features:
        """Log posteriors of each sample, float32 [b, priors], none below LOWEST."""
        rows = self.project(batch(features, self.project.width))
        return clipped(rows @ self.weights + self.offset)

    def rank(self, features: Features) -> Ranks:
        """The mean of the clipped log posteriors."""
        return named(self.names, self.each(features).mean(axis=0))


def clipped(scores: Features) -> Features:
    """Log softmax over columns, [b, priors], none below LOWEST."""
    scores = scores - scores.max(axis=1, keepdims=True)
    logs: Features = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return np.maximum(logs, np.float32(LOWEST))
