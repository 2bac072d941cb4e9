"""A perceptron that names the prior of each sample, and a vote over the samples of the batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from headstart.meta.similarity.contract import Features, Priors, Ranks, batch, named, sets, votes
from headstart.meta.similarity.lda import clipped
from headstart.meta.similarity.mlp import Perceptron, Schedule, drawn, trained
from headstart.meta.similarity.projection import Projection, standard


@dataclass(frozen=True)
class MlpVote:
    """rule: "vote", the majority of the samples' first choices (the paper), or "log", the mean of log posteriors.

    batch, neurons, rate, dropout: as in the paper. layers: hidden ones. steps: of training.
    """

    batch: int = 64
    neurons: int = 256
    rate: float = 1e-3
    dropout: float = 0.2
    layers: int = 1
    steps: int = 1000
    rule: Literal["vote", "log"] = "vote"

    @property
    def name(self) -> str:
        return "MLP, vote" if self.rule == "vote" else "MLP, sum of log p"

    def fit(self, priors: Priors, seed: int = 0) -> FittedMlpVote:
        """Each sample of a batch comes from a prior drawn at random, so that each counts the same."""
        rng = np.random.default_rng(seed)
        names, rows = sets(priors)
        project = standard(rows)
        inputs = np.concatenate([project(part) for part in rows])
        counts = np.array([len(part) for part in rows])
        begins = np.cumsum(counts) - counts

        def draw(rng: np.random.Generator) -> tuple[Features, NDArray[np.intp]]:
            owner = rng.integers(len(counts), size=self.batch)
            return inputs[begins[owner] + rng.integers(counts[owner])], owner

        start = drawn((project.dim, *[self.neurons] * self.layers, len(names)), rng)
        network = trained(start, draw, Schedule(self.steps, self.rate, self.dropout, floor=0.0), rng)
        return FittedMlpVote(names, project, network, self.rule)


@dataclass(frozen=True)
class FittedMlpVote:
    """network: standardised features to logits over the priors."""

    names: tuple[str, ...]
    project: Projection
    network: Perceptron
    rule: Literal["vote", "log"]

    def each(self, features: Features) -> Features:
        """float32 [b, priors]: a vote of each sample, or its clipped log posteriors."""
        logits = self.network(self.project(batch(features, self.project.width)))
        return votes(logits) if self.rule == "vote" else clipped(logits)

    def rank(self, features: Features) -> Ranks:
        """The part of the votes, or the mean log posterior."""
        return named(self.names, self.each(features).mean(axis=0))
