"""headstart as a submission of the AutoDL challenge: its anytime run behind `train` and `test`.

The first `train` reads as many samples as a second holds, and the first `test` reads the test samples and runs up to
the first prediction. Each later `train` goes on to the next snapshot, whose posteriors the `test` after it returns.
Samples that were not read at first are read beside the run; when all are there, a run over all of them takes over.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.api import Request, run
from headstart.backbones.probe import choose_precision
from headstart.challenge.submitted_feed import Convert, Picture, Reading, Shelf
from headstart.errors import HeadstartError
from headstart.learn.snapshot import Noted, Progressed, Snapshot
from headstart.words.clock import Budget
from headstart.words.task import Kind, Task

Matrix = NDArray[np.float32]

_BUDGET = 1200.0  # seconds, where the program tells none
_MARGIN = 0.5  # seconds of the end in which no prediction would arrive in time
_FIRST = 1.0  # seconds in which samples are read for the first prediction
_WHOLE = 4.0  # or so many, where that is enough for all of them: one run is better than two
_MORE = 2.0  # so many times the samples are worth breaking off a run for one over all of them
_REST = 1.1  # the same when the run before has come to its end


class Columns:
    """Which columns of the challenge a run learns, and what it says in those of the challenge.

    labels: float [n, outputs]. One label per sample, wherever every sample has just one, is learnt as a choice.
    Raises BadInput where there are no two classes to tell apart.
    """

    def __init__(self, labels: Matrix) -> None:
        ones = labels >= 0.5
        self._outputs = ones.shape[1]
        self._present = np.flatnonzero(ones.any(axis=0))
        self._choice = bool((ones.sum(axis=1) == 1).all()) and self._outputs > 1
        self._lone = len(self._present) < 2 and not self._choice
        self.targets: NDArray[np.int64] = ones[:, self._present].astype(np.int64)
        if self._choice:
            self.targets = np.nonzero(ones)[1]
        elif self._lone:
            self.targets = ones.max(axis=1, initial=False).astype(np.int64)

    def spread(self, posteriors: Matrix) -> Matrix:
        """Posteriors of the run as the challenge wants them, float32 [m, outputs]."""
        whole = np.zeros((len(posteriors), self._outputs), np.float32)
        whole[:, self._present] = posteriors[:, 1:] if self._lone else posteriors
        return whole


@dataclass(frozen=True)
class Said:
    """Posteriors float32 [m, outputs]. blank: bool [m], samples that nothing is said of yet."""

    posteriors: Matrix
    blank: NDArray[np.bool_]


class Game:
    """One run over the samples that there are. Use `advance` until it returns None; then `close`."""

    def __init__(
        self, train: list[Picture], labels: Matrix, test: list[Picture], kind: Kind, out: Path, seconds: float
    ) -> None:
        self._columns = Columns(labels)
        self.samples = len(train)
        self._events = run(
            Request(train, Budget(seconds), out, test, labels=self._columns.targets, kind=kind)
        )
        self.stages: list[str] = []
        self.last: Snapshot | None = None

    def events(self) -> Iterator[Said | None]:
        """What each snapshot says; None between them, so that the caller can think of something else."""
        for event in self._events:
            if isinstance(event, (Task, Noted)):
                continue
            if event.stage not in self.stages:
                self.stages.append(event.stage)
            if isinstance(event, Progressed) or event.test is None:
                yield None
                continue
            self.last = event
            # Samples that it has not looked at yet have even odds.
            yield Said(self._columns.spread(event.test), (event.test == event.test[:, :1]).all(axis=1))

    def close(self) -> None:
        """Stop its workers and let go of its files."""
        close = getattr(self._events, "close", None)
        if close is not None:
            close()


def overtakes(new: Game, old: Game | None) -> bool:
    """Whether the newest snapshot of a run over more samples is worth more than the last of the run before.

    Their evidence is over different samples: it decides only as long as the new run has not come as far.
    """
    if old is None or old.last is None or new.last is None:
        return True
    if new.last.samples_seen < old.last.samples_seen:
        return False
    reached = old.stages.index(old.last.stage)
    far = new.stages.index(new.last.stage) >= reached
    return far or new.last.evidence >= old.last.evidence


def _tidy(to_close: list[Game | Reading], folder: Path) -> None:
    """End what still runs, and remove what it wrote."""
    for one in to_close:
        one.close()
    shutil.rmtree(folder, ignore_errors=True)


class Submitted:
    """The class that the challenge calls; see the top of this file.

    metadata: its object. done_training: whether nothing more will come.
    """

    def __init__(self, metadata: Any) -> None:
        self.done_training = False
        self._compressed = bool(metadata.is_compressed())
        self._sequence = int(metadata.get_sequence_size())
        self._outputs, self._size = int(metadata.get_output_size()), int(metadata.size())
        self._folder = Path(tempfile.mkdtemp(prefix="headstart-"))
        self._to_close: list[Game | Reading] = []
        # Also at the end of the process, which would otherwise pull threads out of the middle of a network.
        weakref.finalize(self, _tidy, self._to_close, self._folder)
        self._shelf = Shelf(str(self._folder))
        self._train: Reading | None = None
        self._test: list[Picture] | None = None
        self._convert: Convert | None = None
        self._game: Game | None = None
        self._before: Game | None = None
        self._events: Iterator[Said | None] = iter(())
        self._next: Matrix | None = None
        self._latest: Matrix | None = None
        self._end = 0.0
        choose_precision()  # loads what the first network needs, before the clock starts

    def train(self, dataset: Any, remaining_time_budget: float | None = None) -> None:
        """Read samples at first; then go on to the next prediction."""
        self._note(remaining_time_budget)
        if self._train is None:
            self._train = Reading(dataset, self._shelf)
            self._to_close.append(self._train)
            self._convert = self._train.first(self._compressed, self._sequence)
            start = time.monotonic()
            self._train.read(lambda: self._is_enough(time.monotonic() - start))
        elif self._test is not None:
            self._advance()

    def test(self, dataset: Any, remaining_time_budget: float | None = None) -> Matrix | None:
        """Posteriors float32 [test samples, outputs]; None when there is nothing new, which ends the game."""
        self._note(remaining_time_budget)
        first = self._test is None
        if self._test is None:
            reading = Reading(dataset, self._shelf, self._convert)
            reading.first(self._compressed, self._sequence)
            reading.read()
            if reading.error is not None:
                raise reading.error
            self._test = reading.pictures
            self._advance()
        found, self._next = self._next, None
        if found is None and first:
            return np.zeros((len(self._test), self._outputs), np.float32)
        if first and self._train is not None and not self._train.finished.is_set():
            self._train.go_on()
        return found

    def _is_enough(self, seconds: float) -> bool:
        """Whether samples that took so long to read will do for a first prediction."""
        assert self._train is not None
        # Records may be sorted by class: nothing can be learnt before there is a second one.
        if seconds < _FIRST or not self._train.varied:
            return False
        return seconds > _WHOLE or self._size * seconds > _WHOLE * len(self._train.labels)

    def _note(self, remaining: float | None) -> None:
        if remaining is not None or not self._end:
            self._end = time.monotonic() + (_BUDGET if remaining is None else remaining)

    def _left(self) -> float:
        return self._end - time.monotonic() - _MARGIN

    def _advance(self) -> None:
        """Up to the next prediction that is worth publishing, in `_next`; else `done_training` is set."""
        try:
            while self._left() > 0 and self._next is None:
                if self._is_time_to_start(_MORE):
                    self._start()
                found = next(self._events, False)
                if found is False:
                    if not self._wait():
                        break
                    self._start()
                elif isinstance(found, Said) and self._game and overtakes(self._game, self._before):
                    self._next, self._before = self._filled(found), None
        except HeadstartError as error:
            print(f"headstart: {error}", file=sys.stderr)
        if self._next is None:
            self.done_training = True
            if self._game is not None:
                self._game.close()

    def _filled(self, said: Said) -> Matrix:
        """Samples that a second run has not looked at yet keep what the first one said of them."""
        if self._latest is not None:
            said.posteriors[said.blank] = self._latest[said.blank]
        self._latest = said.posteriors
        return said.posteriors

    def _is_time_to_start(self, more: float) -> bool:
        assert self._train is not None
        if self._game is None:
            return True
        return self._train.finished.is_set() and len(self._train.labels) >= more * self._game.samples

    def _wait(self) -> bool:
        """The run is over: wait for the rest of the samples. Whether there will be another run."""
        assert self._train is not None
        self._train.finished.wait(max(0.0, self._left()))
        return self._is_time_to_start(_REST)

    def _start(self) -> None:
        """A run over all samples that there are."""
        assert self._train is not None and self._test is not None and self._convert is not None
        if self._game is not None:
            self._game.close()
            if self._game.last is not None:
                self._before = self._game
        pictures, labels = self._train.taken()
        folder = self._folder / f"run-{len(pictures)}"
        self._game = Game(pictures, labels, self._test, self._convert.kind, folder, self._left())
        self._to_close.append(self._game)
        self._events = self._game.events()
