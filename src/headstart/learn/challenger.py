"""What the learner knows of a challenger: a network that is trained beside the stages, and judged as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from headstart.heads.kernel import Matrix
from headstart.heads.trained import Trained


@dataclass(frozen=True)
class Stand:
    """What a challenger says at one moment.

    held_out: posteriors float32 [n, classes] of training samples in the order of the run, each by a network that
    had not seen it; NaN where there is none yet. test: posteriors [m, classes] of the test samples in the order
    of the run, None without a test split. samples: that its networks learnt from,
    together. trained: makes what predicts, which costs an export.
    """

    held_out: Matrix
    test: Matrix | None
    samples: int
    trained: Callable[[], Trained]

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Of which training samples it has spoken: bool [n]."""
        return ~np.isnan(self.held_out[:, 0])


@dataclass(frozen=True)
class Report:
    """How the stages stand, for a challenger that decides by it what to train.

    seconds: on the run's clock. left: of the budget. held_out: posteriors of the first training samples, float32
    [k, classes], rows: which samples these are; none (k = 0) before the first prediction. far: the error of raw pixels
    in times that of the network's features: the smaller, the less the task is like what that was trained on. alone: no
    stage is left to compute. threads: that may be computed with.
    """

    seconds: float
    left: float
    held_out: Matrix
    rows: NDArray[np.int64]
    far: float
    alone: bool
    threads: int = 1


class Challenger(Protocol):
    """Trains in slices of the caller's time. Nothing is done between calls."""

    def work(self, report: Report, seconds: float) -> bool:
        """Train for about so many seconds of the clock; whether `stand` says something new."""

    @property
    def stand(self) -> Stand | None:
        """The newest that may be judged."""

    @property
    def doing(self) -> str:
        """What is being trained, for people: `small@64, network 2 of 5, pass 7 of 40`."""

    @property
    def done(self) -> bool:
        """Whether nothing is left that is worth training."""

    def close(self) -> None:
        """Keep what a later run can go on from, and let go of files. May be called twice."""
