"""Text, numbers and tables as HTML: the one place where anything is escaped."""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Lone surrogates (from file names that are no UTF-8) and control characters cannot stand in an HTML file.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def text(value: object) -> str:
    """`value` escaped for HTML text and quoted attributes; what cannot be shown becomes U+FFFD."""
    return html.escape(_UNPRINTABLE.sub("\ufffd", str(value)), quote=True)


def name(value: object) -> str:
    """A name in any script, isolated so that right-to-left names do not reorder what stands beside them."""
    return f"<bdi>{text(value)}</bdi>"


def shorten(value: str, columns: int) -> str:
    """`value` cut to at most `columns` columns, wide characters counting two; a cut ends in an ellipsis."""
    if sum(map(_columns, value)) <= columns:
        return value
    kept, used = "", 0
    for character in value:
        used += _columns(character)
        if used > columns - 1:
            break
        kept += character
    return kept.rstrip() + "…"


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def decimals(value: float | None, places: int = 3) -> str:
    """A number with so many decimals, a true minus, and a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.{places}f}".replace("-", "\u2212")


def percent(value: float | None, places: int = 0) -> str:
    """A share 0..1 as per cent."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{100 * value:.{places}f}\u202f%"


def count(value: int | None) -> str:
    """A whole number with thin spaces between thousands."""
    return "–" if value is None else f"{value:,}".replace(",", "\u202f")


def plural(value: int, noun: str, nouns: str = "") -> str:
    """`1 class`, `2 classes`."""
    return f"{count(value)} {noun if value == 1 else nouns or noun + 's'}"


def duration(seconds: float | None) -> str:
    """Seconds as people say them: `0.6 s`, `48 s`, `3 min 12 s`, `1 h 5 min`."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    minutes = round(seconds / 60)
    return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table of cells that are HTML already; a heading that starts with `#` is over a column of numbers."""
    sides = [' class="n"' if title.startswith("#") else "" for title in head]
    titles = "".join(
        f"<th{side}>{title.removeprefix('#')}</th>" for side, title in zip(sides, head, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(f"<td{side}>{cell}</td>" for side, cell in zip(sides, row, strict=True)) + "</tr>\n"
        for row in rows
    )
    return (
        f'<div class="wide"><table class="{kind}"><thead><tr>{titles}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def facts_list(rows: Iterable[tuple[str, str]]) -> str:
    """Pairs of a word and its value (HTML) as a definition list."""
    return '<dl class="facts">' + "".join(f"<dt>{key}</dt><dd>{value}</dd>" for key, value in rows) + "</dl>"


def bar(share: float, kind: str = "") -> str:
    """A thin horizontal bar that fills `share` (0..1) of its room."""
    filled = 100 * min(max(share if math.isfinite(share) else 0.0, 0.0), 1.0)
    return f'<span class="bar {kind}"><i style="width:{filled:.1f}%"></i></span>'


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading that others can link to; body is HTML."""

    anchor: str
    title: str
    body: str

    def __str__(self) -> str:
        return f'<section id="{self.anchor}"><h2>{self.title}</h2>\n{self.body}</section>\n'
