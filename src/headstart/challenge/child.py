"""The learner as the referee sees it: behind a guard process, with two pipes to that."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from headstart.challenge.processes import kill, kill_group, marked
from headstart.challenge.record import ERRORS, OUTPUT, PREDICTIONS
from headstart.errors import HeadstartError

_MARK = "HEADSTART_PLAY"
_START = 30.0  # seconds until the guard must have started the learner
_END = 1.1  # seconds that the guard gets to end everything


@dataclass(frozen=True)
class Told:
    """A line of the guard; see guard.py. kind "lost": the guard is no more."""

    kind: str
    words: str = ""
    time: float = 0.0
    code: int = 0
    bytes: int = 0
    seconds: float = 0.0
    left: int = 0
    own: float = 0.0
    pid: int = 0


class Child:
    """A learner that is started at once. guard: its guard's process. report: readable when that has told something.

    hidden: whether the kernel closes the answers off; open_because: why it does not. gone: what the guard told last.
    """

    def __init__(self, command: Sequence[str], out: Path, public: str, closed: Sequence[str]) -> None:
        self._mark = f"{uuid.uuid4().hex}"
        control, self._control = os.pipe()
        self.report, report = os.pipe()
        os.set_blocking(self.report, False)
        self._buffer = b""
        self._learner = 0
        self.gone: Told | None = None
        self.hidden, self.open_because = bool(closed), ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "headstart.challenge.guard", str(control), str(report)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(control, report),
            start_new_session=True,
        )
        os.close(control)
        os.close(report)
        self.guard = self._process.pid
        wanted = {
            "command": list(command),
            "folder": os.fspath(out / "scratch"),
            "environment": environment(out, closed) | {_MARK: self._mark},
            "output": os.fspath(out / OUTPUT),
            "errors": os.fspath(out / ERRORS),
            "closed": list(closed),
            "opened": [public, os.fspath(out / PREDICTIONS), os.fspath(out / "scratch")],
            "listed": _above(command, closed),
        }
        with suppress(BrokenPipeError):
            os.write(self._control, (json.dumps(wanted) + "\n").encode())

    def wait_for_start(self) -> Told:
        """The first that the guard tells of the learner: `start`, `failed` or `lost`."""
        until = time.monotonic() + _START
        while (left := until - time.monotonic()) > 0:
            select.select([self.report], [], [], left)
            for told in self.told():
                if told.kind == "open":
                    self.hidden, self.open_because = False, told.words
                else:
                    self._learner = told.pid
                    return told
        raise HeadstartError("the learner's guard did not start: the machine may be overloaded; try again.")

    def told(self) -> Iterator[Told]:
        """What the guard has told since the last call."""
        with suppress(BlockingIOError):
            while True:
                part = os.read(self.report, 1 << 16)
                if not part:
                    yield from self._lines()
                    yield Told("lost")
                    return
                self._buffer += part
        yield from self._lines()

    def _lines(self) -> Iterator[Told]:
        *lines, self._buffer = self._buffer.split(b"\n")
        for line in lines:
            kind, _, rest = line.decode("utf-8", "replace").partition(" ")
            words = rest.split()
            if kind == "start":
                yield Told(kind, pid=int(words[0]), time=float(words[1]))
            elif kind == "exit":
                yield Told(kind, code=int(words[0]), time=float(words[1]), bytes=int(words[2]))
            elif kind == "gone":
                self.gone = Told(kind, seconds=float(words[0]), left=int(words[1]), own=float(words[2]))
                yield self.gone
            else:
                yield Told(kind, rest)

    def end(self) -> list[Told]:
        """End all processes of the learner; returns what the guard told meanwhile. Takes 1.3 s at most."""
        found: list[Told] = []
        with suppress(OSError):
            os.write(self._control, b"k")
        until = time.monotonic() + _END
        while self.gone is None and (left := until - time.monotonic()) > 0:
            select.select([self.report], [], [], left)
            found += self.told()
            if any(told.kind in ("lost", "failed") for told in found):
                break
        if self.gone is None:
            self._end_without_guard()
        return found

    def _end_without_guard(self) -> None:
        """The guard was ended, too, or hangs: its learner is found by its session and by a mark."""
        with suppress(OSError):
            os.kill(self.guard, signal.SIGKILL)
        if self._learner:
            kill_group(self._learner)
        for _ in range(20):
            found = marked(self._mark)
            kill(found)
            if not found:
                return
            time.sleep(0.005)

    def close(self) -> None:
        """Let go of the pipes; the guard ends everything if it has not yet."""
        for descriptor in (self._control, self.report):
            with suppress(OSError):
                os.close(descriptor)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(0.2)
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()


def environment(out: Path, closed: Sequence[str]) -> dict[str, str]:
    """This process's environment without what names a closed folder; temporary files go to a folder of the run."""
    scratch = os.fspath(out / "scratch")
    shut = [path for path in closed if path != "/"]
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("HEADSTART_DATA", "OLDPWD") and not any(path in value for path in shut)
    }
    return kept | {
        "TMPDIR": scratch,
        "TEMP": scratch,
        "TMP": scratch,
        "PWD": scratch,
        "PYTHONUNBUFFERED": "1",
    }


def _above(command: Sequence[str], closed: Sequence[str]) -> list[str]:
    """Folders with the learner's own files that hold a closed one: a program must be able to list its modules."""
    places = [os.path.dirname(os.path.realpath(word)) for word in command if os.path.isabs(word)]
    places += [os.path.realpath(word) for word in command if os.path.isdir(word)]
    places += [os.path.realpath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    targets = [os.path.realpath(path) for path in closed]
    return [place for place in places if place != "/" and any(t.startswith(f"{place}/") for t in targets)]
