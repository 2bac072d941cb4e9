"""The live view of a run on a terminal's standard error; plain lines where there is none.

Each picture is one write that ends on a fresh line with all attributes off, and nothing else of the terminal
is changed (no hidden cursor, no other screen). So ctrl-C leaves it clean, and a kill nothing to be undone.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

from headstart.cli.drawing import ASCII, UNICODE, Glyphs, curve_rows, fit, moment, printable, time_axis, width

_INTERVAL = 0.1  # seconds of the run between two pictures
_LINE_INTERVAL = 1.0  # the same for plain lines
_LABEL = 10  # columns of the words on the left
_CURVE_ROWS = 2


@dataclass(frozen=True)
class ProgressEvent:
    """How far a run is.

    seconds, budget: on the run's clock. stage: its name; stage_done of stage_total samples have passed it.
    samples_seen: training samples that the published model has learnt from.
    evidence: of the published model, None before the first. points: (seconds, evidence) of every published
    prediction so far. next: what comes after this stage. message: something to keep on the screen, or None.
    """

    seconds: float
    budget: float
    stage: str
    stage_done: int
    stage_total: int
    samples_seen: int
    evidence: float | None
    points: Sequence[tuple[float, float]]
    next: str
    message: str | None = None


def is_live(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether `stream` is a terminal that a picture can be drawn on, and the user has not asked for less."""
    if environ.get("NO_COLOR") or environ.get("TERM", "") in ("", "dumb"):
        return False
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


