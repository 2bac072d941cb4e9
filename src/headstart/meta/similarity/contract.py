"""What every meta classifier offers: fitted on known data sets, it says how much a batch is like each of them.

A method is plain data (its hyperparameters); `fit` gives an object that ranks. Rows are samples, columns
features of whatever encoder: inner layers of a network, raw pixels, the latent space of an autoencoder.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]
Priors = Mapping[str, Features]
Ranks = dict[str, float]


class Ranker(Protocol):
    """A fitted method."""

    def rank(self, features: Features) -> Ranks:
        """How much a batch, [b, d] with b of 1 or more, is like each prior: larger is more alike.

        Depends on the batch as a set, not on its order. Raises ValueError for an empty batch or another width.
        """
        ...


@runtime_checkable
class EachRanker(Ranker, Protocol):
    """A fitted method whose ranks are the mean over samples of what it says about each alone."""

    def each(self, features: Features) -> NDArray[np.float32]:
        """[b, priors], the priors in the order of their names; `rank` is the mean of the rows."""
        ...


class Method(Protocol):
    """A meta classifier that is yet to be fitted."""

    @property
    def name(self) -> str: ...

    def fit(self, priors: Priors, seed: int) -> Ranker:
        """Learn the priors: for each the features of samples, [n_i, d], 2 rows or more.

        All that is drawn comes from the seed. Raises ValueError where the priors are none, or do not agree in d.
        """
        ...


def nearest(ranks: Mapping[str, float]) -> str:
    """The prior that is most alike; of equal ones the first by name."""
    return min(ranks, key=lambda name: (-ranks[name], name))


def likeness(rank: float) -> float:
    """A rank of NearestMean or Frechet for people, 0 to 1: 1 is equal, .37 as far as neighbouring priors are."""
    return min(1.0, math.exp(rank))


def sets(priors: Priors) -> tuple[tuple[str, ...], list[Features]]:
    """The priors in the order of their names, checked."""
    if not priors:
        raise ValueError("there are no priors to fit")
    names = tuple(sorted(priors))
    rows = [np.asarray(priors[name], np.float32) for name in names]
    widths = {part.shape[1:] for part in rows}
    if len(widths) != 1 or any(part.ndim != 2 or len(part) < 2 for part in rows):
        raise ValueError(f"priors are [n, d] with n of 2 or more and one d, not {[p.shape for p in rows]}")
    return names, rows


def batch(features: Features, width: int) -> Features:
    """A batch to be ranked, float32 [b, width], checked."""
    rows = np.asarray(features, np.float32)
    if rows.ndim != 2 or len(rows) == 0 or rows.shape[1] != width:
        raise ValueError(f"a batch is [b, {width}] with b of 1 or more, not {rows.shape}")
    return rows


def named(names: tuple[str, ...], values: NDArray[np.floating]) -> Ranks:
    """Values [priors] under the names of the priors."""
    return dict(zip(names, map(float, values), strict=True))


def votes(scores: NDArray[np.floating]) -> NDArray[np.float32]:
    """One vote per sample for its best column, float32 [b, priors], 0 or 1; of equal columns the first."""
    given = np.zeros(scores.shape, np.float32)
    given[np.arange(len(scores)), scores.argmax(axis=1)] = 1
    return given


def evenly(rows: list[Features], most: int, rng: np.random.Generator) -> list[Features]:
    """At most so many rows of each set, drawn without replacement."""
    return [part if len(part) <= most else part[rng.permutation(len(part))[:most]] for part in rows]
