"""Two-sample t-test between the batch and what is stored of each prior: mean, standard deviation and number.

The paper does it in the latent space of an autoencoder (meta/vae.py); any features will do. The same test
against single classes of a prior names the class that the batch resembles most (section 5.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from headstart.meta.similarity.contract import Features, Priors, Ranks, batch, named, sets
from headstart.meta.similarity.projection import standard

Doubles = NDArray[np.float64]
Statistic = Literal["t", "effect"]
_FLOOR = 0.01  # standard deviations below this part of that over all priors are taken for it


@dataclass(frozen=True)
class Latent:
    """All that has to be kept of some samples: mean and standard deviation (unbiased), float64 [d], and how many."""

    mean: Doubles
    sd: Doubles
    n: int

    @staticmethod
    def of(features: Features) -> Latent:
        """From features [n, d], n of 1 or more. Of a single sample the standard deviation is 0."""
        rows = np.asarray(features, np.float64)
        sd = rows.std(axis=0, ddof=1) if len(rows) > 1 else np.zeros(rows.shape[1])
        return Latent(rows.mean(axis=0), sd, len(rows))


@dataclass(frozen=True)
class TTest:
    """statistic: "t", or "effect", the difference of means in standard deviations.

    With many samples every small difference has a large t; an effect does not grow with them.
    """

    statistic: Statistic = "t"

    @property
    def name(self) -> str:
        return "t-test" if self.statistic == "t" else "effect size"

    def fit(self, priors: Priors, seed: int = 0) -> FittedTTest:
        """Nothing is drawn: the seed does not matter."""
        names, rows = sets(priors)
        varies = standard(rows).scale.astype(np.float64)  # 1 / sd, or 0
        floor = np.where(varies > 0, (_FLOOR / np.where(varies > 0, varies, 1)) ** 2, 1.0)
        return FittedTTest(names, tuple(map(Latent.of, rows)), floor, self.statistic)


@dataclass(frozen=True)
class FittedTTest:
    """known: what is kept of each of `names`. floor: the least variance of each feature that counts, [d]."""

    names: tuple[str, ...]
    known: tuple[Latent, ...]
    floor: Doubles
    statistic: Statistic = "t"

    def rank(self, features: Features) -> Ranks:
        """Minus the mean over features of |t| (or of the effect), between the batch and each prior."""
        own = Latent.of(batch(features, len(self.floor)))
        apart = [distance(own, other, self.statistic, self.floor) for other in self.known]
        return named(self.names, -np.array(apart))


def by_class(features: Features, classes: NDArray[np.integer], titles: tuple[str, ...]) -> FittedTTest:
    """A ranker over the classes of one prior: `rank` then says how much a batch is like each class.

    features: [n, d] of the prior; classes: the index of each row's class among `titles`, other values are left
    out. Classes with fewer than two samples have no spread and are left out. Raises ValueError if all are.
    """
    counts = [int((classes == label).sum()) for label in range(len(titles))]
    kept = {title: features[classes == label] for label, title in enumerate(titles) if counts[label] > 1}
    return TTest().fit(kept)


def distance(one: Latent, two: Latent, statistic: Statistic = "t", floor: Doubles | float = 1e-12) -> float:
    """The mean over features of Welch's |t|, or of |difference| / root mean variance. Symmetric.

    A single sample has no variance of its own; then both are taken to have the other's (Student's test).
    floor: variances below are taken for it, or features that hardly vary would decide alone.
    """
    first, second = one.sd**2, two.sd**2
    if one.n < 2:
        first = second
    elif two.n < 2:
        second = first
    first, second = np.maximum(first, floor), np.maximum(second, floor)
    spread = first / one.n + second / two.n if statistic == "t" else (first + second) / 2
    return float(np.mean(np.abs(one.mean - two.mean) / np.sqrt(spread)))
