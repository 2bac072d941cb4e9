"""Plays one learner on one task: starts it, stamps its predictions, ends it at T, and keeps the record.

Times are wall seconds by the monotonic clock since the learner's process was started.
"""

from __future__ import annotations

import datetime
import os
import select
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from headstart.challenge.checker import Checker
from headstart.challenge.child import Child, Told
from headstart.challenge.learners import Learner
from headstart.challenge.limits import Limits, Room
from headstart.challenge.predictions import STARTED
from headstart.challenge.processes import Tree
from headstart.challenge.public import Public, make_public, private
from headstart.challenge.record import (
    ERRORS,
    FORMAT,
    OUTPUT,
    PREDICTIONS,
    Event,
    Events,
    machine,
    versions,
    write_play,
)
from headstart.challenge.stamps import MOST, Stamps
from headstart.challenge.watch import LOOK, Watch, watch
from headstart.data.walk import why
from headstart.errors import BadInput

_TICK = 0.1  # seconds between two looks at the learner's memory
_CHECKS = 0.4  # seconds that checks of the last predictions may take after the end


@dataclass(frozen=True)
class Play:
    """What is to be played. budget: seconds. seed: handed to the learner. limits: of memory and disk.

    hidden: close the answers off from the learner where the kernel can; closed: and these, such as other
    runs on the same task. link: see `make_public`. polling: do not
    ask the system when predictions arrive.
    """

    task: str
    learner: Learner
    budget: float
    out: Path
    seed: int | None = None
    limits: Limits = field(default_factory=Limits)
    hidden: bool = True
    link: bool = False
    polling: bool = False
    closed: tuple[Path, ...] = ()


def play(wanted: Play, say: Callable[[Event], None] = lambda _: None) -> dict[str, Any]:
    """Play to the end; returns what is in `play.json`. say: is told every event as it happens.

    Ends within T + 2 s, whatever the learner does. Raises BadInput for a task that cannot be used, an `out` that holds
    something, and a learner that cannot be started; KeyboardInterrupt goes on after the learner was ended.
    """
    if os.name != "posix":
        raise BadInput("play needs Linux or macOS: it ends the processes of learners as these systems can.")
    out = wanted.out.absolute()
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise BadInput(f"{os.fspath(out)!r} is not empty: give --out a new folder for this run.")
        public = make_public(os.path.abspath(wanted.task), os.fspath(out), wanted.budget, wanted.link)
        for name in (PREDICTIONS, "scratch"):
            (out / name).mkdir()
    except OSError as error:
        raise BadInput(f"{os.fspath(out)!r} cannot be used ({why(error)}).") from None
    referee = _Referee(wanted, out, public, say)
    try:
        return referee.play()
    finally:
        referee.close()


