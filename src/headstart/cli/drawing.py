"""Bars, curves and times in character cells."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

_T0 = 1.0  # seconds; far below the challenge's 60, so that the first seconds can be watched, too
_MOMENTS = (1, 10, 60, 600, 3600, 30, 300, 3, 1800, 120, 7200, 20, 1200, 5, 14400, 28800, 86400)
_UNSAFE = ("Cc", "Cf", "Cs", "Zl", "Zp")


class Glyphs(NamedTuple):
    """The characters that bars and curves are made of; levels = fillings of a cell from empty to full."""

    full: str
    empty: str
    levels: str

    def bar(self, share: float, cells: int) -> str:
        """A bar of so many cells that `share` (0 to 1) of it is filled."""
        filled = round(min(max(share, 0.0), 1.0) * cells)
        return self.full * filled + self.empty * (cells - filled)


UNICODE = Glyphs("━", "┄", "")
ASCII = Glyphs("#", ".", " .:|")


def log_place(seconds: float, budget: float) -> float:
    """The moment's place on a logarithmic clock, 0 at the start and 1 at the budget."""
    return math.log1p(max(seconds, 0.0) / _T0) / math.log1p(max(budget, 1e-9) / _T0)


def curve_rows(
    points: Sequence[tuple[float, float]], now: float, budget: float, cells: int, rows: int, glyphs: Glyphs
) -> list[str]:
    """The area under the step curve from the first prediction to `now`, as `rows` lines of `cells` cells.

    points: (seconds, evidence) in order. The height runs from the lowest evidence to the highest.
    """
    braille = not glyphs.levels
    across, down = (2, 4) if braille else (1, len(glyphs.levels) - 1)
    heights = _heights(points, now, budget, cells * across, rows * down)
    lines = []
    for row in range(rows):
        floor = (rows - 1 - row) * down
        filled = [min(max(height - floor, 0), down) for height in heights]
        if braille:
            lines.append("".join(_braille(*filled[i : i + 2]) for i in range(0, len(filled), 2)))
        else:
            lines.append("".join(glyphs.levels[level] for level in filled))
    return lines


def _heights(
    points: Sequence[tuple[float, float]], now: float, budget: float, columns: int, levels: int
) -> list[int]:
    if not points:
        return [0] * columns
    scores = [score for _, score in points]
    low, high = min(scores), max(scores)
    heights = [0] * columns
    last = min(int(log_place(max(now, points[-1][0]), budget) * columns), columns - 1)
    ends = [*(seconds for seconds, _ in points[1:]), math.inf]
    for (seconds, score), end in zip(points, ends, strict=True):
        first = min(int(log_place(seconds, budget) * columns), columns - 1)
        stop = last if end == math.inf else min(int(log_place(end, budget) * columns), last)
        height = 1 + round((score - low) / (high - low) * (levels - 1)) if high > low else levels
        heights[first : stop + 1] = [height] * (stop + 1 - first)
    return heights


def _braille(left: int, right: int) -> str:
    """A cell whose two columns of dots are filled to a height of 0 to 4."""
    lefts, rights = (0, 0x40, 0x44, 0x46, 0x47), (0, 0x80, 0xA0, 0xB0, 0xB8)
    return chr(0x2800 + lefts[left] + rights[right]) if left or right else " "


def time_axis(budget: float, cells: int) -> str:
    """Moments under the curve, each where it lies; the budget at the right end."""
    line = [" "] * cells
    wanted = [budget, 0.0, *(float(t) for t in _MOMENTS if 0 < t < budget)]
    for seconds in wanted:
        word = "0" if seconds == 0 else moment(seconds)
        at = min(int(log_place(seconds, budget) * cells), cells - len(word))
        if at >= 0 and all(c == " " for c in line[max(at - 2, 0) : at + len(word) + 2]):
            line[at : at + len(word)] = word
    return "".join(line).rstrip()


def moment(seconds: float) -> str:
    """A time in at most six columns: `0.6s`, `48s`, `3m12s`, `1h05m`."""
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m" + (f"{whole % 60:02d}s" if whole % 60 else "")
    minutes = round(seconds / 60)
    return f"{minutes // 60}h" + (f"{minutes % 60:02d}m" if minutes % 60 else "")


def printable(words: str) -> str:
    """`words` on one line, without anything that a terminal would take for a command."""
    spaced = " ".join(words.split())
    return "".join("\ufffd" if _is_unsafe(c) else c for c in spaced)


def _is_unsafe(character: str) -> bool:
    joiner = character in "\u200c\u200d"  # part of how some scripts are spelt
    return not joiner and unicodedata.category(character) in _UNSAFE


def width(words: str) -> int:
    """How many columns `words` takes on a terminal."""
    return sum(map(_columns, words))


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(words: str, columns: int) -> str:
    """`words` cut to at most `columns` columns."""
    kept, used = [], 0
    for character in words:
        used += _columns(character)
        if used > columns:
            break
        kept.append(character)
    return "".join(kept)
