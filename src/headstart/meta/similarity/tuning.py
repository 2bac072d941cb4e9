"""A meta classifier's hyperparameters, searched by successive halving over random draws.

Everything happens within the samples that it is given: half of each prior's is fitted, batches of the other
half are to be recognised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headstart.meta.similarity.contract import Features, Method, Priors, Ranker, nearest, sets
from headstart.meta.similarity.ranges import METHODS, drawn, with_effort

_ETA = 3
_RUNGS = 3  # a ninth of the effort, a third, all of it
_SIZES = (1, 4, 16, 64)


@dataclass(frozen=True)
class Trial:
    """What was tried, with which part of its effort, and the part of batches that it recognised."""

    method: Method
    effort: float
    accuracy: float


@dataclass(frozen=True)
class Tuned:
    """The best method at full effort, and all trials in their order."""

    method: Method
    accuracy: float
    trials: tuple[Trial, ...]


def tuned(kind: str, priors: Priors, trials: int = 27, seed: int = 0, batches: int = 3) -> Tuned:
    """The method of METHODS, by its short name, that recognises held-out batches of its priors best.

    priors: [n_i, d] with n_i of 4 or more. trials: draws at the lowest effort, of which the best third goes on
    with three times as much, twice; the method as it is without a search is always the first. batches: of each
    prior and each of the sizes 1, 4, 16, 64. Of equal methods the one drawn first is taken. Raises
    ValueError for fewer than one trial, and as `Method.fit`.
    """
    if trials < 1:
        raise ValueError(f"a search needs one trial or more, not {trials}")
    rng = np.random.default_rng(seed)
    fitted, asked = halves(priors, rng)
    exam = _exam(asked, batches, rng)
    alive = [METHODS[kind], *(drawn(kind, rng) for _ in range(trials - 1))]
    done: list[Trial] = []
    for rung in range(_RUNGS):
        effort = _ETA ** (rung + 1.0 - _RUNGS)
        judged = [
            Trial(method, effort, _accuracy(with_effort(method, effort).fit(fitted, seed), exam))
            for method in alive
        ]
        done += judged
        judged.sort(key=lambda trial: -trial.accuracy)  # stable: the first of equal ones stays first
        alive = [trial.method for trial in judged[: max(len(judged) // _ETA, 1)]]
    return Tuned(judged[0].method, judged[0].accuracy, tuple(done))


def halves(priors: Priors, rng: np.random.Generator) -> tuple[Priors, Priors]:
    """Each prior's samples parted at random in two halves. Raises ValueError where one would have fewer than two."""
    names, rows = sets(priors)
    if min(map(len, rows)) < 4:
        raise ValueError("a prior needs four samples or more, so that each half has two")
    orders = [rng.permutation(len(part)) for part in rows]
    one = {n: r[o[: len(r) // 2]] for n, r, o in zip(names, rows, orders, strict=True)}
    two = {n: r[o[len(r) // 2 :]] for n, r, o in zip(names, rows, orders, strict=True)}
    return one, two


def _exam(asked: Priors, batches: int, rng: np.random.Generator) -> list[tuple[str, Features]]:
    """Batches and the prior that each comes from; drawn with replacement where there are too few samples."""
    return [
        (name, rows[rng.choice(len(rows), size, replace=len(rows) < size)])
        for name, rows in asked.items()
        for size in _SIZES
        for _ in range(batches)
    ]


def _accuracy(ranker: Ranker, exam: Sequence[tuple[str, Features]]) -> float:
    return float(np.mean([nearest(ranker.rank(rows)) == name for name, rows in exam]))
