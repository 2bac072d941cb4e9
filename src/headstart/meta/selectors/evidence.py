"""What a library knows of its priors, as the rules take it: meta-features by kind, and similarities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from headstart.meta.fingerprint import Simple
from headstart.meta.moments import moments
from headstart.meta.performance import Table
from headstart.meta.prior import Features, Prior
from headstart.meta.selectors.contract import Vector, View
from headstart.meta.similarity.contract import Method, Ranker
from headstart.meta.similarity.typical import typical

MOMENTS_USED = ("mean", "sd")  # the higher ones are mostly noise in a batch of some dozen samples


@dataclass(frozen=True)
class Seen:
    """What a run has seen of a new task after its first stage.

    features: float32 [b, d], as `meta.fingerprint` gives them; b of 2 or more. simple: None where no rule asks for it,
    for it takes reading the headers of files. landmarks: held-out evidence of cheap models by name, as priors have it.
    """

    features: NDArray[np.float32]
    simple: Simple | None
    landmarks: Mapping[str, float] = field(default_factory=dict)


def tables(priors: Sequence[Prior], features: Mapping[str, Features]) -> dict[str, Table]:
    """Meta-features of priors by kind, float64 [priors, f]: "simple", and "moments" and "landmarks" where any has them.

    What a prior lacks is NaN; `views` puts the mean of the others there.
    """
    found = {"simple": np.array([prior.simple.vector() for prior in priors])}
    width = next((part.rows.shape[1] for part in features.values()), 0)
    if width:
        rows = [_moments(features.get(prior.name), width) for prior in priors]
        found["moments"] = np.array(rows, np.float64)
    names = landmark_names(priors)
    if names:
        found["landmarks"] = np.array([[p.landmarks.get(name, np.nan) for name in names] for p in priors])
    return found


def landmark_names(priors: Sequence[Prior]) -> list[str]:
    """The columns of "landmarks": those that at least half of the priors have."""
    every = sorted({name for prior in priors for name in prior.landmarks})
    return [name for name in every if sum(name in p.landmarks for p in priors) * 2 >= len(priors)]


def own(seen: Seen, priors: Sequence[Prior]) -> dict[str, Vector]:
    """The same of a new task, by kind; kinds of which nothing is known are left out."""
    found: dict[str, Vector] = {} if seen.simple is None else {"simple": seen.simple.vector()}
    if len(seen.features) > 1:
        found["moments"] = moments(seen.features, MOMENTS_USED).astype(np.float64)
    marks = np.array([seen.landmarks.get(name, np.nan) for name in landmark_names(priors)])
    if np.isfinite(marks).any():
        found["landmarks"] = marks
    return found


def views(of_priors: Mapping[str, Table], of_task: Mapping[str, Vector]) -> dict[str, View]:
    """Views of the kinds that both sides have; a number that is not known becomes the mean of the priors'."""
    found = {}
    for kind, table in of_priors.items():
        vector = of_task.get(kind)
        if vector is None or vector.shape != table.shape[1:] or not np.isfinite(table).any():
            continue
        known = np.isfinite(table)
        means = np.where(known, table, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        full = np.where(known, table, means)
        found[kind] = View(full, np.where(np.isfinite(vector), vector, means))
    return found


def resemblance(mean: NDArray[np.float32], count: int, priors: Mapping[str, Features]) -> dict[str, float]:
    """Minus the squared distance of feature means, -1 = as far as neighbouring priors: cheap, nothing is fitted.

    mean: of `count` samples of the task, [d]. What means are off by chance is taken off. Priors whose features
    have another width are not compared.
    """
    alike = {name: part for name, part in priors.items() if part.rows.shape[1] == len(mean)}
    if not alike or count < 1:
        return {}
    means = np.stack([part.moment("mean") for part in alike.values()])
    noise = np.array([float((part.moment("sd").astype(np.float64) ** 2).sum()) for part in alike.values()])
    shares = np.array([1 / max(part.n, 1) for part in alike.values()])
    squared = ((means - mean) ** 2).sum(axis=1) - noise.mean() / count - noise * shares
    return dict(zip(alike, (-squared / typical(means)).tolist(), strict=True))


def mean_likeness(features: Mapping[str, Features]) -> Callable[[str, tuple[str, ...]], Mapping[str, float]]:
    """`resemblance` as `evaluate` asks for it: what `fit` uses, from the means of all samples that were looked at."""

    def said(task: str, priors: tuple[str, ...]) -> Mapping[str, float]:
        own = features.get(task)
        if own is None:
            return {}
        known = {name: features[name] for name in priors if name in features}
        return resemblance(own.moment("mean"), own.n, known)

    return said


class FittedLikeness:
    """Another similarity for `evaluate`: a method fitted on the reference rows of the priors that it is asked about.

    A fit is kept for each set of priors. seed: of methods that draw.
    """

    def __init__(self, features: Mapping[str, Features], method: Method, seed: int = 0) -> None:
        self._rows = {name: part.rows.astype(np.float32) for name, part in features.items()}
        self._method = method
        self._seed = seed
        self._fits: dict[tuple[str, ...], Ranker] = {}

    def __call__(self, task: str, priors: tuple[str, ...]) -> Mapping[str, float]:
        """How much the rows of the task are like each prior; priors without features are left out."""
        known = tuple(name for name in priors if name in self._rows and len(self._rows[name]) > 1)
        if task not in self._rows or not known:
            return {}
        if known not in self._fits:
            self._fits[known] = self._method.fit({name: self._rows[name] for name in known}, self._seed)
        return self._fits[known].rank(self._rows[task])


def _moments(features: Features | None, width: int) -> Vector:
    if features is None or features.rows.shape[1] != width:
        return np.full(len(MOMENTS_USED) * width, np.nan)
    return np.concatenate([features.moment(name) for name in MOMENTS_USED]).astype(np.float64)
