"""The anytime learner: features stream in, heads are solved again at about equal steps of log time.

It asks the clock for the time, charges it for work, and yields what is worth publishing. It knows no run
folder, no torch and no library of priors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from headstart.heads.ensemble import Ensemble
from headstart.heads.kernel import Matrix
from headstart.learn.candidates import SPECS, WIDE, Candidate, Problem, Spec, candidates
from headstart.learn.features import Features
from headstart.learn.landmarks import Landmarks
from headstart.learn.pool import Choice, Pool
from headstart.learn.products import Products, Queries
from headstart.learn.snapshot import Progressed, Snapshot
from headstart.learn.stream import Indices, Job, Stream, jobs
from headstart.words.clock import Budget, Clock
from headstart.words.config import Config
from headstart.words.scoring import score
from headstart.words.task import LabelKind

DUAL = 1536
"""Up to so many training samples heads are solved in the dual form, on all pairs; beyond, at landmarks."""
_STEP = 1.35  # the factor of time between two solves: about equal steps of log time
_QUERIES = 2000  # up to so many test samples their products are kept; beyond, they are computed when needed
_TRIED = 2  # specs and heads that a stage's combinations are solved with
_FIRST = 256  # with hundreds of classes one sample of each has to do at first
_POLL = 0.2
_NO_FOLDS = 4  # with fewer samples per class, only the heads that need few


Refold = Callable[[Matrix, Indices], "NDArray[np.integer] | None"]


class Learner:
    """One run over one task. Use `run` once."""

    def __init__(
        self,
        features: Features,
        indicator: NDArray[np.uint8],
        folds: NDArray[np.integer],
        config: Config,
        clock: Clock,
        budget: Budget,
        labels: LabelKind,
        workers: int,
        refold: Refold | None = None,
    ) -> None:
        """indicator [n, classes] and folds [n] are in the order of the run, as the rows of `features`.

        refold: from tiny pixels [m, dim] of some rows [m] to new folds [n], or None where the old are right.
        """
        self._features, self._config, self._clock, self._budget = features, config, clock, budget
        self._indicator, self._folds, self._labels = indicator.astype(np.float64), folds, labels
        self._workers = workers
        self._pool = Pool(config.members)
        self._products: dict[str, Products] = {}
        self._queries: dict[str, Queries] = {}
        self._pass_of = {
            block: number
            for number, (_, stages) in enumerate(features.passes)
            for stage in stages
            for block in stage.blocks
        }
        self._usable = np.zeros(0, np.int64)
        self._ready: list[Indices] = []
        self._landmarks: dict[tuple[str, ...], Landmarks] = {}
        self._published: Choice | None = None
        self._standing, self._refold = True, refold
        tests = len(features.splits["test"][0]) if "test" in features.splits else 0
        classes = indicator.shape[1]
        self._test = np.full((tests, classes), 1.0 / classes, np.float32) if tests else None
        self._told = np.zeros(tests, bool)
        self._head_seconds = 0.0

    def run(self) -> Iterator[Snapshot | Progressed]:
        """Until everything is done or the budget is spent. Raises what the stream raises (DiskFull, ...)."""
        for number in range(len(self._features.passes)):
            stream = Stream(self._jobs(number), self._features.extract, self._workers)
            try:
                yield from self._pass(number, stream)
            finally:
                stream.stop()
            if self._budget.left(self._clock) <= 0:
                return
            yield from self._attempt(number, complete=True)

    # the stream

    def _jobs(self, number: int) -> Iterator[Job]:
        pixels = self._features.passes[number][0]
        batch = max(4, min(32, 32 * 64 * 64 // pixels**2))
        train = np.arange(len(self._indicator))
        tests = np.arange(len(self._told))
        if number == 0:
            first, early = self._first()
            # Whatever the first prediction waits for comes first, in small batches that workers share.
            yield from jobs(number, train[:first], tests[:early], min(batch, 16))
            train, tests = train[first:], tests[early:]
        yield from jobs(number, train, tests, batch)

    def _first(self) -> tuple[int, int]:
        """How many training and test samples the first prediction waits for."""
        classes = int((self._indicator.sum(axis=0) > 0).sum())
        wanted = self._config.first_per_class * classes
        train = min(len(self._indicator), max(min(wanted, max(classes, _FIRST)), 8))
        return train, min(len(self._told), self._config.first_test)

    def _pass(self, number: int, stream: Stream) -> Iterator[Snapshot | Progressed]:
        name = self._name(number)
        total, done = len(self._indicator) + len(self._told), 0
        first = sum(self._first()) if number == 0 else 0
        solved_at, solved_with = self._clock.now(), 0
        while not stream.ended and self._budget.left(self._clock) > 0:
            job = stream.next(min(_POLL, self._budget.left(self._clock)))
            done += len(job.rows) if job else 0
            now = self._clock.now()
            yield Progressed(now, name, done, total, self._next(number))
            due = now >= solved_at * _STEP and done >= max(solved_with * _STEP, solved_with + 16)
            if self._published is None:
                due = done >= first
            if done < total and due and self._head_time_left():
                yield from self._attempt(number, complete=False)
                solved_at, solved_with = self._clock.now(), done

    def _name(self, number: int) -> str:
        _, stages = self._features.passes[number]
        return f"{stages[-1].backbone}@{stages[-1].pixels}"

    def _next(self, number: int) -> str:
        left = range(number + 1, len(self._features.passes))
        return "then " + ", ".join(map(self._name, left)) if left else "the last stage"

    def _head_time_left(self) -> bool:
        """Heads get their share of the time so far. Without workers the clock tells what they took (it may be
        simulated); beside workers only the thread's own processor time does."""
        spent = self._head_seconds if self._workers == 0 else self._features.meter.totals().get("heads", 0.0)
        return self._published is None or spent <= self._config.head_share * self._clock.now()

    # solving

    def _attempt(self, number: int, complete: bool) -> Iterator[Snapshot]:
        """Solve heads on what is there, and yield a snapshot if the evidence for one is at least as good."""
        started = self._clock.now()
        self._take_in(number)
        with self._features.meter.measure("heads"):
            better = self._decide(number, complete)
            told = self._predict(better, complete)
        self._head_seconds += self._clock.now() - started
        if self._published is not None and (better or told) and self._budget.left(self._clock) > 0:
            yield self._snapshot(number)

    def _decide(self, number: int, complete: bool) -> bool:
        """Solve, choose, and take the choice if it is at least as good as what stands."""
        if number == 0 and complete:
            self._regroup()
        for candidate in self._solve(number, complete):
            self._pool.add(candidate)
            if self._budget.left(self._clock) <= 0.05:
                break
        choice = self._pool.choose(self._indicator[self._usable])
        better = choice is not None and self._is_better(choice)
        if better:
            self._published = choice
        return better

    def _regroup(self) -> None:
        """Near-duplicates show once every sample was seen: from now on they share a fold.

        Evidence from before flattered what memorises them, so it no longer stands against new evidence.
        """
        tiny = next((block for block in self._pass_of if block.startswith("pixels@")), None)
        if tiny is None or self._refold is None or len(self._usable) > DUAL * 4:
            return
        folds = self._refold(self._features.block(0, "train", tiny, self._usable), self._usable)
        if folds is not None:
            self._folds = folds
            self._pool = Pool(self._config.members)
            self._standing = False

    def _take_in(self, number: int) -> None:
        """Extend the inner products by the samples that have arrived, in the order of the run."""
        settled = self._features.settled(0, "train")
        prefix = int(np.argmin(settled)) if not settled.all() else len(settled)
        bad = self._features.bad("train") if len(self._usable) < prefix else {}
        start = int(self._usable[-1]) + 1 if len(self._usable) else 0
        fresh = [row for row in range(start, prefix) if row not in bad]
        self._usable = np.concatenate([self._usable, np.array(fresh, np.int64)])
        # Workers go on meanwhile: how far each pass is gets looked at once, so that all its blocks agree.
        self._ready = [self._ready_rows(passing) for passing in range(number + 1)]
        for block, passing in self._pass_of.items():
            if passing <= number:
                products = self._products.setdefault(block, Products(self._features.dims[block], DUAL))
                rows = self._ready[passing][len(products) : DUAL]
                if len(rows):
                    products.extend(self._features.block(passing, "train", block, rows))
                    self._clock.charge("products", block, 0, len(rows))

    def _ready_rows(self, passing: int) -> Indices:
        """The usable samples, in order, up to the first that has not passed yet."""
        settled = self._features.settled(passing, "train")[self._usable]
        return self._usable[: int(np.argmin(settled)) if not settled.all() else len(settled)]

    def _combinations(self, number: int, complete: bool) -> list[tuple[str, ...]]:
        """Which blocks are tried together: a stage's own; with those before it; one layer over all stages."""
        stages = self._features.passes[number][1]
        own = stages[-1].blocks
        if not complete:
            return [own]
        before = [block for block, passing in self._pass_of.items() if passing <= number]
        result = [own, tuple(before)]
        last = [block for block, passing in self._pass_of.items() if passing in (number - 1, number)]
        if number >= 2:
            result.append(tuple(last))
        for layer in ("d10", "head"):
            result.append(tuple(block for block in before if block.endswith("/" + layer)))
        result += [stage.blocks for stage in stages[:-1]]
        return [blocks for blocks in dict.fromkeys(result) if blocks]

    def _solve(self, number: int, complete: bool) -> Iterator[Candidate]:
        samples = len(self._ready[number])
        if samples < 2:
            return
        if samples > DUAL:
            yield from self._solve_at_landmarks(number, complete)
            return
        few = not complete and samples < _NO_FOLDS * self._indicator.shape[1]
        specs: Sequence[Spec] = SPECS if complete else SPECS[1:2] if few else SPECS[:2]
        heads = self._config.heads
        for place, blocks in enumerate(self._combinations(number, complete)):
            found = list(self._solve_dual(blocks, samples, specs, heads, few))
            yield from found
            if place == 0 and complete:
                # What leads on the stage's own features leads on its combinations: the rest is not tried there.
                best = sorted(found, key=lambda c: -c.member.evidence)
                specs = list(dict.fromkeys(c.spec for c in best))[:_TRIED]
                heads = tuple(dict.fromkeys(c.member.head for c in best[:_TRIED]))

    def _solve_dual(
        self, blocks: Sequence[str], samples: int, specs: Sequence[Spec], heads: Sequence[str], few: bool
    ) -> Iterator[Candidate]:
        pairs = [self._products[block].among(samples) for block in blocks]
        products, norms = np.sum([p for p, _ in pairs], axis=0), np.sum([n for _, n in pairs], axis=0)
        rows = self._usable[:samples]
        dim = sum(self._features.dims[block] for block in blocks)
        known = self._indicator[rows]
        folds = _halves(known) if few else self._folds[rows]
        problem = Problem(tuple(blocks), products, norms, dim, known, folds, self._labels)
        for candidate in candidates(problem, specs, heads):
            self._clock.charge("solve", candidate.member.head, 0, samples)
            yield candidate

    def _solve_at_landmarks(self, number: int, complete: bool) -> Iterator[Candidate]:
        layers = tuple(
            block
            for block in self._features.passes[number][1][-1].blocks
            if block.endswith(("/d10", "/head")) or "@" not in block
        )
        before = [b for b, p in self._pass_of.items() if p <= number and b.endswith(("/d10", "/head"))]
        wanted = [layers] if not complete or number == 0 else [layers, tuple(before)]
        if complete:
            wanted += [stage.blocks for stage in self._features.passes[number][1][:-1]]
        ready = self._ready[number]
        for blocks in dict.fromkeys(wanted):
            if blocks not in self._landmarks:
                own = [self._products[block] for block in blocks]
                self._landmarks[blocks] = Landmarks(blocks, own, WIDE, self._indicator.shape[1])
            marks = self._landmarks[blocks]
            for fed in marks.feed(self._fetch, ready, self._indicator[ready], self._folds[ready], DUAL):
                self._clock.charge("statistics", "landmarks", 0, fed)
                if self._budget.left(self._clock) <= 0.3:
                    return
            yield from marks.candidates(
                self._indicator[ready], self._folds[ready], self._config.heads, self._labels
            )
        if complete:
            self._landmarks.clear()  # the sums of a finished stage are not needed again

    def _fetch(self, block: str, rows: Indices) -> Matrix:
        return self._features.block(self._pass_of[block], "train", block, rows)

    # deciding

    def _is_better(self, choice: Choice) -> bool:
        """At least as good as what stands, on the training samples that both have spoken about."""
        if self._published is None or not self._standing:
            self._standing = True
            return True
        common = min(len(choice.held_out), len(self._published.held_out))
        truth = self._indicator[self._usable[:common]]
        return score(truth, choice.held_out[:common]) >= score(truth, self._published.held_out[:common])

    # predicting

    def _predict(self, better: bool, complete: bool) -> bool:
        """Bring the test posteriors up to the published model; whether any changed."""
        if self._test is None or self._published is None:
            return False
        blocks = tuple(
            dict.fromkeys(block for c in self._published.members for block in c.member.blocks)
        )
        there = np.ones(len(self._told), bool)
        for block in blocks:
            there &= self._features.tables[self._pass_of[block], "test"].caches[block].done
        rows = np.flatnonzero(there if better else there & ~self._told)
        if len(rows) == 0 or (len(self._told) > _QUERIES and not complete and self._told[rows].all()):
            return False
        self._test[rows] = self._posteriors(rows, blocks)
        if better:
            self._told[:] = False
        self._told[rows] = True
        return True

    def _posteriors(self, rows: Indices, blocks: Sequence[str]) -> Matrix:
        assert self._published is not None
        self._clock.charge("predict", "test", 0, len(rows))
        if len(self._told) > _QUERIES:
            return self._at_once(rows, blocks)
        self._fill_queries(rows, blocks)
        parts = []
        for candidate in self._published.members:
            member = candidate.member
            pairs = [
                self._queries[b].against(self._products[b], rows, member.landmarks) for b in member.blocks
            ]
            columns = [self._products[b].among(member.landmarks)[1] for b in member.blocks]
            products, own = np.sum([p for p, _ in pairs], axis=0), np.sum([n for _, n in pairs], axis=0)
            parts.append(member.posteriors(products, own, np.sum(columns, axis=0), self._labels))
        return np.mean(parts, axis=0, dtype=np.float32)

    def _fill_queries(self, rows: Indices, blocks: Sequence[str]) -> None:
        for block in blocks:
            queries = self._queries.setdefault(
                block, Queries(self._features.dims[block], len(self._told))
            )
            new = rows[~queries.done[rows]]
            if len(new):
                queries.put(new, self._features.block(self._pass_of[block], "test", block, new))

    def _at_once(self, rows: Indices, blocks: Sequence[str]) -> Matrix:
        ensemble = self._ensemble()
        parts = []
        for first in range(0, len(rows), 512):
            some = rows[first : first + 512]
            parts.append(
                ensemble({b: self._features.block(self._pass_of[b], "test", b, some) for b in blocks})
            )
            if self._budget.left(self._clock) <= 0.3:
                break
        done = np.concatenate(parts)
        assert self._test is not None
        return np.concatenate([done, self._test[rows[len(done) :]]])

    def _ensemble(self) -> Ensemble:
        assert self._published is not None
        members = tuple(candidate.member for candidate in self._published.members)
        reach: dict[str, int] = {}
        for member in members:
            for block in member.blocks:
                reach[block] = max(reach.get(block, 0), member.landmarks)
        fixed = {block: self._products[block].features[:n] for block, n in reach.items()}
        return Ensemble(members, fixed, self._labels)

    def _snapshot(self, number: int) -> Snapshot:
        assert self._published is not None
        held_out = self._published.held_out
        test = None
        if self._test is not None:
            test = np.empty_like(self._test)
            test[self._features.splits["test"][1]] = self._test
        return Snapshot(
            self._clock.now(),
            self._name(number),
            len(self._usable),
            self._published.evidence,
            self._ensemble(),
            self._features.splits["train"][1][self._usable[: len(held_out)]],
            held_out,
            test,
        )


def _halves(indicator: NDArray[np.floating]) -> NDArray[np.integer]:
    """Two folds that part each class's samples, int [n]: with few samples no class may be in one fold alone."""
    seen = np.cumsum(indicator, axis=0) * indicator
    return seen.max(axis=1).astype(np.int64) % 2
