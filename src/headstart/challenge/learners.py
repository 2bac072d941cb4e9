"""Learners by name: which command plays. What every command must understand is in docs/challenge.md."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headstart.errors import BadInput

BUILT_IN: dict[str, tuple[str, ...]] = {
    "headstart": ("-m", "headstart.challenge.play_headstart"),
    "constant": ("-m", "headstart.challenge.play_baseline", "--baseline", "constant"),
    "random": ("-m", "headstart.challenge.play_baseline", "--baseline", "random"),
}
"""What a Python that has headstart runs, by the learner's name."""
_RUNNER = Path(__file__).with_name("submission_runner.py")


@dataclass(frozen=True)
class Learner:
    """A name for tables, and the command; the referee appends the options of the protocol."""

    name: str
    command: tuple[str, ...]

    def line(self, task: str, out: str, budget: float, seed: int | None) -> list[str]:
        """The whole command. task, out: folders. budget: seconds."""
        options = ["--task", task, "--out", out, "--budget", f"{budget:g}"]
        return [*self.command, *options, *(["--seed", str(seed)] if seed is not None else [])]


def learner(text: str, python: str | None = None) -> Learner:
    """The learner that a user names: a built-in name, `command:WORDS...` or `submission:DIR`.

    python: the interpreter for built-in names and submissions instead of this one. Raises BadInput.
    """
    form, colon, rest = text.partition(":")
    interpreter = _interpreter(python)
    if text in BUILT_IN:
        return Learner(text, (interpreter, *BUILT_IN[text]))
    if colon and form == "command":
        words = _words(rest)
        return Learner(_title(words), tuple(words))
    if colon and form == "submission":
        folder = os.path.abspath(rest)
        if not rest or not os.path.isfile(os.path.join(folder, "model.py")):
            raise BadInput(f"{rest!r} is no submission: give the folder that holds its model.py.")
        return Learner(os.path.basename(folder), (interpreter, os.fspath(_RUNNER), "--submission", folder))
    known = ", ".join((*BUILT_IN, "command:WORDS...", "submission:DIR"))
    raise BadInput(f"there is no learner {text!r}: there are {known}.")


def _interpreter(python: str | None) -> str:
    if python is None:
        return sys.executable
    found = shutil.which(python)
    if found is None:
        raise BadInput(f"there is no program {python!r}: give the path of a Python interpreter.")
    return os.path.abspath(found)


def _words(text: str) -> Sequence[str]:
    """The command's words; files among them with whole paths, for the learner has another working directory."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadInput(f"the command {text!r} cannot be read: {error}.") from None
    if not words:
        raise BadInput("a learner `command:` needs a command, such as command:'python learner.py'.")
    program = shutil.which(words[0])
    if program is None:
        raise BadInput(f"there is no program {words[0]!r}: give its path.")
    rest = [os.path.abspath(word) if os.path.exists(word) else word for word in words[1:]]
    return [os.path.abspath(program), *rest]


def _title(words: Sequence[str]) -> str:
    """A short name for a command: its first word that is a script, or the program."""
    scripts = (word for word in words if word.endswith((".py", ".sh")))
    return os.path.basename(next(scripts, words[0]))
