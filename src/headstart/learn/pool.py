"""The pool of candidates: which of them are averaged, judged on the same training samples."""

from __future__ import annotations

from dataclasses import dataclass

from headstart.heads.ensemble import average, choose
from headstart.heads.kernel import Matrix
from headstart.heads.ridge import Array
from headstart.learn.candidates import Candidate
from headstart.words.scoring import score

_KEPT = 3  # times the members of an ensemble: the rest can never be chosen soon


@dataclass(frozen=True)
class Choice:
    """An average of candidates: its members, best first; its held-out posteriors and their score."""

    members: tuple[Candidate, ...]
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

    def choose(self, indicator: Array) -> Choice | None:
        """The average with the best evidence, on the samples that all those considered have spoken about.

        indicator: float64 [n, classes]. Candidates of a stage that has seen under half of the samples wait.
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
        kinds = [c.member.head for c in able]
        self._forget([able[i] for i in choose(evidence, kinds, self._members * _KEPT)], most)
        members = tuple(able[i] for i in choose(evidence, kinds, self._members))
        together = average([c.held_out[:common] for c in members])
        return Choice(members, together, score(truth, together))

    def _forget(self, best: list[Candidate], most: int) -> None:
        """Keep memory bounded: candidates that are far from being chosen go; young ones stay."""
        keys = {c.key for c in best}
        self._candidates = {
            key: c for key, c in self._candidates.items() if key in keys or len(c.held_out) * 2 < most
        }
