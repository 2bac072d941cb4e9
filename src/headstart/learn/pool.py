"""The pool of candidates: which of them are averaged, judged on the same training samples."""

from __future__ import annotations

import math
from dataclasses import dataclass

from headstart.heads.calibration import final_temperature, sharpened
from headstart.heads.ensemble import average, choose, grow
from headstart.heads.kernel import Matrix
from headstart.heads.ridge import Array
from headstart.learn.candidates import Candidate
from headstart.words.scoring import score
from headstart.words.task import LabelKind

_LEAST = 16  # samples: evidence on fewer says nothing
_KEPT = 3  # times the members of an ensemble: the rest can never be chosen soon


@dataclass(frozen=True)
class Choice:
    """An average of candidates: its members, best first; its held-out posteriors and their score.

    temperature: that the average is brought to, so that its posteriors are as sure as they are right.
    """

    members: tuple[Candidate, ...]
    temperature: float
    held_out: Matrix
    evidence: float


class Pool:
    """Candidates by what they are; a head that is solved again takes the place of its older self."""

    def __init__(self, members: int) -> None:
        self._members = members
        self._candidates: dict[tuple[object, ...], Candidate] = {}

    def add(self, candidate: Candidate) -> None:
        """Take in a candidate."""
        self._candidates[candidate.key] = candidate

    def choose(self, indicator: Array, labels: LabelKind = "single", thorough: bool = True) -> Choice | None:
        """The average with the best evidence, on the samples that all those considered have spoken about.

        indicator: float64 [n, classes]. Candidates of a stage that has seen under half of the samples wait,
        unless what they say about theirs is better beyond doubt: on clips whose motion decides, waiting
        for half of them would cost most of the curve. thorough: members are added one by one as they help the
        average, which takes some dozens of scores; else the best few by themselves.
        """
        most = max((len(c.held_out) for c in self._candidates.values()), default=0)
        able = [c for c in self._candidates.values() if len(c.held_out) * 2 >= most]
        if not able:
            return None
        common = min(len(c.held_out) for c in able)
        truth = indicator[:common]
        evidence = [
            c.member.evidence if len(c.held_out) == common else score(truth, c.held_out[:common])
            for c in able
        ]
        kinds = [_kind(c, labels) for c in able]
        self._forget([able[i] for i in choose(evidence, kinds, self._members * _KEPT)], most)
        if thorough:
            chosen = grow([c.held_out[:common] for c in able], truth, evidence, self._members)
        else:
            chosen = choose(evidence, kinds, self._members)
        members = tuple(able[i] for i in chosen)
        grown = self._averaged(members, common, truth, labels)
        return self._young(most, indicator, labels, grown) or grown

    def _young(self, most: int, indicator: Array, labels: LabelKind, grown: Choice) -> Choice | None:
        """The average of the stage that came last, where it is clearly better on the samples that it has seen."""
        seen = [len(c.held_out) for c in self._candidates.values() if len(c.held_out) * 2 < most]
        count = max(seen, default=0)
        if count < _LEAST:
            return None
        young = [c for c in self._candidates.values() if len(c.held_out) == count]
        kinds = [_kind(c, labels) for c in young]
        best = choose([c.member.evidence for c in young], kinds, self._members)
        truth = indicator[:count]
        choice = self._averaged(tuple(young[i] for i in best), count, truth, labels)
        beyond_doubt = score(truth, grown.held_out[:count]) + 1 / math.sqrt(count)
        return choice if choice.evidence > beyond_doubt else None

    def _averaged(
        self, members: tuple[Candidate, ...], common: int, truth: Array, labels: LabelKind
    ) -> Choice:
        together = average([c.held_out[:common] for c in members])
        heat = final_temperature(together, truth, labels)
        together = sharpened(together, heat, labels)
        return Choice(members, heat, together, score(truth, together))

    def _forget(self, best: list[Candidate], most: int) -> None:
        """Keep memory bounded: candidates that are far from being chosen go; young ones stay."""
        keys = {c.key for c in best}
        self._candidates = {
            key: c for key, c in self._candidates.items() if key in keys or len(c.held_out) * 2 < most
        }


def _kind(candidate: Candidate, labels: LabelKind) -> str:
    """What must not fill the ensemble alone: one kind of head.

    With several labels ridge leads everywhere, by far: there it is one kernel and penalty.
    """
    return candidate.member.head if labels == "single" else f"{candidate.member.head} {candidate.spec}"
