"""A learner that publishes a few good predictions, and then goes wrong in the way that it is asked to.

Needs nothing but Python. Good prediction k holds numbers drawn with seed k, so that a harness knows what it must score.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable

Rows = list[list[float]]


def good(number: int, samples: int, classes: int) -> Rows:
    """Prediction `number`: of six digits, so that text and binary say the same."""
    draw = random.Random(number)
    return [[round(draw.random(), 6) for _ in range(classes)] for _ in range(samples)]


def text(rows: Rows) -> bytes:
    """As the challenge's text."""
    return "".join(" ".join(f"{value:g}" for value in row) + "\n" for row in rows).encode()


def npy(rows: Rows, kind: str = "<f8", shape: str = "") -> bytes:
    """As an .npy file. kind, shape: what the header says instead."""
    said = shape or f"({len(rows)}, {len(rows[0]) if rows else 0})"
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {said}, }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    values = [value for row in rows for value in row]
    return (
        b"\x93NUMPY\x01\x00"
        + struct.pack("<H", len(head))
        + head.encode()
        + struct.pack(f"<{len(values)}d", *values)
    )


class Learner:
    """What it knows of the task, and how it publishes."""

    def __init__(self, task: str, out: str, budget: float) -> None:
        with open(os.path.join(task, "task.json"), encoding="utf-8") as file:
            about = json.load(file)
        self.name, self.samples, self.classes = about["name"], about["n_test"], len(about["classes"])
        self.out, self.budget, self.next = out, budget, 0

    def path(self, number: int, binary: bool) -> str:
        return os.path.join(self.out, f"{self.name}.predict_{number}" + ".npy" * binary)

    def put(self, content: bytes, number: int, binary: bool) -> None:
        path = self.path(number, binary)
        with open(path + ".part", "wb") as file:
            file.write(content)
        os.replace(path + ".part", path)

    def publish(self) -> None:
        """The next good prediction; every other one as text."""
        rows, binary = good(self.next, self.samples, self.classes), self.next % 2 == 0
        self.put(npy(rows) if binary else text(rows), self.next, binary)
        self.next += 1

    def wrong(self, content: bytes, binary: bool) -> None:
        """Something that is no prediction, as the next one; and a good one after it."""
        self.put(content, self.next, binary)
        self.next += 1
        self.publish()

    def rows(self, more_rows: int = 0, more_columns: int = 0) -> Rows:
        return good(self.next, self.samples + more_rows, self.classes + more_columns)


