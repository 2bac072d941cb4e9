"""A pseudo-terminal, and what a terminal would show of what is written to it."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from headstart.cli.drawing import width


class Screen:
    """What a terminal would show: just the commands that are used, wrapping at `columns`."""

    def __init__(self, columns: int = 80) -> None:
        self.columns, self.rows, self.y, self.x, self.styled = columns, [""], 0, 0, False

    def feed(self, content: str) -> Screen:
        for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[^\x1b]|\x1b", content):
            if part.startswith("\x1b"):
                self._command(part)
            elif part == "\n":
                self._down()
            elif part == "\r":
                self.x = 0
            else:
                self._put(part)
        return self

    def _down(self) -> None:
        self.y += 1
        if self.y == len(self.rows):
            self.rows.append("")

    def _put(self, character: str) -> None:
        if self.x + width(character) > self.columns:
            self.x = 0
            self._down()
        row = self.rows[self.y].ljust(self.x)
        self.rows[self.y] = row[: self.x] + character + row[self.x + 1 :]
        self.x += 1

    def _command(self, part: str) -> None:
        numbers, kind = part[2:-1], part[-1]
        if kind == "A":
            assert self.y >= int(numbers), "moved above the screen"
            self.y -= int(numbers)
        elif kind == "K":
            self.rows[self.y] = self.rows[self.y][: self.x]
        elif kind == "J":
            self.rows[self.y] = self.rows[self.y][: self.x]
            del self.rows[self.y + 1 :]
        elif kind == "m":
            self.styled = numbers not in ("0", "")
        else:
            raise AssertionError(f"unknown command {part!r}")

    @property
    def lines(self) -> list[str]:
        return [row.rstrip() for row in self.rows]


def resize(descriptor: int, columns: int, rows: int = 24) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Terminal:
    """A pseudo-terminal: `stream` is its inside, `read` what arrived outside."""

    def __init__(self, columns: int, rows: int) -> None:
        self.outside, self.inside = os.openpty()
        resize(self.inside, columns, rows)
        self.stream: TextIO = os.fdopen(self.inside, "w", encoding="utf-8")
        self._chunks: list[bytes] = []
        self._reader = threading.Thread(target=self._drain)
        self._reader.start()

    def _drain(self) -> None:
        while True:
            try:
                chunk = os.read(self.outside, 65536)
            except OSError:  # the inside was closed
                return
            if not chunk:
                return
            self._chunks.append(chunk)

    def read(self) -> str:
        """Everything that was written; closes the terminal."""
        if not self.stream.closed:
            self.stream.close()
        self._reader.join(10)
        return b"".join(self._chunks).decode("utf-8", "replace")


@contextmanager
def terminal(columns: int = 80, rows: int = 24) -> Iterator[Terminal]:
    pty = Terminal(columns, rows)
    try:
        yield pty
    finally:
        pty.read()
        os.close(pty.outside)
