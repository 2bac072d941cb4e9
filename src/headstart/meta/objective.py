"""What a search asks for and gets: one run of a configuration on a prior, and what it was worth."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from headstart.errors import BadInput
from headstart.meta.brackets import Schedule
from headstart.words.config import Config
from headstart.words.scoring import BUDGET, T0, alc

Curve = tuple[tuple[float, float], ...]
"""(seconds, score on the prior's test split) of each published prediction."""


@dataclass(frozen=True)
class Job:
    """One run: where the prior is, the configuration (its seed is the run's), and the seconds it may take."""

    prior: str
    config: Config
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What came out. complete: the run ended before its budget, so a larger one would change nothing.

    error: why the configuration cannot be run; it then counts as an area of 0. halves: the scores on two fixed halves
    of the test split, a pair for each point of the curve, or empty.
    """

    curve: Curve
    complete: bool = False
    error: str = ""
    halves: Curve = ()


Evaluate = Callable[[Job], Outcome]
"""Does a job, maybe in another process: it must be a function or an object that can be sent there."""


class Pool(Protocol):
    """Whoever does jobs. lost: whether an error means that workers died over the job, one after the other."""

    workers: int

    def submit(self, evaluate: Evaluate, job: Job) -> Future[Outcome]: ...

    def lost(self, error: BaseException) -> bool: ...


class Here:
    """A pool of none: jobs are done when they are submitted, in this process."""

    workers = 1

    def submit(self, evaluate: Evaluate, job: Job) -> Future[Outcome]:
        """The outcome, which is there already; errors of the evaluation are raised at once."""
        future: Future[Outcome] = Future()
        future.set_result(evaluate(job))
        return future

    def lost(self, error: BaseException) -> bool:
        """Nobody else is there to die."""
        return False


_PAPER = Schedule()  # section 5.4: 1 to 9, eta 3, 10 iterations


@dataclass(frozen=True)
class Plan:
    """How a search goes about it.

    schedule: its brackets. seconds: T, what the largest budget stands for; first: what the smallest stands for.
    Those between lie evenly on a logarithmic scale, because the curve's time is logarithmic too.
    t0: seconds of the area under the curve. seed: of proposals and of the runs. at_random: the share of proposals
    that no model makes. model: "tpe", or "random" for no model at all. Raises BadInput for what is none.
    """

    schedule: Schedule = _PAPER
    seconds: float = BUDGET
    first: float = 30.0
    t0: float = T0
    seed: int = 0
    at_random: float = 1 / 3
    model: str = "tpe"

    def __post_init__(self) -> None:
        if not 0 < self.first <= self.seconds < math.inf:
            raise BadInput(
                f"a first budget of {self.first:g} s does not go with one of {self.seconds:g} s at last"
            )
        if self.model not in ("tpe", "random"):
            raise BadInput(f"there is no model {self.model!r}: it must be tpe or random")

    def allowed(self, budget: float) -> float:
        """The seconds that a budget of the schedule stands for."""
        schedule = self.schedule
        if schedule.least == schedule.most:
            return self.seconds
        power = math.log(self.seconds / self.first) / math.log(schedule.most / schedule.least)
        return round(float(self.seconds * (budget / schedule.most) ** power), 3)

    def value(self, outcome: Outcome, seconds: float) -> float:
        """The area under the curve of a run that was allowed so many seconds; 0 for one that failed."""
        if outcome.error or not outcome.curve:
            return 0.0
        times, scores = zip(*outcome.curve, strict=True)
        return alc(times, scores, seconds, self.t0)
