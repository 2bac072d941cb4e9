"""A meter: how much processor time each kind of work took. For people to read; nothing is decided by it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Meter:
    """Sums of CPU seconds by kind of work, over all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, kind: str) -> Iterator[None]:
        """Counts the calling thread's CPU time inside the block as `kind`."""
        started = time.thread_time()
        try:
            yield
        finally:
            spent = time.thread_time() - started
            with self._lock:
                self._seconds[kind] = self._seconds.get(kind, 0.0) + spent

    def totals(self) -> dict[str, float]:
        """CPU seconds by kind."""
        with self._lock:
            return dict(self._seconds)
