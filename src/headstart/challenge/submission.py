"""Other people's submissions as learners: how a folder with `model.py` is played in an interpreter of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from headstart.errors import BadInput

RUNNER = Path(__file__).with_name("submission_runner.py")
"""The program that plays a submission; it needs nothing of headstart and is run by its path."""
_OLDEST = (3, 6)
_PROBE = "import sys; print(*sys.version_info[:2]); import numpy"
_PATIENCE = 60.0  # seconds: a first import of numpy from a slow disk


def command(submission: Path, python: str | None = None) -> list[str]:
    """The command line that plays a submission, to which `--task`, `--out`, `--budget` and `--seed` are added.

    python: the interpreter, a path or a name that is looked up; by default the one of this process.
    Raises BadInput where the folder holds no `model.py`, or the interpreter cannot run the program.
    """
    folder = Path(os.path.abspath(submission))
    if not (folder / "model.py").is_file():
        raise BadInput(_no_model(folder))
    interpreter = _interpreter(python)
    return [interpreter, "-u", str(RUNNER), "--submission", str(folder)]


def _no_model(folder: Path) -> str:
    if not folder.is_dir():
        return f"{folder} is no folder: a submission is a folder with model.py (unpack an archive first)"
    inside = [path.parent for path in sorted(folder.glob("*/model.py"))]
    hint = f": do you mean {inside[0]}?" if inside else ", with a class Model that has train and test"
    return f"{folder} holds no model.py, so it is no submission of the challenge{hint}"


def _interpreter(python: str | None) -> str:
    """The path of an interpreter that can run a submission. Raises BadInput."""
    if python is None:
        return sys.executable
    found = shutil.which(python)
    if found is None:
        raise BadInput(f"there is no interpreter {python!r}: give the path of one, such as venv/bin/python")
    try:
        done = subprocess.run(
            [found, "-c", _PROBE], capture_output=True, encoding="utf-8", errors="replace", timeout=_PATIENCE
        )
        version = tuple(int(part) for part in done.stdout.split())
    except (OSError, ValueError, subprocess.TimeoutExpired):
        version, done = (), None
    if done is None or len(version) != 2:
        raise BadInput(f"{found} does not answer as a Python interpreter does")
    if version < _OLDEST:
        raise BadInput(f"{found} is Python {version[0]}.{version[1]}: submissions need 3.6 or newer")
    if done.returncode != 0:
        raise BadInput(f"{found} has no numpy: install it there with `{found} -m pip install numpy`")
    return os.path.abspath(found)