def spoilt(of: Learner, value: float) -> Rows:
    rows = of.rows()
    rows[len(rows) // 2][0] = value
    return rows


def forever(_: Learner) -> None:
    while True:
        time.sleep(60)


def busy(_: Learner) -> None:
    for _ in range(3):
        threading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()
    while True:
        pass


def deaf(of: Learner) -> None:
    for number in range(1, signal.NSIG):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            continue
    forever(of)


def to_self(number: int) -> Callable[[Learner], None]:
    def send(of: Learner) -> None:
        os.kill(os.getpid(), number)
        forever(of)

    return send


def raises(_: Learner) -> None:
    raise RuntimeError("a fault that was asked for")


def segmentation(of: Learner) -> None:
    ctypes.string_at(0)
    forever(of)


def children(of: Learner) -> None:
    for _ in range(30):
        subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"], start_new_session=True)
    forever(of)


def daemon(of: Learner) -> None:
    """A process that leaves session and parent, and publishes on; the learner itself ends."""
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    for stream in (0, 1, 2):
        os.close(stream)
    after(of)


def forks(of: Learner) -> None:
    """Processes that start each other anew for as long as they live, no more than some at a time."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if os.fork():
            time.sleep(0.02)
            os._exit(0)
        os.setsid()


def guard(of: Learner) -> None:
    """Ends its parent: the process that stands between it and the referee."""
    if os.fork() == 0:
        os.setsid()
        forever(of)
    os.kill(os.getppid(), signal.SIGKILL)
    forever(of)


def guard_stops(of: Learner) -> None:
    os.kill(os.getppid(), signal.SIGSTOP)
    forever(of)


def after(of: Learner) -> None:
    """Goes on for as long as it lives."""
    while True:
        of.publish()
        time.sleep(0.05)


def late_slow(of: Learner) -> None:
    """Renames its last prediction as close to T as it can, and again after it."""
    while True:
        of.publish()
        time.sleep(0.002)


def memory(of: Learner) -> None:
    held = []
    while True:
        held.append(bytearray(os.urandom(1 << 12)) * (1 << 13))  # 32 MB that are really written
        time.sleep(0.01)


def sparse(of: Learner) -> None:
    path = of.path(of.next, True)
    with open(path + ".part", "wb") as file:
        file.write(npy(of.rows()))
        file.truncate(1 << 40)
    os.replace(path + ".part", path)
    of.next += 1
    of.publish()


def large(of: Learner) -> None:
    of.wrong(text(of.rows()) * (1 + (40 << 20) // max(len(text(of.rows())), 1)), False)


def endless(of: Learner) -> None:
    """Writes a file that is never published, until the disk would be full."""
    with open(os.path.join(of.out, "working"), "wb") as file:
        while True:
            file.write(b"\0" * (1 << 22))
            time.sleep(0.005)


def talks(of: Learner) -> None:
    until = time.monotonic() + of.budget
    while time.monotonic() < until:
        os.write(1, b"words " * 10_000)
        os.write(2, b"more words " * 10_000)


def flood(of: Learner) -> None:
    rows = text(good(0, of.samples, of.classes))
    while True:
        with open(os.path.join(of.out, "part"), "wb") as file:
            file.write(rows)
        os.replace(os.path.join(of.out, "part"), of.path(of.next, False))
        of.next += 1


def gap(of: Learner) -> None:
    of.next += 1
    of.publish()


def twice(of: Learner) -> None:
    """The same number again, in the other form."""
    rows = good(99, of.samples, of.classes)
    number = of.next - 1
    binary = number % 2 == 1
    of.put(npy(rows) if binary else text(rows), number, binary)


def replaces(of: Learner) -> None:
    number = of.next - 1
    rows = good(99, of.samples, of.classes)
    of.put(npy(rows) if number % 2 == 0 else text(rows), number, number % 2 == 0)


def writes_over(of: Learner) -> None:
    with open(of.path(of.next - 1, (of.next - 1) % 2 == 0), "r+b") as file:
        file.seek(-9, 2)
        file.write(b"9.000000\n")


def removes(of: Learner) -> None:
    os.unlink(of.path(of.next - 1, (of.next - 1) % 2 == 0))


def link(of: Learner) -> None:
    os.symlink(of.path(0, True), of.path(of.next, True))


def pipe(of: Learner) -> None:
    os.mkfifo(os.path.join(of.out, "pipe"))
    os.replace(os.path.join(of.out, "pipe"), of.path(of.next, False))


def folder(of: Learner) -> None:
    os.mkdir(of.path(of.next, False))


def half(of: Learner) -> None:
    """Written in place, a byte at a time, and never done."""
    with open(of.path(of.next, False), "wb", buffering=0) as file:
        for byte in text(of.rows()):
            file.write(bytes([byte]))
            time.sleep(0.05)


def odd_names(of: Learner) -> None:
    for name in (
        "x.predict_0_old",
        "x.predict_",
        "x.predict_-1",
        "x.predict_01",
        ".predict_7x",
        "\n.predict_\r",
    ):
        with open(os.path.join(of.out, name), "wb") as file:
            file.write(b"0 1\n")
    of.publish()


def unreadable(of: Learner) -> None:
    of.publish()
    os.chmod(of.out, 0)


HANGS: dict[str, Callable[[Learner], None]] = {
    "hang": forever,
    "busy": busy,
    "deaf": deaf,
    "stopped": to_self(signal.SIGSTOP),
    "children": children,
    "guard stopped": guard_stops,
    "after T": after,
    "close to T": late_slow,
    "endless file": endless,
    "talks": talks,
    "flood": flood,
    "half written": half,
    "folder closed, hang": lambda of: (unreadable(of), forever(of))[0],
}
"""Faults with which the learner does not end by itself."""
ENDS: dict[str, Callable[[Learner], None]] = {
    "raises": raises,
    "exit code 3": lambda _: sys.exit(3),
    "killed": to_self(signal.SIGKILL),
    "aborted": to_self(signal.SIGABRT),
    "terminated": to_self(signal.SIGTERM),
    "segmentation fault": segmentation,
    "ends": lambda _: None,
    "daemon": daemon,
    "forks": forks,
    "guard killed": guard,
    "memory": memory,
    "a row short": lambda of: of.wrong(npy(of.rows(-1)), True),
    "a row more": lambda of: of.wrong(text(of.rows(1)), False),
    "a column short": lambda of: of.wrong(text(of.rows(0, -1)), False),
    "a column more": lambda of: of.wrong(npy(of.rows(0, 1)), True),
    "one dimension": lambda of: of.wrong(npy(of.rows(), shape=f"({of.samples * of.classes},)"), True),
    "three dimensions": lambda of: of.wrong(npy(of.rows(), shape=f"(1, {of.samples}, {of.classes})"), True),
    "ragged": lambda of: of.wrong(text([*of.rows()[:-1], of.rows()[-1][:-1]]), False),
    "NaN": lambda of: of.wrong(npy(spoilt(of, float("nan"))), True),
    "NaN in text": lambda of: of.wrong(text(spoilt(of, float("nan"))), False),
    "infinity": lambda of: of.wrong(npy(spoilt(of, float("-inf"))), True),
    "words": lambda of: of.wrong(text(of.rows()).replace(b"0.", b"x.", 1), False),
    "noise": lambda of: of.wrong(random.Random(1).randbytes(5000), True),
    "noise as text": lambda of: of.wrong(random.Random(2).randbytes(5000), False),
    "empty": lambda of: of.wrong(b"", True),
    "empty text": lambda of: of.wrong(b"", False),
    "cut short": lambda of: of.wrong(npy(of.rows())[:-8], True),
    "pickled": lambda of: of.wrong(npy(of.rows(), "|O"), True),
    "complex": lambda of: of.wrong(npy(of.rows(), "<c16"), True),
    "names": lambda of: of.wrong(npy(of.rows(), "<U2"), True),
    "huge header": lambda of: of.wrong(npy([], shape="(" + "1, " * 15_000 + ")"), True),
    "sparse terabyte": sparse,
    "oversized text": large,
    "gap": gap,
    "twice": twice,
    "replaces": replaces,
    "writes over": writes_over,
    "removes": removes,
    "link": link,
    "pipe": pipe,
    "folder": folder,
    "odd names": odd_names,
}
FAULTS = HANGS | ENDS


def main() -> None:
    """Plays."""
    began = time.monotonic()
    parser = argparse.ArgumentParser()
    parser.add_argument("--fault", choices=FAULTS, required=True)
    parser.add_argument("--good", type=int, default=2, help="good predictions before the fault")
    parser.add_argument("--at", type=float, default=0.5, help="seconds at which the fault begins")
    parser.add_argument("--task", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--budget", type=float, required=True)
    parser.add_argument("--seed", type=int)
    given = parser.parse_args()
    of = Learner(given.task, given.out, given.budget)
    for number in range(given.good):
        time.sleep(max(0.0, began + given.at * number / given.good - time.monotonic()))
        of.publish()
    time.sleep(max(0.0, began + given.at - time.monotonic()))
    FAULTS[given.fault](of)


if __name__ == "__main__":
    main()
