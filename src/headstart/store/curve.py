"""`curve.csv`: one row per published prediction, valid after every append."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from headstart.errors import BadModel
from headstart.store.atomic import failure, write_atomically
from headstart.store.tables import encoded, line, read_table

HEADER = ("seconds", "cpu_seconds", "score", "stage", "samples_seen")


@dataclass(frozen=True)
class CurveRow:
    """One published prediction.

    seconds, cpu_seconds: since the start of the run (written to the millisecond).
    score: evidence from the training split, nan where there is none yet (written with six digits).
    stage: what had been computed last; one line of text. samples_seen: training samples used.
    """

    seconds: float
    cpu_seconds: float
    score: float
    stage: str
    samples_seen: int


def start(path: Path) -> None:
    """An empty curve in place of any other."""
    write_atomically(path, encoded(line(HEADER)), durable=False)


def append(path: Path, row: CurveRow) -> None:
    """Add one row to the file at `path`: all of it, or on a full disk (DiskFull) nothing."""
    if "\n" in row.stage or "\r" in row.stage:
        raise ValueError(f"the stage {row.stage!r} is more than one line")
    numbers = (f"{row.seconds:.3f}", f"{row.cpu_seconds:.3f}", f"{row.score:.6g}")
    content = encoded(line((*numbers, row.stage, str(row.samples_seen))))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
        try:
            _append_whole(descriptor, content)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise failure(path, error) from error


def _append_whole(descriptor: int, content: bytes) -> None:
    size = os.fstat(descriptor).st_size
    try:
        written = os.write(descriptor, content)
        while written < len(content):
            written += os.write(descriptor, content[written:])
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def repair(path: Path) -> None:
    """Cut off what a killed writer left of a last row; make the curve where there is none."""
    try:
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if not whole:
            start(path)
        elif whole != content:
            os.truncate(path, len(whole))
    except OSError as error:
        raise failure(path, error) from error


def read(path: Path) -> list[CurveRow]:
    """All rows, oldest first, also while another process appends. Raises BadModel: missing or no curve."""
    header, rows = read_table(path)
    if tuple(header) != HEADER:
        raise BadModel(f"{path} is no curve of headstart: it does not start with {','.join(HEADER)}")
    return [_row(path, cells) for cells in rows]


def _row(path: Path, cells: list[str]) -> CurveRow:
    try:
        seconds, cpu_seconds, score, stage, samples_seen = cells
        return CurveRow(float(seconds), float(cpu_seconds), float(score), stage, int(samples_seen))
    except ValueError as error:
        raise BadModel(f"{path} is damaged: {','.join(cells)!r} is no row of a curve") from error