class Progress:
    """Shows a run as it goes: a few lines drawn in place on a terminal, else a line per published prediction.

    A stream that fails or is closed silences it: no run ends because nobody can watch it.
    """

    def __init__(self, stream: TextIO, budget_seconds: float, terminal: bool) -> None:
        """stream: where to write (standard error). terminal: draw in place; `is_live` tells."""
        self._stream = stream
        self._budget = budget_seconds
        self._terminal = terminal
        self._glyphs = _glyphs(stream)
        self._event: ProgressEvent | None = None
        self._drawn: list[int] = []  # widths of the lines on the screen
        self._shown = -1.0  # seconds of the newest picture or line
        self._told = 0  # published predictions in the newest picture or line
        self._silent = False

    def update(self, event: ProgressEvent) -> None:
        """Show `event`, unless the last picture or line is too fresh; messages are always shown."""
        before, self._event = self._event, event
        if not self._terminal:
            self._update_line(event)
        elif event.message is not None or self._is_due(event, before):
            self._draw(event)

    def close(self) -> None:
        """Show what has not been shown yet and leave the cursor on a fresh line. May be called twice."""
        event, self._event = self._event, None
        if event is None:
            return
        if self._terminal:
            self._draw(event, message=False)
        elif len(event.points) > self._told:
            self._write(_line(event, self._budget) + "\n")

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _is_due(self, event: ProgressEvent, before: ProgressEvent | None) -> bool:
        news = len(event.points) != self._told or before is None or before.stage != event.stage
        return news or not 0 <= event.seconds - self._shown < _INTERVAL

    def _update_line(self, event: ProgressEvent) -> None:
        if event.message is not None:
            self._write(printable(event.message) + "\n")
        fresh = self._shown >= 0 and 0 <= event.seconds - self._shown < _LINE_INTERVAL
        if len(event.points) > self._told and not fresh:
            self._write(_line(event, self._budget) + "\n")
            self._shown, self._told = event.seconds, len(event.points)

    def _draw(self, event: ProgressEvent, message: bool = True) -> None:
        columns, rows = _size(self._stream)
        lines = picture(event, self._budget, columns - 1, self._glyphs)[: max(rows - 1, 1)]
        # If the terminal has been made narrower, each of the old lines takes more than one of its rows.
        up = sum(max(1, -(-used // columns)) for used in self._drawn)
        start = f"\x1b[{min(up, rows - 1)}A\r" if up else "\r"
        if message and event.message is not None:
            start += f"{printable(event.message)}\x1b[K\n"
        body = "".join(f"{styled}\x1b[0m\x1b[K\n" for styled, _ in lines)
        self._write(f"{start}{body}\x1b[J")
        self._drawn = [used for _, used in lines]
        self._shown, self._told = event.seconds, len(event.points)

    def _write(self, content: str) -> None:
        if self._silent:
            return
        try:
            encoding = getattr(self._stream, "encoding", None) or "utf-8"
            self._stream.write(content.encode(encoding, "replace").decode(encoding))
            self._stream.flush()
        except (OSError, ValueError):
            self._silent = True


def _size(stream: TextIO) -> tuple[int, int]:
    """Columns and rows of the terminal behind `stream`; standard output may be another one, or a pipe."""
    try:
        columns, rows = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        columns, rows = shutil.get_terminal_size()
    return columns or 80, rows or 24


def _glyphs(stream: TextIO) -> Glyphs:
    try:
        "".join(UNICODE).encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return ASCII
    return UNICODE


def _line(event: ProgressEvent, budget: float) -> str:
    evidence = f"{event.points[-1][1]:.3f}" if event.points else "-"
    line = (
        f"{moment(event.points[-1][0] if event.points else event.seconds):>6} of {moment(budget)}  "
        f"evidence {evidence}  stage {printable(event.stage)}{_passed(event)}  "
        f"samples {event.samples_seen}"
    )
    return line + (f"  next {printable(event.next)}" if event.next else "")


def _passed(event: ProgressEvent) -> str:
    """How many samples have passed the stage; a network in training says itself how far it is."""
    return f" {event.stage_done}/{event.stage_total}" if event.stage_total else ""


def picture(event: ProgressEvent, budget: float, columns: int, glyphs: Glyphs) -> list[tuple[str, int]]:
    """The lines of the view with their ANSI styles, each at most `columns` wide, and their widths."""
    share = min(max(event.seconds / budget, 0.0), 1.0) if budget > 0 else 1.0
    done = min(event.stage_done / event.stage_total, 1.0) if event.stage_total > 0 else 0.0
    used = f"{moment(event.seconds)} of {moment(budget)}"
    stage = printable(event.stage)
    passed = f"{stage}  {event.stage_done:,} of {event.stage_total:,}" if event.stage_total else stage
    widest = max(15, width(stage) + 6 + 2 * len(f"{event.stage_total:,}"))
    bar = max(min(columns - _LABEL - 2 - widest, 48), 6)
    evidence = "not yet" if event.evidence is None else f"{event.evidence:.3f}"
    lines = [
        ("budget", "", f"{glyphs.bar(share, bar)}  {used}"),
        ("stage", "", f"{glyphs.bar(done, bar)}  {passed}"),
        ("evidence", "1;32" if event.evidence is not None else "2", evidence + _seen(event)),
    ]
    room = max(columns - _LABEL - 1, 8)
    if columns >= 40:
        rows = curve_rows(event.points, event.seconds, budget, room, _CURVE_ROWS, glyphs)
        scale = _scale(event.points)
        lines += [(word, "36", row) for word, row in zip(scale, rows, strict=True)]
        lines.append(("", "2", time_axis(budget, room)))
    lines.append(("next", "", printable(event.next) or "nothing: this is the last stage"))
    return [_styled(*line, columns=columns) for line in lines]


def _seen(event: ProgressEvent) -> str:
    if event.evidence is None:
        return ""
    noun = "prediction" if len(event.points) == 1 else "predictions"
    return f"  from {event.samples_seen:,} samples, {len(event.points)} {noun} published"


def _scale(points: Sequence[tuple[float, float]]) -> list[str]:
    """What the curve's uppermost and lowest row stand for."""
    if not points:
        return [""] * _CURVE_ROWS
    scores = [score for _, score in points]
    return [f"{max(scores):.3f}", *[""] * (_CURVE_ROWS - 2), f"{min(scores):.3f}"]


def _styled(label: str, style: str, content: str, columns: int) -> tuple[str, int]:
    plain = fit(f"{label:<{_LABEL}}{content}", columns)
    word, rest = plain[:_LABEL], plain[_LABEL:]
    return f"\x1b[2m{word}\x1b[0m" + (f"\x1b[{style}m{rest}" if style else rest), width(plain)
