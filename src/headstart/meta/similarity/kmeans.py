"""k-means with a vote: clusters belong to the prior that has most of them, samples vote by cluster.

Lloyd's algorithm from several k-means++ beginnings; the one with the least squared distances is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.meta.similarity.contract import Features, Priors, Ranks, batch, evenly, named, sets, votes
from headstart.meta.similarity.projection import Projection, principal


@dataclass(frozen=True)
class KMeansVote:
    """clusters, starts, iterations: as in the paper (5-40, 10-30, at most 100-500).

    dims: principal axes. most: samples of each prior that are clustered.
    """

    clusters: int = 40
    starts: int = 10
    iterations: int = 100
    dims: int = 64
    most: int = 128
    name: str = "k-means, vote"

    def fit(self, priors: Priors, seed: int = 0) -> FittedClusters:
        """Beginnings and samples are drawn by the seed."""
        rng = np.random.default_rng(seed)
        names, rows = sets(priors)
        project = principal(rows, self.dims)
        parts = [project(part) for part in evenly(rows, self.most, rng)]
        owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        points = np.concatenate(parts)
        k = min(self.clusters, len(points))
        runs = [
            lloyd(points, _plus_plus(points, k, rng), self.iterations) for _ in range(max(self.starts, 1))
        ]
        centres = min(runs, key=lambda run: run[1])[0]
        # Each prior counts the same, so a sample of a small one weighs more.
        weights = 1.0 / np.array([len(part) for part in parts])
        shares = np.zeros((k, len(parts)))
        np.add.at(shares, (squared(points, centres).argmin(axis=1), owner), weights[owner])
        return FittedClusters(names, project, centres, shares.argmax(axis=1))


@dataclass(frozen=True)
class FittedClusters:
    """centres: float32 [clusters, dims]; owners: the prior, by its place among the names, of each cluster."""

    names: tuple[str, ...]
    project: Projection
    centres: Features
    owners: NDArray[np.intp]

    def each(self, features: Features) -> Features:
        """One vote of each sample, float32 [b, priors]."""
        rows = self.project(batch(features, self.project.width))
        closest = self.owners[squared(rows, self.centres).argmin(axis=1)]
        return votes(closest[:, None] == np.arange(len(self.names)))

    def rank(self, features: Features) -> Ranks:
        """The part of the votes that each prior gets. A prior without a cluster of its own gets none."""
        return named(self.names, self.each(features).mean(axis=0))


def lloyd(points: Features, centres: Features, iterations: int) -> tuple[Features, float]:
    """Centres that no iteration changes any more (or after so many), and the sum of squared distances to them.

    points: [n, d]; centres: [k, d]. A centre that no point is nearest to stays where it is.
    """
    before: NDArray[np.intp] | None = None
    for _ in range(iterations):
        distances = squared(points, centres)
        closest = distances.argmin(axis=1)
        if before is not None and np.array_equal(closest, before):
            break
        before = closest
        member = np.zeros((len(centres), len(points)), np.float32)
        member[closest, np.arange(len(points))] = 1
        counts = member.sum(axis=1, keepdims=True)
        centres = np.where(counts > 0, member @ points / np.maximum(counts, 1), centres)
    return centres, float(squared(points, centres).min(axis=1).sum())


def squared(points: Features, centres: Features) -> Features:
    """Squared distances, float32 [n, k]."""
    lengths = np.einsum("ij,ij->i", points, points)[:, None] + np.einsum("ij,ij->i", centres, centres)
    result: Features = np.maximum(lengths - 2 * points @ centres.T, 0)
    return result


def _plus_plus(points: Features, k: int, rng: np.random.Generator) -> Features:
    """k-means++: each further centre is a point, drawn in proportion to its squared distance to the nearest."""
    chosen = [int(rng.integers(len(points)))]
    apart = squared(points, points[chosen])[:, 0].astype(np.float64)
    for _ in range(k - 1):
        total = apart.sum()
        chances = apart / total if total > 0 else None
        chosen.append(int(rng.choice(len(points), p=chances)))
        apart = np.minimum(apart, squared(points, points[chosen[-1:]])[:, 0])
    return points[chosen]
