"""What stands: the heads that were chosen, the networks that joined them, and the evidence for both together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from headstart.heads.ensemble import Ensemble
from headstart.heads.kernel import Matrix
from headstart.learn.challenger import Stand
from headstart.learn.joining import joined
from headstart.learn.pool import Choice
from headstart.learn.truth import Truth
from headstart.words.scoring import score
from headstart.words.task import LabelKind


@dataclass(frozen=True)
class Standing:
    """closed: what the heads say (None: there are no stages). stand: what the networks say, where they joined.

    rows: int64 [k], the training samples behind the evidence, in the order of the run; held_out: posteriors
    float32 [k, classes] of the average. made: makes the ensemble of the heads.
    """

    closed: Choice | None
    stand: Stand | None
    share: float
    rows: NDArray[np.int64]
    held_out: Matrix
    evidence: float
    made: Callable[[Choice], Ensemble]
    labels: LabelKind

    def says_the_same_as(self, other: Standing) -> bool:
        """Whether neither heads nor networks are others."""
        return self.closed is other.closed and self.stand is other.stand

    @cached_property
    def heads(self) -> Ensemble:
        """The closed-form part alone."""
        return Ensemble((), {}, self.labels) if self.closed is None else self.made(self.closed)

    @cached_property
    def ensemble(self) -> Ensemble:
        """All that predicts; networks are exported when it is first asked for."""
        if self.stand is None:
            return self.heads
        return replace(self.heads, trained=self.stand.trained(), share=self.share)


def stand_together(
    closed: Choice | None,
    stand: Stand | None,
    truth: Truth,
    usable: NDArray[np.int64],
    labels: LabelKind,
    made: Callable[[Choice], Ensemble],
) -> Standing | None:
    """The heads with the networks, if evidence says that those help; without heads the networks alone."""
    if closed is None:
        if stand is None or not stand.covered.any():
            return None
        rows = np.flatnonzero(stand.covered)
        held_out = stand.held_out[rows]
        return Standing(None, stand, 1.0, rows, held_out, score(truth[rows], held_out), made, labels)
    rows = usable[: len(closed.held_out)]
    if stand is not None:
        known = truth[rows]
        found = joined(closed.held_out, stand.held_out[rows], known, labels)
        if found is not None:
            evidence = score(known, found.held_out)
            return Standing(closed, stand, found.share, rows, found.held_out, evidence, made, labels)
    return Standing(closed, None, 0.0, rows, closed.held_out, closed.evidence, made, labels)


def at_least_as_good(new: Standing, old: Standing, truth: Truth) -> bool:
    """On the training samples that both have spoken about."""
    common, mine, theirs = np.intersect1d(new.rows, old.rows, assume_unique=True, return_indices=True)
    known = truth[common]
    return score(known, new.held_out[mine]) >= score(known, old.held_out[theirs])
