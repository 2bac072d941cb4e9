"""What the workers of `library search` do: one replay of a configuration on a labelled folder."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from headstart.bench.replay import Replayer
from headstart.challenge.calibrate_tables import load
from headstart.challenge.labelled import labelled
from headstart.errors import HeadstartError
from headstart.meta.objective import Job, Outcome


@dataclass(frozen=True)
class Replays:
    """Does jobs whose prior is a labelled folder; as plain data it can be sent to any worker that sees the folders.

    table: a cost table's file. features: the folder where features of data sets are kept.
    """

    table: str
    features: str

    def __call__(self, job: Job) -> Outcome:
        """The curve; where the configuration cannot be run the outcome says why."""
        try:
            replayer = _replayer(job.prior, self.table, self.features)
            played = replayer.run(job.config, job.config.seed, job.seconds)
        except HeadstartError as error:
            return Outcome((), error=str(error))
        curve = tuple((float(t), float(s)) for t, s in played.curve)
        return Outcome(curve, played.complete, halves=tuple(played.halves))


@functools.lru_cache(maxsize=2)
def _replayer(data: str, table: str, features: str) -> Replayer:
    """Kept between the jobs of one process: a data set's features are hundreds of megabytes."""
    return Replayer(labelled(data).task, load(table), Path(features))
