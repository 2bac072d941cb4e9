"""Real faults for tests: processes that are killed, disks that are full, names that break formats."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = [
    "plain.jpg",
    'quo"te, and comma.png',
    "line\nbreak\r.png",
    "猫/Bär.png",
    "not utf-8 \udcff\udce4.png",
    " ",
]

_MOUNT = 'mount -t tmpfs -o size="$0"k headstart-test "$1" && shift && exec "$@"'


def start(code: str, *arguments: object, under: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """A Python process that runs `code` with warnings as errors; its output can be read line by line."""
    paths = os.pathsep.join(path for path in sys.path if path)
    # one thread: then it may fork
    environment = os.environ | {"PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"}
    command = [*under, sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run(code: str, *arguments: object, under: tuple[str, ...] = ()) -> str:
    """What a Python process that runs `code` prints; the test fails with its traceback."""
    process = start(code, *arguments, under=under)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


def run_on_small_disk(code: str, folder: Path, kilobytes: int) -> str:
    """Run `code` where `folder`, its first argument, is a disk of that size while it runs."""
    under = _namespace()
    if not under:
        pytest.skip("needs the right to mount a small disk")
    return run(code, folder, under=(*under, "sh", "-c", _MOUNT, str(kilobytes), str(folder)))


@functools.cache
def _namespace() -> tuple[str, ...]:
    """The command that gives a process mounts of its own, () where that is not allowed."""
    if shutil.which("unshare"):
        for command in (("unshare", "--mount"), ("unshare", "--mount", "--map-root-user")):
            probe = (*command, "mount", "-t", "tmpfs", "none", "/tmp")
            if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
                return command
    return ()
