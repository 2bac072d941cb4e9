"""What the learner yields: one state that is worth publishing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.heads.ensemble import Ensemble
from headstart.heads.kernel import Matrix


@dataclass(frozen=True)
class Snapshot:
    """A model, what it predicts, and the evidence for it.

    seconds: on the run's clock. stage: name of the latest stage that it uses, for example "lite0@64".
    samples_seen: training samples that it learnt from. evidence: its score on held-out training samples.
    rows: int64 [n], the training samples behind the evidence; held_out: their posteriors [n, classes].
    test: posteriors of the test samples in the order of their list, float32 [m, classes], or None.
    """

    seconds: float
    stage: str
    samples_seen: int
    evidence: float
    ensemble: Ensemble
    rows: NDArray[np.int64]
    held_out: Matrix
    test: Matrix | None


@dataclass(frozen=True)
class Progressed:
    """Between snapshots: how far the run is.

    stage_done of stage_total samples have passed the stage; next: what comes then, in words.
    """

    seconds: float
    stage: str
    stage_done: int
    stage_total: int
    next: str


@dataclass(frozen=True)
class Noted:
    """Something was decided that a user may want to know, in one line."""

    seconds: float
    text: str
