"""The stream: worker threads turn samples into features in the order of the run.

Threads, not processes: decoding and the forward pass both leave the interpreter, so two threads on one
single-threaded network session work as fast as two processes, start in no time, share memory, and none of
them can outlive the run (docs/decisions/002-workers.md).
"""

from __future__ import annotations

import atexit
import heapq
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PATIENCE = 0.3  # seconds; a batch takes less, only a huge file takes longer
_LONGEST = 10.0  # seconds to wait for a job when the process ends
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Job:
    """Some samples of one split that are to pass one pass (a group of stages at the same pixels)."""

    passing: int
    split: str
    rows: Indices


@dataclass(frozen=True)
class Failure:
    """A job that ended in an error which is not one file's fault (a full disk, damaged weights)."""

    error: Exception


def jobs(passing: int, train: Indices, test: Indices, batch: int) -> Iterator[Job]:
    """Both splits in batches, interleaved so that they end together: rows in the order given."""
    both = heapq.merge(
        _places("train", train, batch), _places("test", test, batch), key=lambda entry: entry[0]
    )
    for _, split, rows in both:
        yield Job(passing, split, rows)


def _places(split: str, rows: Indices, batch: int) -> Iterator[tuple[float, str, Indices]]:
    """Each batch with the share of its split that ends with it; a million rows are not cut up at once."""
    count = -(-len(rows) // batch)
    for number in range(count):
        yield (number + 1) / (count + 1), split, rows[number * batch : (number + 1) * batch]


class Stream:
    """Runs jobs on `workers` threads, or (0 workers) one at a time in the caller's when asked for the next."""

    def __init__(self, work: Iterator[Job], extract: Callable[[Job], None], workers: int) -> None:
        self._work, self._extract = work, extract
        self._lock = threading.Lock()
        self._finished: queue.SimpleQueue[Job | Failure | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._running = workers
        self._inline = workers == 0
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def _take(self) -> Job | None:
        with self._lock:
            return None if self._stop.is_set() else next(self._work, None)

    def _run(self) -> None:
        try:
            while (job := self._take()) is not None:
                self._extract(job)
                self._finished.put(job)
        except Exception as error:
            self._finished.put(Failure(error))
        finally:
            self._finished.put(None)

    def next(self, timeout: float) -> Job | None:
        """The next finished job; None when there is none within `timeout` seconds. Raises a job's error."""
        if self._inline:
            job = self._take()
            if job is not None:
                self._extract(job)
            else:
                self._running, self._inline = 0, False
            return job
        try:
            done = self._finished.get(timeout=max(timeout, 0.0))
        except queue.Empty:
            return None
        if done is None:
            self._running -= 1
            return None
        if isinstance(done, Failure):
            raise done.error
        return done

    @property
    def ended(self) -> bool:
        """Whether every job is finished and was handed out."""
        return not self._inline and self._running == 0

    def stop(self) -> None:
        """Start no further job, and wait a moment for those under way; none outlives the process.

        A thread that Python ends inside of onnxruntime takes the process down with it: whoever leaves while
        jobs are under way waits for them (or leaves at once, as the command does).
        """
        self._stop.set()
        for thread in self._threads:
            thread.join(_PATIENCE)
            if thread.is_alive():
                atexit.register(thread.join, _LONGEST)
