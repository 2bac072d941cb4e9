"""The process that reads damaged files, one after the other; `mutations` watches it and outlives it.

    python -m benchmarks.faults.child TARGET FOLDER SEED START STOP

FOLDER holds `seeds/`. Files START to STOP are made from it and written there as `current…`. A JSON object is written
to standard output before each file ({"begin": n}) and after it. Whatever else is printed is a finding.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import random
import resource
import sys
import time
import warnings
from pathlib import Path

from benchmarks.faults.mutator import mutate
from benchmarks.faults.targets import TARGETS, Target, Wrong

MEMORY = 8 << 30  # bytes of address space: a reader that asks for more is refused, and the machine goes on


def sample(target: Target, seeds: list[Path], seed: int, number: int) -> tuple[bytes, str]:
    """The bytes and the name of damaged file `number`: always the same from the same seeds."""
    rng = random.Random(f"{target.name} {seed} {number}")
    one, two = rng.choice(seeds), rng.choice(seeds)
    data = mutate(one.read_bytes(), rng, two.read_bytes(), target.tokens)
    return data, "current" + (target.suffix or one.suffix)


class _Quiet:
    """Standard output and error of the process, C libraries included, go to a file that is looked at."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        os.dup2(self._file, 1)
        os.dup2(self._file, 2)
        self._seen = 0

    def said(self) -> str:
        """What was printed since the last call."""
        sys.stdout.flush()
        sys.stderr.flush()
        with contextlib.suppress(AttributeError, OSError):  # what C keeps back; not on every system
            ctypes.CDLL(None).fflush(None)
        size = os.fstat(self._file).st_size
        if size == self._seen:
            return ""
        text = os.pread(self._file, 500, self._seen).decode(errors="replace")
        self._seen = size
        return text


def read(target: Target, path: Path, quiet: _Quiet) -> dict[str, object]:
    """What the reader makes of one file: its outcome, and in "wrong" what it must not do."""
    wrong, said = "", ""
    started = time.perf_counter()
    try:
        said = target.check(str(path))
    except Wrong as error:
        wrong = str(error)
    except BaseException as error:
        wrong = f"raised {type(error).__name__}: {error}"
    took = time.perf_counter() - started
    if printed := quiet.said():
        wrong = f"{wrong}; printed {printed!r}".lstrip("; ")
    return {"outcome": said, "wrong": wrong, "seconds": round(took, 4), "peak_mb": round(peak())}


def peak() -> float:
    """The most memory that the process has held so far, in MB."""
    try:
        with open(
            "/proc/self/status"
        ) as file:  # rusage counts what the parent held when it made this process
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return held / (1 << (20 if sys.platform == "darwin" else 10))


def main() -> None:
    """The command."""
    target, folder = TARGETS[sys.argv[1]], Path(sys.argv[2])
    seed, start, stop = map(int, sys.argv[3:])
    reports = os.dup(1)
    quiet = _Quiet(folder / "printed")
    warnings.simplefilter("always")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    seeds = sorted((folder / "seeds").iterdir())
    for number in range(12):  # what lists of labels name; what is named need not be readable
        (folder / f"{number}.png").touch()
    for number in range(start, stop):
        data, name = sample(target, seeds, seed, number)
        path = folder / name
        path.write_bytes(data)
        os.write(reports, json.dumps({"begin": number}).encode() + b"\n")
        os.write(reports, json.dumps({"end": number} | read(target, path, quiet)).encode() + b"\n")
        path.unlink()


if __name__ == "__main__":
    main()
