"""A challenger whose libraries are loaded when it is first wanted, beside the stages that go on publishing."""

from __future__ import annotations

import threading
from collections.abc import Callable

from headstart.learn.challenger import Challenger, Report, Stand

Made = Callable[[], Challenger]


class Later:
    """Implements `Challenger`. Loading torch takes longer than the first prediction."""

    def __init__(self, load: Callable[[], Made], background: bool) -> None:
        """load: imports what is needed and returns what makes the challenger; background: in a thread of its own."""
        self._load, self._background = load, background
        self._made: Made | None = None
        self._challenger: Challenger | None = None
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def stand(self) -> Stand | None:
        """See `Challenger`."""
        return None if self._challenger is None else self._challenger.stand

    @property
    def doing(self) -> str:
        """See `Challenger`."""
        return "loading torch" if self._challenger is None else self._challenger.doing

    @property
    def done(self) -> bool:
        """See `Challenger`."""
        return self._closed or (self._challenger is not None and self._challenger.done)

    def work(self, report: Report, seconds: float) -> bool:
        """See `Challenger`. Raises what loading raised."""
        if self._challenger is None and not self._ready(report.alone):
            return False
        if self._error is not None:
            raise self._error
        if self._challenger is None:
            assert self._made is not None
            self._challenger = self._made()
        return self._challenger.work(report, seconds)

    def _ready(self, wait: bool) -> bool:
        if self._thread is None:
            self._thread = threading.Thread(target=self._import, daemon=True)
            self._thread.start()
        if wait or not self._background:
            self._thread.join()
        return not self._thread.is_alive()

    def _import(self) -> None:
        try:
            self._made = self._load()
        except Exception as error:  # for the caller's thread
            self._error = error

    def close(self) -> None:
        """See `Challenger`."""
        self._closed = True
        if self._challenger is not None:
            self._challenger.close()