class _Referee:
    def __init__(self, wanted: Play, out: Path, public: Public, say: Callable[[Event], None]) -> None:
        self._wanted, self._out, self._public, self._say = wanted, out, public, say
        self._folder = os.fspath(out / PREDICTIONS)
        self._spent = time.process_time()
        self._watch: Watch = watch(self._folder, wanted.polling)
        self._stamps = Stamps(self._folder, self._watch, public.n_test, len(public.classes))
        self._events = Events(out)
        self._checker = Checker(self._folder, public.n_test, len(public.classes))
        self._room = Room([self._folder, os.fspath(out / "scratch")], [out / OUTPUT, out / ERRORS])
        self._cpu: float | None = None
        self._state, self._ended = "running", ""
        self._code: int | None = None
        self._child: Child | None = None
        self._tree: Tree | None = None
        self._began = 0.0
        self._peak = self._left = 0

    def play(self) -> dict[str, Any]:
        document = self._document()
        write_play(self._out, document)
        try:
            self._start(document)
            self._attend()
        except KeyboardInterrupt:
            self._state, self._ended = "interrupted", "the referee was interrupted"
            raise
        finally:
            self._end()
            document |= self._result()
            write_play(self._out, document)
        if self._state == "failed":
            raise BadInput(f"the learner could not be started: {self._ended}.")
        return document

    def _start(self, document: dict[str, Any]) -> None:
        line = self._wanted.learner.line(
            self._public.folder, self._folder, self._wanted.budget, self._wanted.seed
        )
        beside = [*private(self._wanted.task), os.fspath(self._out), *map(os.fspath, self._wanted.closed)]
        closed = beside if self._wanted.hidden else []
        self._child = Child(line, self._out, self._public.folder, closed)
        document["command"] = line
        told = self._child.wait_for_start()
        document["answers"] = "closed to the learner by the kernel" if self._child.hidden else (
            "in another folder" + (f" ({self._child.open_because})" if self._child.open_because else "")
        )  # fmt: skip
        if told.kind != "start":
            self._state, self._ended = "failed", told.words or "its guard ended"
            return
        self._began = told.time
        self._tree = Tree(self._child.guard)
        self._cpu = 0.0
        document["monotonic_start"] = self._began
        self._add("start", at=self._began)
        write_play(self._out, document)

    def _attend(self) -> None:
        """Until the learner has ended or is ended."""
        if self._child is None or self._state != "running":
            return
        poll = select.poll()
        for descriptor in (self._watch.descriptor, self._child.report):
            if descriptor is not None:
                poll.register(descriptor, select.POLLIN)
        deadline = self._began + self._wanted.budget
        tick = time.monotonic()
        while self._state == "running":
            wake = min(tick, deadline)
            if self._watch.descriptor is None:
                wake = min(wake, time.monotonic() + LOOK)
            ready = poll.poll(max(0.0, (wake - time.monotonic()) * 1000 + 0.5))
            if ready or self._watch.descriptor is None:
                self._take(time.monotonic())
            if any(descriptor == self._child.report for descriptor, _ in ready):
                for told in self._child.told():
                    self._hear(told)
            now = time.monotonic()
            if now >= deadline and self._state == "running":
                self._state, self._ended = "stopped", "the budget was used up"
            elif now >= tick and self._state == "running":
                self._look()
                tick = now + _TICK

    def _take(self, now: float) -> None:
        """Stamp what has arrived."""
        new = self._stamps.new()
        if new:
            self._cpu = self._measured()
        for name in new:
            self._add("started" if name == STARTED else "prediction", name, at=now)
            if name != STARTED:
                self._checker.put(name)

    def _hear(self, told: Told) -> None:
        if told.kind == "exit":
            self._code, self._peak, self._cpu = told.code, max(self._peak, told.bytes), self._measured()
            self._add("exit", words=str(told.code), at=told.time)
            if self._state != "running":
                return
            how = f"with code {told.code}" if told.code >= 0 else f"by signal {-told.code}"
            self._state = "finished" if told.code == 0 else "crashed"
            self._ended = f"the learner ended {how}"
        elif told.kind == "lost" and self._state == "running":
            self._state, self._ended = "crashed", "the guard of the learner was ended"

    def _look(self) -> None:
        """At memory, disk, and what was checked."""
        assert self._tree is not None
        cpu, resident = self._tree.measure(fresh=False)
        self._cpu = cpu if cpu is not None else self._cpu
        self._refuse()
        if reason := self._wanted.limits.exceeded(resident, self._room):
            self._state, self._ended = "stopped", reason

    def _refuse(self) -> None:
        for name, reason in self._checker.refused():
            self._add("refused", name, words=reason)

    def _end(self) -> None:
        """End the learner, and finish the record; bounded in time."""
        if self._child is None:
            return
        self._cpu = self._measured()
        running = self._code is None and self._state in ("stopped", "interrupted", "crashed")
        if running:
            self._add("killed", words=self._ended)
        for told in self._child.end():
            self._hear(told)
        self._room.trim()
        if (gone := self._child.gone) is not None:
            self._cpu, self._left = max(gone.seconds, self._cpu or 0.0), gone.left
        if self._began:
            self._take(time.monotonic())
            self._checker.finish(_CHECKS)
            self._refuse()
            self._look_back()
            self._add("end")

    def _look_back(self) -> None:
        """At what became of the predictions after their stamps."""
        for name in self._stamps.changed():
            self._add("changed", name, words="was changed after it was published")
        for name, size in self._stamps.remove_oversized():
            self._add("removed", name, words=f"had {size} bytes")
        if surplus := self._stamps.surplus:
            self._add("surplus", words=f"{surplus} predictions after {MOST} others are refused")

    def _measured(self) -> float | None:
        if self._tree is None:
            return None
        cpu, _ = self._tree.measure(fresh=True)
        return self._cpu if cpu is None else cpu

    def _add(self, kind: str, file: str = "", words: str = "", at: float | None = None) -> None:
        moment = time.monotonic() if at is None else at
        event = Event(moment - self._began if self._began else 0.0, kind, file, self._cpu, words)
        self._events.add(event)
        self._say(event)

    def _document(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "task": {"path": os.path.abspath(self._wanted.task), **self._public.summary()},
            "learner": self._wanted.learner.name,
            "budget": self._wanted.budget,
            "seed": self._wanted.seed,
            "limits": asdict(self._wanted.limits),
            "machine": machine(),
            "versions": versions(),
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "watch": "polling" if self._watch.descriptor is None else "inotify",
            "state": "running",
        }

    def _result(self) -> dict[str, Any]:
        events = self._events.all
        guard = self._child.gone.own if self._child and self._child.gone else 0.0
        return {
            "state": self._state,
            "ended": self._ended,
            "code": self._code,
            "seconds": round(events[-1].t, 3) if events else 0.0,
            "cpu_seconds": None if self._cpu is None else round(self._cpu, 3),
            "peak_memory_bytes": max(self._peak, self._tree.peak if self._tree else 0),
            "predictions": sum(event.event == "prediction" for event in events),
            "refused": len({event.file for event in events if event.event in ("refused", "changed")}),
            "processes_left": self._left,
            "events_lost": self._events.lost,
            "referee_cpu_seconds": round(time.process_time() - self._spent + guard, 3),
        }

    def close(self) -> None:
        self._watch.close()
        self._checker.finish(0)
        self._events.close()
        if self._child is not None:
            self._child.close()
        place = self._out / "scratch"  # in a thread: it may hold a million files
        emptying = threading.Thread(target=shutil.rmtree, args=(place, True), daemon=True)
        emptying.start()
        emptying.join(0.3)
