"""Nearest centroid with a vote, as in the paper's code: medians, Manhattan distance, one vote per sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.meta.similarity.contract import Features, Priors, Ranks, batch, named, sets, votes
from headstart.meta.similarity.projection import Projection, standard


@dataclass(frozen=True)
class CentroidVote:
    """There is nothing to set. Features are standardised, as the distance depends on their scale."""

    name: str = "centroid, vote"

    def fit(self, priors: Priors, seed: int = 0) -> FittedCentroids:
        """Nothing is drawn: the seed does not matter."""
        names, rows = sets(priors)
        project = standard(rows)
        return FittedCentroids(names, project, np.stack([np.median(project(part), axis=0) for part in rows]))


@dataclass(frozen=True)
class FittedCentroids:
    """centroids: per feature the median over the samples of a prior, float32 [priors, d]."""

    names: tuple[str, ...]
    project: Projection
    centroids: Features

    def each(self, features: Features) -> Features:
        """One vote of each sample, float32 [b, priors]."""
        rows = self.project(batch(features, self.project.width))
        # One prior at a time: all differences at once would be [b, priors, d].
        distances = np.stack([np.abs(rows - one).sum(axis=1) for one in self.centroids], axis=1)
        return votes(-distances)

    def rank(self, features: Features) -> Ranks:
        """The part of the votes that each prior gets."""
        return named(self.names, self.each(features).mean(axis=0))
