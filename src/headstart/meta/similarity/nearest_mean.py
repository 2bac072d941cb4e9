"""Nearest mean: the prior whose average sample is nearest to the average of the batch. Nothing is trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.meta.similarity.contract import Features, Priors, Ranks, batch, named, sets
from headstart.meta.similarity.projection import Projection, principal
from headstart.meta.similarity.typical import typical


@dataclass(frozen=True)
class NearestMean:
    """dims: principal axes on which the distance is measured. None: all features, twenty times sooner fitted."""

    dims: int | None = None
    name: str = "nearest mean"

    def fit(self, priors: Priors, seed: int = 0) -> FittedMeans:
        """Nothing is drawn: the seed does not matter."""
        names, rows = sets(priors)
        project = principal(rows, self.dims)
        means = np.stack([project(part).mean(axis=0) for part in rows])
        noise = float(np.mean([project(part).var(axis=0).sum() for part in rows]))
        return FittedMeans(names, project, means, typical(means), noise)


@dataclass(frozen=True)
class FittedMeans:
    """means: float32 [priors, dims]. scale: see `typical`. noise: the variance of one sample around its mean."""

    names: tuple[str, ...]
    project: Projection
    means: Features
    scale: float
    noise: float

    def rank(self, features: Features) -> Ranks:
        """Minus the squared distance of the means, in units of `scale`: -1 is as far as neighbouring priors are.

        What a mean of b samples is off by chance is taken off, which changes no order; so ranks of
        batches of different size can be compared, and that of a prior's own samples is 0 on average.
        """
        rows = self.project(batch(features, self.project.width))
        squared = ((rows.mean(axis=0) - self.means) ** 2).sum(axis=1)
        return named(self.names, -(squared - self.noise / len(rows)) / self.scale)
