"""Solves heads on whatever samples have arrived: in the dual form on all pairs, beyond that at landmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from headstart.backbones.temporal import parted
from headstart.heads.kernel import Matrix
from headstart.heads.ridge import SCIPY_PAYS, Array
from headstart.learn.bill import Bill
from headstart.learn.candidates import WIDE, Candidate, Problem, Spec, candidates, specs_for
from headstart.learn.features import Features
from headstart.learn.landmarks import Landmarks
from headstart.learn.products import Products
from headstart.learn.stream import Indices
from headstart.learn.truth import Truth
from headstart.words.clock import Budget, Clock
from headstart.words.config import Config
from headstart.words.task import LabelKind

DUAL = 1024
"""Up to so many training samples heads are solved on all pairs; beyond, at as many landmarks."""
_FEW = 4  # with fewer samples per class, only the heads that need few
_MANY = 2000  # classes beyond which discriminant analysis would solve a matrix of classes x classes
_TRIED = 2  # specs and heads that a stage's combinations are solved with
_GROUPED = 20_000  # beyond so many samples duplicates are not looked for: it would take seconds
_LAYERS = ("/d10", "/head")  # what is combined over stages, and all that is used at landmarks
Refold = Callable[[Matrix, Indices], "NDArray[np.integer] | None"]


class Solver:
    """Everything that is known of the training samples so far."""

    def __init__(
        self,
        features: Features,
        truth: Truth,
        folds: NDArray[np.integer],
        config: Config,
        labels: LabelKind,
        clock: Clock,
        budget: Budget,
    ) -> None:
        """truth (of n samples) and folds [n] are in the order of the run, as the rows of `features`."""
        self._features, self._config, self._labels = features, config, labels
        self.truth, self._folds = truth, folds
        self._clock, self._budget = clock, budget
        self.products: dict[str, Products] = {}
        self.usable: Indices = np.zeros(0, np.int64)
        self._ready: list[Indices] = []
        self._landmarks: dict[tuple[str, ...], Landmarks] = {}
        self._with_scipy = False
        self._by_stage: dict[str, float] = {}
        many = truth.classes > _MANY
        self._heads = tuple(head for head in config.heads if not (many and head == "lda")) or config.heads

    def take_in(self, number: int) -> None:
        """Extend the inner products by the samples that have arrived, in the order of the run."""
        settled = self._features.settled(0, "train")
        prefix = int(np.argmin(settled)) if not settled.all() else len(settled)
        bad = self._features.bad("train") if len(self.usable) < prefix else {}
        start = int(self.usable[-1]) + 1 if len(self.usable) else 0
        fresh = [row for row in range(start, prefix) if row not in bad]
        self.usable = np.concatenate([self.usable, np.array(fresh, np.int64)])
        # Workers go on meanwhile: how far each pass is gets looked at once, so that all its blocks agree.
        self._ready = [self._arrived(passing) for passing in range(number + 1)]
        for block, passing in self._features.pass_of.items():
            if passing <= number:
                products = self.products.setdefault(block, Products(self._features.dims[block], DUAL))
                rows = self._ready[passing][len(products) : DUAL]
                if len(rows) and len(products) < products.most:
                    before = len(products)
                    products.extend(self._features.block("train", block, rows))
                    new = (len(products) - before) * len(products)
                    self._clock.charge("products", "gram", self._features.dims[block], new)

    def _arrived(self, passing: int) -> Indices:
        """The usable samples, in order, up to the first that has not passed yet."""
        settled = self._features.settled(passing, "train")[self.usable]
        return self.usable[: int(np.argmin(settled)) if not settled.all() else len(settled)]

    def regroup(self, refold: Refold) -> bool:
        """New folds that keep near-duplicates together, which show in the tiny pixels; whether there are any."""
        tiny = next((block for block in self._features.pass_of if block.startswith("pixels@")), None)
        if tiny is None or len(self.usable) > _GROUPED:
            return False
        folds = refold(self._features.block("train", tiny, self.usable), self.usable)
        self._clock.charge("refold", "duplicates", 0, len(self.usable))
        if folds is None:
            return False
        self._folds = folds
        self._landmarks.clear()  # their sums were kept apart by the old folds
        return True

    def candidates(self, number: int, complete: bool) -> Iterator[Candidate]:
        """Solved heads, as they come: at the end of a stage on its combinations, before that on its own blocks."""
        samples = len(self._ready[number])
        found: Iterator[Candidate] = iter(())
        if samples > DUAL:
            found = self._at_landmarks(number, complete)
        elif samples >= 2:
            found = self._on_all_pairs(number, complete, samples)
        stages = {stage.blocks: stage.name for passing in self._features.passes for stage in passing.stages}
        for candidate in found:
            name = stages.get(candidate.member.blocks)
            if complete and name is not None:
                self._by_stage[name] = max(self._by_stage.get(name, 0.0), candidate.member.evidence)
            yield candidate

    @property
    def folds(self) -> NDArray[np.integer]:
        """The fold of each training sample, [n], near-duplicates together once they are known."""
        return self._folds

    def evidence_of_stages(self) -> dict[str, float]:
        """The best evidence of heads on each finished stage's features alone."""
        return dict(self._by_stage)

    def _on_all_pairs(self, number: int, complete: bool, samples: int) -> Iterator[Candidate]:
        few = not complete and samples < _FEW * self.truth.classes
        every = specs_for(self._labels)
        wide = [spec for spec in every if spec.kernel == WIDE]
        specs: Sequence[Spec] = every if complete else wide if few else every[:2]
        # Of ten thousand classes one head alone takes seconds.
        heads: Sequence[str] = self._heads[:1] if few and self.truth.classes > _MANY else self._heads
        for place, blocks in enumerate(self._combinations(number, complete)):
            problem = self._problem(blocks, samples, few)
            if samples >= SCIPY_PAYS and not self._with_scipy:
                self._with_scipy = True
                self._clock.charge("start", "scipy", 0, 1)
            bill = Bill(self._clock, problem)
            found = []
            for candidate in candidates(problem, specs, heads):
                bill.add(candidate)
                found.append(candidate)
                yield candidate
            bill.close(specs)
            if place == 0 and complete:
                # What leads on the stage's own features leads on its combinations: the rest is not tried there.
                best = sorted(found, key=lambda c: -c.member.evidence)
                specs = list(dict.fromkeys(c.spec for c in best))[:_TRIED]
                heads = tuple(dict.fromkeys(c.member.head for c in best))[:_TRIED]

    def _combinations(self, number: int, complete: bool) -> list[tuple[str, ...]]:
        """Which blocks are tried together: a stage's own; with those before it; one layer over all stages.

        Of clips, also what is seen and what happens apart: each leads on some data.
        """
        stages = self._features.passes[number].stages
        own, moving = stages[-1].blocks, self._moving(number)
        if not complete:
            return [_still(own), moving, own] if moving else [own]
        pass_of = self._features.pass_of
        before = [block for block, passing in pass_of.items() if passing <= number]
        result = [own, tuple(before)]
        if moving:
            result += [_still(own), moving]
            result += [(*moving, *own), (*moving, *(b for b in own if any(layer in b for layer in _LAYERS)))]
        if number >= 2:
            result.append(tuple(block for block in before if pass_of[block] >= number - 1))
        result += [tuple(block for block in before if block.endswith(layer)) for layer in _LAYERS]
        result += [stage.blocks for stage in stages[:-1]]
        return [blocks for blocks in dict.fromkeys(result) if blocks]

    def _moving(self, number: int) -> tuple[str, ...]:
        """The motion of the clips, where it is known by now."""
        stages = [stage for passing in self._features.passes[: number + 1] for stage in passing.stages]
        return tuple(block for stage in stages if stage.backbone == "motion" for block in stage.blocks)

    def _problem(self, blocks: Sequence[str], samples: int, few: bool) -> Problem:
        pairs = [self.products[block].among(samples) for block in blocks]
        products: Matrix = np.sum([p for p, _ in pairs], axis=0)
        norms: Matrix = np.sum([n for _, n in pairs], axis=0)
        rows = self.usable[:samples]
        known = self.truth[rows]
        folds = _halves(known) if few else self._folds[rows]
        dim = sum(self._features.dims[block] for block in blocks)
        return Problem(tuple(blocks), products, norms, dim, known, folds, self._labels)

    def _at_landmarks(self, number: int, complete: bool) -> Iterator[Candidate]:
        ready = self._ready[number]
        known, folds = self.truth.take(ready), self._folds[ready]
        for blocks in self._marked(number, complete):
            if blocks not in self._landmarks:
                own = [self.products[block] for block in blocks]
                self._landmarks[blocks] = Landmarks(blocks, own, WIDE, self.truth.classes)
                self._clock.charge("solve", "landmarks", 0, DUAL)
            marks = self._landmarks[blocks]
            dim = sum(self._features.dims[block] for block in blocks)
            for fed in marks.feed(self._fetch, ready, known, folds, DUAL):
                self._clock.charge("statistics", "landmarks", dim, fed)
                if self._budget.left(self._clock) <= 0.3:
                    return
            self._clock.charge("solve", "streamed fit", self.truth.classes, 1)
            for candidate in marks.candidates(known, folds, self._heads, self._labels):
                self._clock.charge("solve", f"streamed {candidate.member.head}", self.truth.classes, 1)
                yield candidate
            if complete:
                del self._landmarks[blocks]  # the sums of a finished stage are not needed again
        if complete:
            for products in self.products.values():
                if len(products) == DUAL:
                    products.forget()

    def _marked(self, number: int, complete: bool) -> list[tuple[str, ...]]:
        """The combinations that are worth landmarks: the stage's two best layers; over all stages; its pixels."""
        stages, moving = self._features.passes[number].stages, self._moving(number)
        best = tuple(block for block in stages[-1].blocks if block.endswith(_LAYERS)) or stages[-1].blocks
        result = [best, (*moving, *best)] if moving else [best]
        if complete:
            before = [b for b, p in self._features.pass_of.items() if p <= number and b.endswith(_LAYERS)]
            result += [tuple(before), moving, *(stage.blocks for stage in stages[:-1])]
        return [blocks for blocks in dict.fromkeys(result) if blocks]

    def _fetch(self, block: str, rows: Indices) -> Matrix:
        return self._features.block("train", block, rows)


def _still(blocks: Sequence[str]) -> tuple[str, ...]:
    """Those that average over frames: what is seen, whatever happens."""
    return tuple(block for block in blocks if not parted(block)[1])


def _halves(indicator: Array) -> NDArray[np.integer]:
    """Two folds that part each class's samples, int [n]: with few samples no class may be in one fold alone."""
    seen = np.cumsum(indicator, axis=0) * indicator
    halves: NDArray[np.int64] = seen.max(axis=1).astype(np.int64) % 2
    return halves
