"""Record: one run of one configuration on a prior, as it was and for good."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from headstart.errors import BadInput
from headstart.words.config import Config
from headstart.words.scoring import BUDGET, T0, alc

Status = Literal["ok", "failed"]
Point = tuple[float, float]
MILLISECOND = 1e-3  # moments are kept to this, in seconds
GRAIN = 1e-5  # scores are kept to this: a tenth of what a change of one test sample in ten thousand makes


@dataclass(frozen=True)
class Record:
    """One run: which configuration, how it went, and on which clock.

    name: what the configuration is known by: `Config.digest`, or the column of an imported matrix.
    config: the configuration, its seed and reason left at their defaults; None where a matrix told its name only.
    seed: of the run. clock: "table:NAME", "cpu" or "wall", or "matrix:NAME" for what was imported.
    budget: T in seconds. curve: (seconds, score) of each published prediction, in order, on the test part.
    status: "failed" counts as an area of 0, whatever the curve says.
    n: training samples that the run was given; 0 where that is not known.
    versions: of the programs that made it, for example {"headstart": "0.9"}.
    halves: scores of the same predictions on two fixed halves of the test part, one pair for each point of the
        curve, or empty. They let an oracle choose on one half and be judged on the other.
    origin: the source of the prior on whose data the configuration was found, "" = on none: what holds that source
        out holds the configuration out too.
    told: the area itself where nothing else is known (imported matrices); it then holds for every t0 and T.
    Moments are rounded to 1 ms and scores to .00001, so that what is stored is what is compared.
    Raises BadInput for what cannot be a run.
    """

    name: str
    config: Config | None
    seed: int
    clock: str
    budget: float
    curve: tuple[Point, ...]
    status: Status = "ok"
    n: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    halves: tuple[Point, ...] = ()
    told: float | None = None
    origin: str = ""

    def __post_init__(self) -> None:
        _check(self)
        put = object.__setattr__  # frozen: rounding is part of making one
        if self.config is not None:
            put(self, "config", dataclasses.replace(self.config, seed=0, reason=""))
        put(self, "curve", tuple((round(float(t), 3), round(float(s), 5)) for t, s in self.curve))
        put(self, "halves", tuple((round(float(a), 5), round(float(b), 5)) for a, b in self.halves))
        put(self, "budget", round(float(self.budget), 3))
        put(self, "versions", dict(self.versions))

    @staticmethod
    def of(
        config: Config,
        curve: Sequence[Point],
        *,
        clock: str,
        budget: float,
        status: Status = "ok",
        n: int = 0,
        versions: Mapping[str, str] | None = None,
        halves: Sequence[Point] = (),
        origin: str = "",
    ) -> Record:
        """The record of a run of `config`, whose seed is the run's."""
        return Record(
            config.digest, config, config.seed, clock, budget, tuple(curve),
            status, n, versions or {}, tuple(halves), origin=origin,
        )  # fmt: skip

    def alc(self, t0: float = T0, budget: float = BUDGET, half: int | None = None) -> float:
        """The area under the curve on the logarithmic axis of `words.scoring.alc`; 0 for a failed run.

        t0, budget: seconds. half: 0 or 1 = of the scores on that half of the test part (nan where there are none).
        """
        if half is not None and self.told is not None:
            return math.nan
        if self.status == "failed":
            return 0.0
        if half is not None and self.curve and not self.halves:
            return math.nan
        if self.told is not None:
            return self.told
        scores = [pair[half] for pair in self.halves] if half is not None else [s for _, s in self.curve]
        return alc([t for t, _ in self.curve], scores, budget, t0)


def _check(record: Record) -> None:
    who = f"a run of {record.name!r:.60}"
    if not record.name or any(c.isspace() for c in record.name):
        raise BadInput(f"{who} has no usable name: it must be a word without blanks")
    if record.config is not None and record.config.digest != record.name:
        raise BadInput(
            f"{who} carries the configuration {record.config.digest}: name and configuration must agree"
        )
    if not (math.isfinite(record.budget) and record.budget > 0):
        raise BadInput(f"{who} has the budget {record.budget}: it must be a finite number of seconds above 0")
    if record.status not in get_args(Status):
        raise BadInput(f'{who} has the status {record.status!r:.40}: it is "ok" or "failed"')
    if record.seed < 0 or record.n < 0:
        raise BadInput(f"{who} has the seed {record.seed} and {record.n} samples: neither can be below 0")
    if not record.clock:
        raise BadInput(f'{who} names no clock: "table:NAME", "cpu" or "wall"')
    if record.told is not None and not (
        math.isfinite(record.told) and -1 <= record.told <= 1 and not record.curve
    ):
        raise BadInput(f"{who} has the area {record.told}: a told area is from -1 to 1 and has no curve")
    _check_points(who, record)


def _check_points(who: str, record: Record) -> None:
    before = 0.0
    for t, score in record.curve:
        if not (math.isfinite(t) and t >= before and math.isfinite(score) and -1 <= score <= 1):
            raise BadInput(
                f"{who} has the point ({t}, {score}): moments rise from 0, scores are from -1 to 1"
            )
        before = t
    if record.halves and len(record.halves) != len(record.curve):
        raise BadInput(f"{who} has {len(record.halves)} pairs of half scores for {len(record.curve)} points")
    for pair in record.halves:
        if not all(math.isfinite(score) and -1 <= score <= 1 for score in pair):
            raise BadInput(f"{who} has the half scores {pair}: scores are from -1 to 1")
