"""A perceptron on moments of the whole batch: the paper's third approach, its precalculation layer first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.meta.moments import MOMENTS, moments
from headstart.meta.similarity.contract import Features, Priors, Ranks, batch, named, sets
from headstart.meta.similarity.lda import clipped
from headstart.meta.similarity.mlp import Perceptron, Schedule, drawn, trained
from headstart.meta.similarity.projection import Projection, standard

_AT_ONCE = 32  # vectors in one step of training


@dataclass(frozen=True)
class MlpMoments:
    """batch: samples behind one vector of moments in training; a batch to be ranked may have another size.

    which, trim: as in `moments`. neurons, rate, dropout: as in the paper. layers: hidden ones. vectors: for each
    prior, resampled from its samples. steps: of training, 32 vectors each.
    """

    batch: int = 64
    which: tuple[str, ...] = MOMENTS
    trim: float = 0.0
    neurons: int = 256
    rate: float = 1e-3
    dropout: float = 0.2
    layers: int = 1
    vectors: int = 64
    steps: int = 400
    name: str = "MLP on moments"

    def fit(self, priors: Priors, seed: int = 0) -> FittedMlpMoments:
        """Batches are drawn without replacement, but from priors with too few samples with it."""
        rng = np.random.default_rng(seed)
        names, rows = sets(priors)
        parts = [self._vectors(part, rng) for part in rows]
        project = standard(parts)
        inputs = np.concatenate([project(part) for part in parts])

        def draw(rng: np.random.Generator) -> tuple[Features, NDArray[np.intp]]:
            chosen = rng.integers(len(inputs), size=_AT_ONCE)
            return inputs[chosen], chosen // self.vectors

        start = drawn((project.dim, *[self.neurons] * self.layers, len(names)), rng)
        network = trained(start, draw, Schedule(self.steps, self.rate, self.dropout), rng)
        return FittedMlpMoments(names, rows[0].shape[1], self.which, self.trim, project, network)

    def _vectors(self, rows: Features, rng: np.random.Generator) -> Features:
        result = []
        for _ in range(self.vectors):
            chosen = rng.choice(len(rows), self.batch, replace=len(rows) < self.batch)
            result.append(moments(rows[chosen], self.which, self.trim))
        return np.stack(result)


@dataclass(frozen=True)
class FittedMlpMoments:
    """width: of the features. network: standardised moments to logits over the priors."""

    names: tuple[str, ...]
    width: int
    which: tuple[str, ...]
    trim: float
    project: Projection
    network: Perceptron

    def rank(self, features: Features) -> Ranks:
        """Log posteriors of the batch as a whole."""
        vector = moments(batch(features, self.width), self.which, self.trim)
        return named(self.names, clipped(self.network(self.project(vector[None])))[0])
