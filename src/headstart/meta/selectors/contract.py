"""What a rule is told about a new task, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from headstart.errors import BadInput
from headstart.meta.performance import Performance, Table

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Probed:
    """What trying a configuration on a part of the training samples said.

    estimate: of the area under its learning curve on this task, from training samples only. seconds: it took.
    """

    estimate: float
    seconds: float


Probe = Callable[[str, float], Probed]
"""(configuration, share of the training samples, above 0 to 1) -> what it said. Shares of one run come in order."""


@dataclass(frozen=True)
class View:
    """One kind of meta-features. priors: float64 [priors, f], rows as in the table. own: of the new task, [f]."""

    priors: Table
    own: Vector

    def __post_init__(self) -> None:
        if self.priors.ndim != 2 or self.own.shape != self.priors.shape[1:]:
            raise BadInput(
                f"meta-features of the priors are {self.priors.shape} but of the new task {self.own.shape}: "
                "they must have the same columns"
            )


@dataclass(frozen=True)
class Situation:
    """A new task, and all that may be known when its configuration is chosen.

    performance: of the priors; it holds nothing of the new task nor of anything of its source.
    similarities: larger = more alike, by name of the prior; priors that are missing are not compared.
    between: the same among the priors, float64 [priors, priors], a row per task; None = not known. Rules choose their
        settings by it.
    views: meta-features by kind, for example "simple", "moments", "landmarks".
    probe: tries a configuration on the new task's training samples; None = nothing can be tried.
    """

    performance: Performance
    similarities: Mapping[str, float] = field(default_factory=dict)
    between: Table | None = None
    views: Mapping[str, View] = field(default_factory=dict)
    probe: Probe | None = None

    def __post_init__(self) -> None:
        count = len(self.performance.priors)
        if self.between is not None and self.between.shape != (count, count):
            raise BadInput(
                f"similarities among {count} priors are {self.between.shape}: they must be {(count, count)}"
            )
        for name, view in self.views.items():
            if len(view.priors) != count:
                held = len(view.priors)
                raise BadInput(f'the meta-features "{name}" are of {held} priors, but the table has {count}')

    def alike(self) -> list[tuple[str, float]]:
        """The compared priors of the table, the most alike first; equals by name."""
        known = {
            name: self.similarities[name] for name in self.performance.priors if name in self.similarities
        }
        return sorted(known.items(), key=lambda item: (-item[1], item[0]))


@dataclass(frozen=True)
class Pick:
    """A configuration (its name in the table) and what it weighs: weights of a choice sum to 1."""

    config: str
    weight: float


@dataclass(frozen=True)
class Choice:
    """What a rule answers: configurations, the best first.

    drawn: one of them is to be drawn by its weight (rules that are chance); else the first is taken.
    seconds: that probing took; they are charged to the clock before the configuration starts.
    because: why, in a few words for the user.
    """

    picks: tuple[Pick, ...]
    drawn: bool = False
    seconds: float = 0.0
    because: str = ""

    @property
    def config(self) -> str:
        """The configuration that is best by this choice."""
        return self.picks[0].config


class Rule(Protocol):
    """A way of choosing. name: in tables. needs: views that it cannot do without, "likeness" for similarities,
    "probe" for a probe."""

    @property
    def name(self) -> str: ...

    @property
    def needs(self) -> tuple[str, ...]: ...

    def choose(self, situation: Situation) -> Choice:
        """The ranked configurations. Raises BadInput where the table holds no run at all."""
        ...


@dataclass(frozen=True)
class Forecast:
    """What a rule expects of each configuration in the new task.

    gain: over the single best configuration, float64 [configs]; 0 for that one.
    error: standard error of the gain, float64 [configs].
    past: what it would have expected of each prior with that prior's source left out, float64 [priors, configs].
    """

    gain: Vector
    error: Vector
    past: Table
    because: str


class Forecaster(Rule, Protocol):
    """A rule that says how much it expects, so that it can be held to a bound."""

    def forecast(self, situation: Situation) -> Forecast: ...


def eligible(performance: Performance) -> NDArray[np.intp]:
    """Columns that can be judged: run on at least half as many priors as the column with the most runs.

    Raises BadInput where nothing has been run.
    """
    runs = (performance.n > 0).sum(axis=0)
    if not runs.size or not runs.max():
        raise BadInput(
            "the library holds no run of any configuration: add some with `headstart library search`"
        )
    return np.flatnonzero(runs >= 0.5 * runs.max())


def single_best(performance: Performance) -> int:
    """The column with the best mean over sources; of equals the one with the better average rank."""
    columns = eligible(performance)
    means = performance.weights() @ performance.filled()[:, columns]
    top = columns[means >= means.max() - 1e-12]
    return int(top[np.argmin(performance.average_ranks()[top])])


def ranked(performance: Performance, scores: Vector, because: str) -> Choice:
    """A choice by expected value: scores float64 [configs], larger = better; only eligible ones are ranked.

    Weights say how near each comes to the best: a softmax at one hundredth of an area.
    """
    columns = eligible(performance)
    ranks = performance.average_ranks()
    order = sorted(
        columns.tolist(), key=lambda j: (-round(float(scores[j]), 12), ranks[j], performance.configs[j])
    )
    weights = np.exp((scores[order] - scores[order].max()) / 0.01)
    weights /= weights.sum()
    names = [performance.configs[j] for j in order]
    return Choice(tuple(Pick(n, float(w)) for n, w in zip(names, weights, strict=True)), because=because)


def gains(performance: Performance) -> Table:
    """How much each configuration is above the single best, float64 [priors, configs]."""
    values = performance.filled()
    return values - values[:, [single_best(performance)]]
