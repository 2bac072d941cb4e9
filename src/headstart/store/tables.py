"""CSV files in which any file name survives: with commas, quotes, newlines, or bytes that are no UTF-8."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from headstart.errors import BadModel
from headstart.store.atomic import write_atomically

_SPECIAL = frozenset(',"\r\n')


def cell(text: str) -> str:
    """`text` as one field of a CSV line, quoted where it must be."""
    if _SPECIAL.isdisjoint(text):
        return text
    return '"' + text.replace('"', '""') + '"'


def line(cells: Iterable[str]) -> str:
    """One line of a CSV file, with its end."""
    return ",".join(map(cell, cells)) + "\n"


def encoded(text: str) -> bytes:
    """Text as bytes; a file name that is no UTF-8 gets its own bytes back."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a surrogate pair: only Windows has such names
        return text.encode("utf-8", "surrogatepass")


def write_table(path: Path, header: Sequence[str], lines: Iterable[str]) -> None:
    """Replace the file at `path` by a header and `lines` (each as from `line`) in one step."""

    def content() -> Iterable[bytes]:
        yield encoded(line(header))
        yield from map(encoded, lines)

    write_atomically(path, lambda file: file.writelines(content()))


def read_table(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a CSV file. Raises BadModel where it is missing or cannot be read.

    A last line without its end is left out: its writer is still at it, or was killed there.
    """
    try:
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1].decode("utf-8", "surrogateescape")
        rows = list(csv.reader(io.StringIO(whole, newline="")))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadModel(f"{path.parent} is no run folder of headstart: there is no {path.name}") from error
    except (OSError, csv.Error) as error:
        raise BadModel(f"{path} cannot be read: {error}") from error
    return (rows[0], rows[1:]) if rows else ([], [])
