"""Looks at predictions while the run goes on, in a thread of its own, so that no stamp waits for it."""

from __future__ import annotations

import os
import queue
import threading
from contextlib import suppress

from headstart.challenge.predictions import glance


class Checker:
    """Files of one folder that must hold predictions [samples, classes]."""

    def __init__(self, folder: str, samples: int, classes: int) -> None:
        self._folder, self._shape = folder, (samples, classes)
        self._names: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._found: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def put(self, name: str) -> None:
        """Have a file looked at."""
        self._names.put(name)

    def refused(self) -> list[tuple[str, str]]:
        """Names and reasons since the last call."""
        found = []
        with suppress(queue.Empty):
            while True:
                found.append(self._found.get_nowait())
        return found

    def finish(self, seconds: float) -> None:
        """Wait for so long until all were looked at."""
        self._names.put(None)
        self._thread.join(seconds)

    def _work(self) -> None:
        while (name := self._names.get()) is not None:
            if reason := glance(os.path.join(self._folder, name), *self._shape):
                self._found.put((name, reason))
