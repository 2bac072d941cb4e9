"""The record of a run: `events.jsonl`, what happened when, and `play.json`, what was played and how it ended."""

from __future__ import annotations

import json
import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from headstart.errors import BadInput, HeadstartError
from headstart.store.atomic import write_atomically
from headstart.version import __version__

PREDICTIONS, EVENTS, PLAY = "predictions", "events.jsonl", "play.json"
FORMAT = 1  # of play.json
OUTPUT, ERRORS = "learner.out", "learner.err"


@dataclass(frozen=True)
class Event:
    """One line. t: wall seconds since the learner was started. cpu: seconds of all its processes; None = not known."""

    t: float
    event: str
    file: str = ""
    cpu: float | None = None
    words: str = ""

    def line(self) -> str:
        """As JSON."""
        content: dict[str, Any] = {"t": round(self.t, 6), "event": self.event}
        if self.file:
            content["file"] = self.file
        content["cpu"] = None if self.cpu is None else round(self.cpu, 3)
        if self.words:
            content["words"] = self.words
        return json.dumps(content) + "\n"


class Events:
    """Writes events as they happen; each line is handed to the system at once, so that a kill loses none."""

    def __init__(self, folder: Path) -> None:
        self._file: TextIO = open(folder / EVENTS, "x", encoding="utf-8", buffering=1)  # noqa: SIM115
        self.all: list[Event] = []
        self.lost = 0

    def add(self, event: Event) -> None:
        """Write one. A full disk loses lines, which are counted, but not the run."""
        self.all.append(event)
        try:
            self._file.write(event.line())
        except OSError:
            self.lost += 1

    def close(self) -> None:
        with suppress(OSError):
            self._file.close()


def read_events(folder: Path) -> list[Event]:
    """The events of a run in their order; a last line that a kill cut short is left out. Raises BadInput."""
    path = folder / EVENTS
    found: list[Event] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise BadInput(
            f"{folder} holds no {EVENTS}: give a folder that `headstart play` has written."
        ) from None
    for place, line in enumerate(lines, 1):
        try:
            content = json.loads(line)
            cpu = content.get("cpu")
            found.append(
                Event(
                    float(content["t"]), str(content["event"]), str(content.get("file", "")),
                    None if cpu is None else float(cpu), str(content.get("words", "")),
                )
            )  # fmt: skip
        except (ValueError, KeyError, TypeError, AttributeError):
            if place == len(lines):
                break
            raise BadInput(f"{path}, line {place} is damaged: the run cannot be judged.") from None
    return found


def write_play(folder: Path, document: dict[str, Any]) -> None:
    """Replace `play.json`. Raises HeadstartError."""
    content = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    write_atomically(folder / PLAY, content.encode("utf-8", "surrogateescape"), durable=False)


def read_play(folder: Path) -> dict[str, Any]:
    """What was played. Raises BadInput."""
    try:
        content = json.loads((folder / PLAY).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise HeadstartError
        assert isinstance(content, dict)
    except (OSError, ValueError, KeyError, TypeError, AssertionError, HeadstartError):
        raise BadInput(
            f"{folder} holds no {PLAY} that can be read: give a folder that `headstart play` has written."
        ) from None
    return content


def machine() -> dict[str, Any]:
    """Processor, cores and memory of this machine, as far as it tells."""
    name, memory = platform.processor() or platform.machine(), None
    with suppress(OSError, ValueError, AttributeError):
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
        with open("/proc/cpuinfo") as file:
            name = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), name)
    return {"cpu": name, "cores": os.cpu_count(), "memory_gb": memory, "system": platform.system()}


def versions() -> dict[str, str]:
    """Of what plays."""
    return {"headstart": __version__, "python": platform.python_version()}
