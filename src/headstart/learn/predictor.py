"""Keeps the posteriors of the test samples up to the published model, each sample as its features arrive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from headstart.heads.calibration import sharpened
from headstart.heads.ensemble import Ensemble, Member, average, blended
from headstart.heads.kernel import Matrix
from headstart.learn.features import Features
from headstart.learn.products import Products, Queries
from headstart.learn.stream import Indices
from headstart.words.clock import Budget, Clock
from headstart.words.task import LabelKind

_KEPT = (
    2000  # up to so many test samples their inner products are kept; beyond, they are computed when needed
)


class Predictor:
    """Test posteriors, float32 [m, classes], in the order of the run; even odds before a sample was seen."""

    def __init__(
        self, features: Features, classes: int, labels: LabelKind, clock: Clock, budget: Budget
    ) -> None:
        samples = len(features.splits["test"][0]) if "test" in features.splits else 0
        self._features, self._labels, self._clock, self._budget = features, labels, clock, budget
        self._test = np.full((samples, classes), 0.5 if labels == "multi" else 1.0 / classes, np.float32)
        self._told = np.zeros(samples, bool)
        self._queries: dict[str, Queries] = {}

    def __len__(self) -> int:
        return len(self._test)

    def listed(self, trained: Matrix | None = None, share: float = 0.0) -> Matrix | None:
        """The posteriors in the order of the test list; None without a test split.

        trained: what networks say, float32 [m, classes] in the order of the run, with their share of the average.
        """
        if len(self) == 0:
            return None
        result = np.empty_like(self._test)
        told = self._test if trained is None else blended(self._test, trained, share)
        result[self._features.splits["test"][1]] = told
        return result

    def update(self, ensemble: Ensemble, products: Mapping[str, Products], new: bool) -> bool:
        """Bring up to date what can be; whether any posterior changed.

        new: the ensemble is another than at the last call. Samples that lack features keep what they have.
        """
        if len(self) == 0:
            return False
        if new:
            self._told[:] = False
        there = np.ones(len(self), bool)
        for block in ensemble.blocks:
            there &= self._features.arrived("test", block)
        rows = np.flatnonzero(there & ~self._told)
        if len(rows) == 0:
            return False
        if len(self) > _KEPT:
            self._at_once(rows, ensemble)
        else:
            self._fill(rows, ensemble.blocks)
            parts = [self._part(rows, member, products) for member in ensemble.members]
            self._test[rows] = sharpened(average(parts), ensemble.temperature, self._labels)
            self._told[rows] = True
        return True

    def _part(self, rows: Indices, member: Member, products: Mapping[str, Products]) -> Matrix:
        for block in member.blocks:
            new, dim = self._queries[block].lacking(rows, member.landmarks), self._features.dims[block]
            if new:
                self._clock.charge("products", "queries", dim, new)
            self._clock.charge("predict", "norms", dim, len(rows))
        pairs = [
            self._queries[block].against(products[block], rows, member.landmarks) for block in member.blocks
        ]
        self._charge(member, len(rows))
        columns: Matrix = np.sum([products[b].norms[: member.landmarks] for b in member.blocks], axis=0)
        inner: Matrix = np.sum([p for p, _ in pairs], axis=0)
        own: Matrix = np.sum([n for _, n in pairs], axis=0)
        return member.posteriors(inner, own, columns, self._labels)

    def _charge(self, member: Member, rows: int) -> None:
        """What a member's posteriors of so many rows cost, once their products with the landmarks are there."""
        classes, pairs = self._test.shape[1], rows * member.landmarks
        name = member.head if member.head == "neighbours" else member.kernel.name
        self._clock.charge("predict", "sum", 0, len(member.blocks) * pairs)
        self._clock.charge("predict", name, classes, pairs)

    def _fill(self, rows: Indices, blocks: Sequence[str]) -> None:
        for block in blocks:
            queries = self._queries.setdefault(block, Queries(self._features.dims[block], len(self)))
            new = rows[~queries.done[rows]]
            if len(new):
                queries.put(new, self._features.block("test", block, new))
                self._clock.charge("predict", "put", self._features.dims[block], len(new))

    def _at_once(self, rows: Indices, ensemble: Ensemble) -> None:
        """A piece at a time, nothing kept, until all are done or the budget is."""
        for first in range(0, len(rows), 512):
            some = rows[first : first + 512]
            features = {block: self._features.block("test", block, some) for block in ensemble.blocks}
            self._test[some] = ensemble(features)
            self._told[some] = True
            for block, fixed in ensemble.landmarks.items():
                new = len(some) * len(fixed)
                self._clock.charge("products", "queries", self._features.dims[block], new)
            for member in ensemble.members:
                self._charge(member, len(some))
            if self._budget.left(self._clock) <= 0.3:
                return
