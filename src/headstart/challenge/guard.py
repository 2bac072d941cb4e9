"""Stands between referee and learner: starts it, tells of its end, and leaves no process behind.

It holds a pipe from the referee. A byte on it, or its end (the referee was killed), ends every process of the learner.
It adopts orphans (a "subreaper"), so that it finds those, too, which left the learner's session or lost their parents.

Run as `python -m headstart.challenge.guard CONTROL REPORT`, two descriptors. The first line of the control pipe is
JSON: command, folder, environment, output and errors (files), and closed, opened, listed as in `landlock`. It reports
`open WORDS` (answers are not closed off, why), `start PID TIME`, `failed WORDS`, `exit CODE TIME BYTES`,
`gone SECONDS LEFT OWN`: CPU seconds of all and of the guard, and how many processes could not be ended. TIME is of the
monotonic clock.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

from headstart.challenge import landlock
from headstart.challenge.processes import kill, kill_group, surely_below

_SUBREAPER, _DEATH_SIGNAL = 36, 1  # of prctl
_ENDING = 0.8  # seconds that processes get to be gone


def main() -> None:
    """Runs the guard until nothing of the learner is left."""
    import json

    control, report = int(sys.argv[1]), int(sys.argv[2])
    os.set_inheritable(control, False)
    os.set_inheritable(report, False)
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(control, 1 << 16)
        if not part:
            return
        line += part
    _Guard(control, report).run(json.loads(line))


class _Guard:
    def __init__(self, control: int, report: int) -> None:
        self._control, self._report = control, report
        self._wake, wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the pipe says when to end

    def run(self, wanted: dict[str, Any]) -> None:
        """Start the learner, wait, and end what is left of it."""
        prctl(_SUBREAPER, 1)
        rules = self._rules(wanted)
        began = time.monotonic()
        try:
            process = _start(wanted, rules)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            self._say(f"failed {getattr(error, 'strerror', None) or error}")
            return
        self._say(f"start {process.pid} {began:.6f}")
        self._wait(process.pid)
        kill_group(process.pid)
        left = self._end_all()
        spent = os.times()
        learner, own = spent.children_user + spent.children_system, spent.user + spent.system
        self._say(f"gone {learner:.3f} {left} {own:.3f}")
        process.returncode = 0  # waited for above

    def _rules(self, wanted: dict[str, Any]) -> int | None:
        if not wanted["closed"]:
            return None
        try:
            return landlock.prepare(wanted["closed"], wanted["opened"], wanted["listed"])
        except (landlock.Unavailable, OSError) as error:
            self._say(f"open {error}")
            return None

    def _wait(self, learner: int) -> None:
        """Until the learner has ended, or is to."""
        while True:
            ready, _, _ = select.select([self._control, self._wake], [], [])
            with suppress(BlockingIOError):
                while os.read(self._wake, 4096):
                    pass
            if self._reap(learner):
                return
            if self._control in ready:
                return

    def _reap(self, learner: int) -> bool:
        """Wait for all that has ended; whether the learner is among them."""
        ended = False
        with suppress(ChildProcessError):
            while True:
                pid, code, usage = os.wait4(-1, os.WNOHANG)
                if pid == 0:
                    break
                if pid == learner:
                    ended = True
                    code = os.waitstatus_to_exitcode(code)
                    most = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
                    self._say(f"exit {code} {time.monotonic():.6f} {most}")
        return ended

    def _end_all(self) -> int:
        """End whatever is below; returns how many processes do not go."""
        until = time.monotonic() + _ENDING
        while True:
            found = surely_below(os.getpid())
            for pid in found:  # first let none of them start more
                with suppress(OSError):
                    os.kill(pid, signal.SIGSTOP)
            kill(surely_below(os.getpid()) if found else [])
            with suppress(ChildProcessError):
                while os.wait4(-1, os.WNOHANG)[0]:
                    pass
            if not found or time.monotonic() > until:
                return len(found)
            time.sleep(0.005)

    def _say(self, line: str) -> None:
        with suppress(OSError):  # nobody listens any more
            os.write(self._report, (" ".join(line.split()) + "\n").encode("utf-8", "replace"))


def prctl(option: int, value: int) -> bool:
    """Ask Linux for something about this process; whether it was granted."""
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)


def _start(wanted: dict[str, Any], rules: int | None) -> subprocess.Popen[bytes]:
    guard = os.getpid()

    def before() -> None:
        prctl(_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != guard:
            os._exit(1)
        with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")  # when memory is out the learner is to go, not the referee
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        if rules is not None:
            landlock.restrict(rules)

    with open(wanted["output"], "ab") as output, open(wanted["errors"], "ab") as errors:
        return subprocess.Popen(
            wanted["command"],
            cwd=wanted["folder"],
            env=wanted["environment"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
            preexec_fn=before,
        )


if __name__ == "__main__":
    main()
