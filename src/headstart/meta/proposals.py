"""Where new configurations come from: a third at random, the others from a model of what was good so far.

The model is Optuna's multivariate TPE (the kernel density estimate that BOHB uses, for spaces with conditions), fitted
to the results of one budget: the largest that has enough of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headstart.errors import BadInput
from headstart.meta.brackets import good, model_budget
from headstart.words.config import Config
from headstart.words.space import Drawn, Given, Space

_TRIES = 20  # proposals of what was evaluated before are thrown away


@dataclass(frozen=True)
class Point:
    """One result: the answers that make the configuration, its budget, and its value (None: still under way)."""

    answers: Mapping[str, Any]
    budget: float
    value: float | None


@dataclass(frozen=True)
class Proposal:
    """A configuration, the answers that make it, and the budget whose results it comes from (None: at random)."""

    config: Config
    answers: Mapping[str, Any]
    budget: float | None


def optuna() -> Any:
    """The library, loaded when it is needed. Raises BadInput where it is not installed."""
    try:
        import optuna as library
    except ImportError:
        raise BadInput('a search needs Optuna: pip install "headstart[search]"') from None
    library.logging.set_verbosity(library.logging.WARNING)
    return library


def propose(
    space: Space, points: Sequence[Point], seed: Sequence[int], at_random: float, known: frozenset[str]
) -> Proposal:
    """The next configuration. seed: numbers that fix the draw; known: digests of what has been proposed before."""
    rng = np.random.default_rng(list(seed))
    counts: dict[float, int] = {}
    for point in points:
        if point.value is not None:
            counts[point.budget] = counts.get(point.budget, 0) + 1
    budget = None if rng.random() < at_random else model_budget(counts, space.dimension)
    for _ in range(_TRIES):
        answers = _drawn(space, rng) if budget is None else _modelled(space, points, budget, rng)
        config = space.suggest(Given(answers))
        if config.digest not in known:
            return Proposal(config, answers, budget)
    return Proposal(config, answers, budget)  # a small space is used up


def _drawn(space: Space, rng: np.random.Generator) -> dict[str, Any]:
    drawn = Drawn(rng)
    space.suggest(drawn)
    return drawn.values


def _modelled(
    space: Space, points: Sequence[Point], budget: float, rng: np.random.Generator
) -> dict[str, Any]:
    """The answers of a TPE model of the results of one budget; what is under way with it counts as bad."""
    library = optuna()
    dimension = space.dimension
    with warnings.catch_warnings():
        # `group` is experimental and `gamma` deprecated from Optuna 6 on: the version is pinned below that.
        warnings.simplefilter("ignore", library.exceptions.ExperimentalWarning)
        warnings.filterwarnings("ignore", "`gamma`", FutureWarning)
        sampler = library.samplers.TPESampler(
            n_startup_trials=0,
            n_ei_candidates=64,
            gamma=lambda count: good(count, dimension),
            multivariate=True,
            group=True,
            constant_liar=True,
            seed=int(rng.integers(2**31)),
        )
        study = library.create_study(direction="maximize", sampler=sampler)
        for point in points:
            if point.budget == budget:
                study.add_trial(_trial(library, space, point))
        trial = study.ask()
        space.suggest(trial)
    return dict(trial.params)


def _trial(library: Any, space: Space, point: Point) -> Any:
    states = library.trial.TrialState
    return library.trial.create_trial(
        state=states.RUNNING if point.value is None else states.COMPLETE,
        value=point.value,
        params=dict(point.answers),
        distributions=distributions(space, point.answers),
    )


def distributions(space: Space, answers: Mapping[str, Any]) -> dict[str, Any]:
    """What each answer was chosen from, as Optuna's distributions."""
    asked = _Asked(answers)
    space.suggest(asked)
    return asked.distributions


class _Asked(Given):
    """Given answers that also note what they were chosen from."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        super().__init__(table)
        self._library = optuna()
        self.distributions: dict[str, Any] = {}

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """As `Given`."""
        self.distributions[name] = self._library.distributions.CategoricalDistribution(tuple(choices))
        return super().suggest_categorical(name, choices)

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """As `Given`."""
        self.distributions[name] = self._library.distributions.IntDistribution(low, high, log=log)
        return super().suggest_int(name, low, high, log=log)

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """As `Given`."""
        self.distributions[name] = self._library.distributions.FloatDistribution(low, high, log=log)
        return super().suggest_float(name, low, high, log=log)
