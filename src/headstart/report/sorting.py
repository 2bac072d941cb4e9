"""A table that is sorted by a click on a heading, without script.

The headings are labels of radio buttons, and the chosen one picks which of its ranks a row takes as its place
in the column of rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

KEYS = ("name", "samples", "score", "precise", "threshold", "f1", "recall", "precision")

RULES = "\n".join(
    f"#by-{key}:checked ~ .classes tbody tr {{ order: var(--{key}); }}\n"
    f"#by-{key}:checked ~ .classes label[for=by-{key}] {{ color: var(--accent); }}\n"
    f'#by-{key}:checked ~ .classes label[for=by-{key}]::after {{ content: " ↓"; }}\n'
    f"#by-{key}:focus-visible ~ .classes label[for=by-{key}] {{ outline: 2px solid var(--accent); }}"
    for key in KEYS
)  # of the page's style sheet


@dataclass(frozen=True)
class Column:
    """A column: its key (one of KEYS), its title, what its rows are sorted by, and its cells as HTML.

    values: names are sorted from A to Z, numbers from the lowest, nan last.
    """

    key: str
    title: str
    values: Sequence[str] | Sequence[float]
    cells: Sequence[str]


def sortable(columns: Sequence[Column], chosen: str) -> str:
    """The table as HTML, sorted by the column `chosen` at first. There is room for one on a page."""
    ranks = {column.key: _ranks(column.values) for column in columns}
    buttons = "".join(
        f'<input class="sorter" type="radio" name="by" id="by-{column.key}" '
        f'aria-label="Sort by {column.title.lower()}"{" checked" if column.key == chosen else ""}>'
        for column in columns
    )
    # The name and the column with a bar stand to the left; all others are numbers.
    sides = ["" if column.key in ("name", "score") else ' class="n"' for column in columns]
    heads = "".join(
        f'<th{side}><label for="by-{column.key}">{column.title}</label></th>'
        for side, column in zip(sides, columns, strict=True)
    )
    rows = "\n".join(
        f'<tr style="{";".join(f"--{key}:{rank[i]}" for key, rank in ranks.items())}">'
        + "".join(f"<td{side}>{column.cells[i]}</td>" for side, column in zip(sides, columns, strict=True))
        + "</tr>"
        for i in range(len(columns[0].cells))
    )
    return (
        f'{buttons}<div class="classes" style="--more:{len(columns) - 3}" tabindex="0">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _ranks(values: Sequence[str] | Sequence[float]) -> list[int]:
    def place(i: int) -> tuple[bool, float, str]:
        value = values[i]
        if isinstance(value, str):
            return False, 0.0, value.casefold()
        return not math.isfinite(value), value if math.isfinite(value) else 0.0, ""

    ranks = [0] * len(values)
    for rank, i in enumerate(sorted(range(len(values)), key=place)):
        ranks[i] = rank
    return ranks
