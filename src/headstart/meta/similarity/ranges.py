"""What may be set of each meta classifier, and in which range: section 5.4 of the paper, and our own methods.

`drawn` gives a method at random, for a search (tuning.py) or for any other engine that proposes methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from headstart.meta.moments import MOMENTS
from headstart.meta.similarity.centroid import CentroidVote
from headstart.meta.similarity.contract import Method
from headstart.meta.similarity.frechet import Frechet
from headstart.meta.similarity.kmeans import KMeansVote
from headstart.meta.similarity.lda import Lda
from headstart.meta.similarity.mlp_moments import MlpMoments
from headstart.meta.similarity.mlp_vote import MlpVote
from headstart.meta.similarity.nearest_mean import NearestMean
from headstart.meta.similarity.vae_ttest import TTest

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
NEURONS = (16, 32, 64, 128, 256, 512, 1024)
CLUSTERS, STARTS, ITERATIONS = (5, 40), (10, 30), (100, 500)
RATE, DROPOUT, TRIM = (1e-5, 1e-2), (0.0, 0.8), (0.0, 0.4)
DIMS = (16, 32, 64, 128, 256)
SHRINKAGE = (1e-3, 0.5)

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "kmeans": KMeansVote(),
        "centroid": CentroidVote(),
        "mlp_vote": MlpVote(),
        "mlp_log": MlpVote(rule="log"),
        "mlp_moments": MlpMoments(),
        "ttest": TTest(),
        "effect": TTest("effect"),
        "nearest_mean": NearestMean(),
        "frechet": Frechet(),
        "lda": Lda(),
    }
)
"""Every method as it is without a search, by a short name."""


def drawn(kind: str, rng: np.random.Generator) -> Method:
    """A method of METHODS, by its short name, with what can be set drawn from its ranges. Raises KeyError."""
    draw = _DRAWS.get(kind)
    return draw(METHODS[kind], rng) if draw else METHODS[kind]


def with_effort(method: Method, share: float) -> Method:
    """The same method, but cheaper to fit: so large a part, 0 to 1, of its training steps or of its beginnings."""
    if isinstance(method, MlpVote | MlpMoments):
        return replace(method, steps=max(round(method.steps * share), 1))
    if isinstance(method, KMeansVote):
        return replace(method, starts=max(round(method.starts * share), 1))
    return method


def _kmeans(method: Method, rng: np.random.Generator) -> Method:
    assert isinstance(method, KMeansVote)
    clusters, starts, iterations = (
        int(rng.integers(low, high, endpoint=True)) for low, high in (CLUSTERS, STARTS, ITERATIONS)
    )
    return replace(method, clusters=clusters, starts=starts, iterations=iterations)


def _mlp(method: Method, rng: np.random.Generator) -> Method:
    assert isinstance(method, MlpVote | MlpMoments)
    return replace(
        method,
        batch=int(rng.choice(BATCHES)),
        neurons=int(rng.choice(NEURONS)),
        rate=_log(RATE, rng),
        dropout=float(rng.uniform(*DROPOUT)),
    )


def _mlp_moments(method: Method, rng: np.random.Generator) -> Method:
    drawn_method = _mlp(method, rng)
    assert isinstance(drawn_method, MlpMoments)
    which: tuple[str, ...] = ()
    while not which:  # each moment is taken or not; none at all is no vector
        which = tuple(
            name for name, taken in zip(MOMENTS, rng.random(len(MOMENTS)) < 0.5, strict=True) if taken
        )
    return replace(drawn_method, which=which, trim=float(rng.uniform(*TRIM)))


def _dims(method: Method, rng: np.random.Generator) -> Method:
    assert isinstance(method, NearestMean | Frechet)
    return replace(method, dims=int(rng.choice(DIMS)))


def _lda(method: Method, rng: np.random.Generator) -> Method:
    assert isinstance(method, Lda)
    return replace(method, dims=int(rng.choice(DIMS)), shrinkage=_log(SHRINKAGE, rng))


def _log(bounds: tuple[float, float], rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(*np.log(bounds))))


_DRAWS: Mapping[str, Callable[[Method, np.random.Generator], Method]] = MappingProxyType(
    {
        "kmeans": _kmeans,
        "mlp_vote": _mlp,
        "mlp_log": _mlp,
        "mlp_moments": _mlp_moments,
        "nearest_mean": _dims,
        "frechet": _dims,
        "lda": _lda,
    }
)
