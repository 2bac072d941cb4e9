"""The anytime learner: features stream in, heads are solved again at about equal steps of log time.

It asks the clock for the time, charges it for work, and yields what is worth publishing. It knows no run
folder, no torch and no library of priors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from headstart.heads.ensemble import Ensemble
from headstart.learn.challenger import Challenger, Report
from headstart.learn.features import Features
from headstart.learn.pool import Choice, Pool
from headstart.learn.predictor import Predictor
from headstart.learn.snapshot import Noted, Progressed, Snapshot
from headstart.learn.solver import DUAL, Refold, Solver
from headstart.learn.standing import Standing, at_least_as_good, stand_together
from headstart.learn.stream import Job, Stream, jobs
from headstart.learn.truth import Truth
from headstart.words.clock import Budget, Clock
from headstart.words.config import Config
from headstart.words.task import LabelKind

_STEP = 1.35  # the factor of time between two solves: about equal steps of log time
_FIRST = 256  # with hundreds of classes one sample of each has to do at first
_AREA = 32 * 64 * 64  # pixels in a batch: large ones do not fit the processor's cache
_LAST = 0.3  # seconds before the end in which no new solve is begun
_POLL = 0.2
_TOLD = 0.8  # evidence of raw pixels: where it is less, they tell little
_BESIDE = 1.5  # times the features' error that raw pixels may have for training to begin at once
_SLICE = 0.25  # seconds of training between two looks at the clock and the workers
_EXPORT = 2.0  # seconds before the end in which no network is published any more: it has to be exported first


Challenge = Callable[[NDArray[np.integer]], Challenger]
Choose = Callable[[Features, Mapping[str, float]], str]


class Learner:
    """One run over one task. Use `run` once."""

    def __init__(
        self,
        features: Features,
        truth: Truth,
        folds: NDArray[np.integer],
        config: Config,
        clock: Clock,
        budget: Budget,
        labels: LabelKind,
        workers: int,
        refold: Refold | None = None,
        challenge: Challenge | None = None,
        choose: Choose | None = None,
    ) -> None:
        """truth (of n samples) and folds [n] are in the order of the run, as the rows of `features`.

        workers: threads that compute features; 0 = none beside the caller's, one batch at a time.
        refold: from tiny pixels [m, dim] of some rows [m] to new folds [n], or None where the old are right.
        challenge: from the folds [n] that hold to a network that is trained beside the stages, or alone.
        choose: is called after the first pass, with the evidence of each of its stages; it may plan the others anew,
            and says why ("": nothing was decided).
        """
        self._choose = choose
        self._challenge_with, self._far = challenge, np.inf
        self._challenger: Challenger | None = None
        self._features, self._config, self._clock, self._budget = features, config, clock, budget
        self._labels, self._workers, self._refold = labels, workers, refold
        self._solver = Solver(features, truth, folds, config, labels, clock, budget)
        self._predictor = Predictor(features, truth.classes, labels, clock, budget)
        self._pool = Pool(config.members)
        self._closed: Choice | None = None
        self._published: Standing | None = None
        self._standing = True  # whether the published evidence may be compared with
        self._head_seconds = 0.0

    def run(self) -> Iterator[Snapshot | Progressed | Noted]:
        """Until everything is done or the budget is spent. Raises what the stream raises (DiskFull, ...)."""
        number = -1
        while (number := number + 1) < len(self._features.passes):
            stream = Stream(self._jobs(number), self._features.extract, self._workers)
            try:
                yield from self._pass(number, stream)
            finally:
                stream.stop()
            if self._budget.left(self._clock) <= 0:
                return
            yield from self._attempt(number, complete=True)
            if self._published is not None and self._published.evidence > self._config.enough:
                return
            self._far = min(self._far, self._far_from_photographs(number))
            if number == 0 and self._choose is not None:
                with self._features.meter.measure("choose"):
                    reason = self._choose(self._features, self._solver.evidence_of_stages())
                if reason:
                    yield Noted(self._clock.now(), reason)
        while self._training() and self._budget.left(self._clock) > 0:
            yield from self._challenge(alone=True)

    def _training(self) -> bool:
        """Whether there is a challenger, with something left to train."""
        if self._challenge_with is None:
            return False
        if self._challenger is None:  # not before the folds are those that keep duplicates together
            self._challenger = self._challenge_with(self._solver.folds)
        return not self._challenger.done

    def evidence_of_stages(self) -> dict[str, float]:
        """The best evidence of heads on each finished stage's features alone."""
        return self._solver.evidence_of_stages()

    def close(self) -> None:
        """Let go of what the challenger holds."""
        if self._challenger is not None:
            self._challenger.close()

    def _far_from_photographs(self, number: int) -> float:
        """The error of raw pixels in times that of the network's features, after the first pass; else infinite.

        Where pixels tell the classes apart well, and about as well as features, the task is unlike what the network was
        trained on. (Where neither does, as on clips that only differ by their motion, nothing follows.)
        """
        if number > 0 or self._challenge_with is None:
            return np.inf
        found = self._solver.evidence_of_stages()
        raw = max((evidence for name, evidence in found.items() if name.startswith("pixels@")), default=0.0)
        seen = max(
            (evidence for name, evidence in found.items() if not name.startswith("pixels@")), default=1.0
        )
        return (1 - raw) / (1 - seen) if seen < 1 and raw >= _TOLD else np.inf

    def _challenge(self, alone: bool, seconds: float = _SLICE) -> Iterator[Snapshot | Progressed]:
        """A slice of training, and a snapshot where the challenger has something new that helps."""
        challenger = self._challenger
        assert challenger is not None
        with self._features.meter.measure("train"):
            new = challenger.work(self._report(alone), min(seconds, self._budget.left(self._clock)))
        yield Progressed(self._clock.now(), challenger.doing, 0, 0, "")
        if new and self._budget.left(self._clock) > _EXPORT and self._take(self._closed):
            yield self._snapshot(challenger.doing.partition(",")[0])

    def _report(self, alone: bool) -> Report:
        held_out = np.zeros((0, self._solver.truth.classes), np.float32)
        if self._closed is not None:
            held_out = self._closed.held_out
        rows = self._solver.usable[: len(held_out)]
        left = self._budget.left(self._clock)
        threads = max(1, self._workers) if alone else 1  # else the workers have the other cores
        return Report(self._clock.now(), left, held_out, rows, self._far, alone, threads)

    def _jobs(self, number: int) -> Iterator[Job]:
        passing = self._features.passes[number]
        batch = max(1, max(4, min(32, _AREA // passing.pixels**2)) // passing.frames)
        train, tests = np.arange(len(self._solver.truth)), np.arange(len(self._predictor))
        if number == 0:
            first, early = self._first()
            # Whatever the first prediction waits for comes first, in small batches that workers share.
            yield from jobs(number, train[:first], tests[:early], min(batch, 16))
            train, tests = train[first:], tests[early:]
        yield from jobs(number, train, tests, batch)

    def _first(self) -> tuple[int, int]:
        """How many training and test samples the first prediction waits for."""
        classes = int((self._solver.truth.counts() > 0).sum())
        wanted = self._config.first_per_class * classes
        train = min(len(self._solver.truth), max(min(wanted, max(min(classes, DUAL), _FIRST)), 8))
        return train, min(len(self._predictor), self._config.first_test)

    def _pass(self, number: int, stream: Stream) -> Iterator[Snapshot | Progressed]:
        name = self._name(number)
        total, done = len(self._solver.truth) + len(self._predictor), 0
        first = sum(self._first()) if number == 0 else 0
        solved_at, solved_with = self._clock.now(), 0
        while not stream.ended and self._budget.left(self._clock) > 0:
            beside = self._far <= _BESIDE and self._training()
            before = self._clock.now()
            job = stream.next(min(_POLL, self._budget.left(self._clock)) if not beside else 0.0)
            done += len(job.rows) if job else 0
            if beside and (job is None or self._workers == 0):
                # Without workers half of the time is the challenger's; with them, what the main thread has left.
                taken = self._clock.now() - before if self._workers == 0 else _SLICE
                yield from self._challenge(alone=False, seconds=max(taken, 1e-3))
            now = self._clock.now()
            yield Progressed(now, name, done, total, self._next(number))
            due = now >= solved_at * _STEP and done >= max(solved_with * _STEP, solved_with + 16)
            if self._published is None:
                due = done >= max(first, solved_with + 16)
            if done < total and due and self._head_time_left():
                yield from self._attempt(number, complete=False)
                solved_at, solved_with = self._clock.now(), done

    def _name(self, number: int) -> str:
        return self._features.passes[number].stages[-1].name

    def _next(self, number: int) -> str:
        left = range(number + 1, len(self._features.passes))
        return "then " + ", ".join(map(self._name, left)) if left else "the last stage"

    def _head_time_left(self) -> bool:
        """Whether heads have had less than their share of the time so far.

        Without workers the clock tells what they took (it may be simulated); beside workers only the
        thread's own processor time does.
        """
        spent = self._head_seconds if self._workers == 0 else self._features.meter.totals().get("heads", 0.0)
        if self._published is None:
            return True
        return self._budget.left(self._clock) > _LAST and spent <= self._config.head_share * self._clock.now()

    def _attempt(self, number: int, complete: bool) -> Iterator[Snapshot]:
        """Solve heads on what is there, and yield a snapshot if the evidence for one is at least as good."""
        started = self._clock.now()
        with self._features.meter.measure("heads"):
            self._solver.take_in(number)
            better = self._decide(number, complete)
            told = self._published is not None and self._predictor.update(
                self._published.heads, self._solver.products, better
            )
        spent = self._clock.now() - started
        self._head_seconds += spent
        if not complete:  # else every sample of the stage has passed
            self._clock.beside(spent)
        if self._published is not None and (better or told) and self._budget.left(self._clock) > 0:
            yield self._snapshot(self._name(number))

    def _decide(self, number: int, complete: bool) -> bool:
        """Solve, choose, and take the choice if it is at least as good as what stands."""
        if number == 0 and complete and self._refold is not None and self._solver.regroup(self._refold):
            # Evidence from before flattered what memorises duplicates: it no longer stands against new evidence.
            self._pool, self._standing = Pool(self._config.members), False
        try:
            for candidate in self._solver.candidates(number, complete):
                self._pool.add(candidate)
                if self._budget.left(self._clock) <= 0.05:
                    break
        except np.linalg.LinAlgError:
            pass  # data without any spread: the candidates so far have to do
        truth = self._solver.truth[self._solver.usable[:DUAL]]
        choice = self._pool.choose(truth, self._labels, complete)
        self._clock.charge("choose", "thorough" if complete else "quick", truth.shape[1], len(truth))
        return choice is not None and self._take(choice)

    def _take(self, choice: Choice | None) -> bool:
        """Let the choice stand, with the networks that help it, if that is at least as good as what stands."""
        stand = self._challenger.stand if self._challenger is not None else None
        new = stand_together(
            choice, stand, self._solver.truth, self._solver.usable, self._labels, self._assembled
        )
        if new is None:
            return False
        old = self._published if self._standing else None
        if old is not None and new.says_the_same_as(old):
            return False
        if old is not None and not at_least_as_good(new, old, self._solver.truth):
            return False
        self._closed, self._published, self._standing = choice, new, True
        return True

    def _assembled(self, choice: Choice) -> Ensemble:
        members = tuple(candidate.member for candidate in choice.members)
        reach: dict[str, int] = {}
        for member in members:
            for block in member.blocks:
                reach[block] = max(reach.get(block, 0), member.landmarks)
        fixed = {block: self._solver.products[block].features[:n] for block, n in reach.items()}
        return Ensemble(members, fixed, self._labels, choice.temperature)

    def _snapshot(self, stage: str) -> Snapshot:
        standing = self._published
        assert standing is not None
        told = self._predictor.listed(None if standing.stand is None else standing.stand.test, standing.share)
        return Snapshot(
            self._clock.now(),
            stage,
            max(len(self._solver.usable), 0 if standing.stand is None else standing.stand.samples),
            standing.evidence,
            standing.ensemble,
            self._features.splits["train"][1][standing.rows],
            standing.held_out,
            told,
        )
