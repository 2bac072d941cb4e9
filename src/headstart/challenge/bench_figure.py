"""The curves of all learners on one task, over the logarithmic clock, in one SVG file with its own style."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from headstart.challenge import figure
from headstart.words.scoring import log_time

_COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
)  # told apart by the colour-blind
_DASHES = ("", "7 3", "2 3", "9 3 2 3")  # after all colours are used once
_LEGEND = 250.0


@dataclass(frozen=True)
class Line:
    """A learner's curve. times: seconds, increasing, within the budget. scores: -1 to 1. alc: None = not played."""

    learner: str
    times: Sequence[float]
    scores: Sequence[float]
    alc: float | None


def compared(lines: Sequence[Line], budget: float, t0: float, title: str) -> str:
    """An SVG document. budget, t0: seconds of the clock."""
    low = min(0.0, math.floor(min((s for line in lines for s in line.scores), default=0.0) * 4) / 4)
    panel = figure._Panel(figure._LEFT, lambda t: log_time(t, budget, t0), low, budget)
    right = figure._LEFT + figure._WIDTH
    width = right + 24 + _LEGEND
    height = max(figure._TOP + figure._HEIGHT + 58, figure._TOP + 22 * len(lines) + 30)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img">'
        f"<title>{figure._text(title)}</title><style>{figure._STYLE}{_styles(len(lines))}</style>"
        f'<rect class="ground" width="{width:.0f}" height="{height:.0f}"/>'
        f'<text class="title" x="{figure._LEFT}" y="24">{figure._text(title)}</text>',
        figure._panel(panel, [], [], "score", f"seconds, log(1 + t / {t0:g} s)", area=False),
    ]
    for number, line in enumerate(lines):
        steps = figure._steps(panel, line.times, line.scores, area=False) if line.times else ""
        y = figure._TOP + 8 + 22 * number
        told = "not played" if line.alc is None else f"ALC {line.alc:.4f}"
        parts.append(
            f'<g class="line{number}">{steps}<path class="curve" d="M{right + 24:.1f} {y:.1f}h26"/></g>'
            f'<text x="{right + 58:.1f}" y="{y + 4:.1f}">{figure._text(f"{line.learner}: {told}")}</text>'
        )
    return "".join(parts) + "</svg>\n"


def _styles(lines: int) -> str:
    """A colour and, where the colours do not suffice, a dash pattern for each line."""
    rules = []
    for number in range(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        dashes = _DASHES[number // len(_COLOURS) % len(_DASHES)]
        rules.append(
            f".line{number} .curve{{stroke:{colour}{f';stroke-dasharray:{dashes}' if dashes else ''}}}"
            f".line{number} .dot{{fill:{colour}}}"
        )
    return "".join(rules)
