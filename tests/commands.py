"""The command in real processes, with warnings as errors, and what its files hold."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-W", "error", "-m", "headstart")


def call(*arguments: object, code: int = 0, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run the command; the test fails on another exit code than `code`, and on a traceback."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True, encoding="utf-8", errors="surrogateescape", timeout=timeout, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, f"exit code {done.returncode}: {done.stderr}"
    return done


def started(*arguments: object) -> subprocess.Popen[bytes]:
    """A command that runs on; end it with `kill` and `wait`."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence on stderr that a failed command says."""
    own = [line for line in done.stderr.splitlines() if line.startswith("headstart: ")]
    assert len(own) == 1 and done.stdout == "", done
    return own[0]


def only_object(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The one JSON object that is all of stdout."""
    content = json.loads(done.stdout)
    assert isinstance(content, dict) and done.stdout.count("\n") == 1
    return content


def rows(path: Path) -> list[dict[str, str]]:
    """A CSV file; file names that are no UTF-8 come back as Python spells them."""
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))
