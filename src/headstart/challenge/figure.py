"""The learning curve as in the paper's first figure: over time as it passes, and over the logarithmic clock, where
the area under it is the ALC. One SVG file with its own style."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headstart.words.scoring import log_time

_TICKS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400)
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 400.0, 240.0, 58.0, 62.0, 66.0
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}.title{font-size:15px;font-weight:600}.panel{font-weight:600}"
    ".grid{stroke:#ddd}.axis{stroke:#555}.curve{fill:none;stroke:#0b63b5;stroke-width:2}"
    ".area{fill:#0b63b5;fill-opacity:.18}.dot{fill:#0b63b5}.alc{font-weight:600}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.ground{fill:#1b1b1b}.grid{stroke:#444}.axis{stroke:#aaa}"
    ".curve{stroke:#6db3f2}.area,.dot{fill:#6db3f2}}.ground{fill:#fff}"
)


@dataclass(frozen=True)
class _Panel:
    """One plot. place: seconds to 0..1 of its width. low: the score at its bottom; the top is 1."""

    left: float
    place: Callable[[float], float]
    low: float
    budget: float

    def x(self, seconds: float) -> float:
        return self.left + _WIDTH * min(max(self.place(seconds), 0.0), 1.0)

    def y(self, score: float) -> float:
        return _TOP + _HEIGHT * (1.0 - score) / (1.0 - self.low)


def learning_curves(
    times: Sequence[float], scores: Sequence[float], budget: float, t0: Sequence[float],
    areas: Sequence[float], title: str,
) -> str:  # fmt: skip
    """An SVG document with both time axes.

    times: seconds at which predictions came, at most `budget`, increasing; scores: of them, -1 to 1. t0: seconds; the
    logarithmic axis is drawn for the first. areas: ALC for each t0.
    """
    low = min(0.0, math.floor(min(scores, default=0.0) * 4) / 4)
    plain = _Panel(_LEFT, lambda t: t / budget, low, budget)
    log = _Panel(_LEFT + _WIDTH + _GAP, lambda t: log_time(t, budget, t0[0]), low, budget)
    width, height = _LEFT + 2 * _WIDTH + _GAP + 24, _TOP + _HEIGHT + 58
    told = ", ".join(f"{area:.4f} (t0 = {one:g} s)" for one, area in zip(t0, areas, strict=True))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img">'
        f"<title>{_text(title)}: ALC {told}</title><style>{_STYLE}</style>"
        f'<rect class="ground" width="{width:.0f}" height="{height:.0f}"/>'
        f'<text class="title" x="{_LEFT}" y="24">{_text(title)}</text>',
        _panel(plain, times, scores, "score over time", "seconds", area=False),
        _panel(log, times, scores, f"ALC {told}", f"seconds, log(1 + t / {t0[0]:g} s)", area=True),
    ]
    return "".join(parts) + "</svg>\n"


def _panel(
    panel: _Panel, times: Sequence[float], scores: Sequence[float], title: str, word: str, area: bool
) -> str:
    bottom, right = _TOP + _HEIGHT, panel.left + _WIDTH
    parts = [
        f'<text class="{"alc" if area else "panel"}" x="{panel.left:.1f}" y="{_TOP - 12}">{title}</text>'
    ]
    step = 0.25 if panel.low > -0.5 else 0.5
    for k in range(round(panel.low / step), round(1 / step) + 1):
        y = panel.y(k * step)
        parts.append(
            f'<line class="grid" x1="{panel.left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{panel.left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{k * step:g}</text>'
        )
    parts.append(_moments(panel, bottom))
    parts.append(
        f'<text x="{panel.left + _WIDTH / 2:.1f}" y="{bottom + 40}" text-anchor="middle">{word}</text>'
    )
    if times:
        parts.append(_steps(panel, times, scores, area))
    return "".join(parts)


def _moments(panel: _Panel, bottom: float) -> str:
    """Ticks of the time axis, the ends first."""
    taken: list[float] = []
    parts = []
    whole = [tick for tick in reversed(_TICKS) if tick < panel.budget]
    for seconds in (panel.budget, 0.0, *whole):
        x = panel.x(seconds)
        if any(abs(x - other) < 34 for other in taken):
            continue
        taken.append(x)
        parts.append(
            f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 5}"/>'
            f'<text x="{x:.1f}" y="{bottom + 19}" text-anchor="middle">{seconds:g}</text>'
        )
    return "".join(parts)


def _steps(panel: _Panel, times: Sequence[float], scores: Sequence[float], area: bool) -> str:
    """The step curve from the first prediction to the end of the budget; before it the score is 0."""
    zero, right = panel.y(0.0), panel.x(panel.budget)
    xs, ys = [panel.x(t) for t in times], [panel.y(s) for s in scores]
    line = f"M{xs[0]:.1f} {zero:.1f}V{ys[0]:.1f}"
    line += "".join(f"H{x:.1f}V{y:.1f}" for x, y in zip(xs[1:], ys[1:], strict=True)) + f"H{right:.1f}"
    parts = [f'<path class="area" d="{line}V{zero:.1f}Z"/>' if area else ""]
    parts.append(f'<path class="curve" d="M{panel.left:.1f} {zero:.1f}L{line[1:]}"/>')
    if len(xs) <= 100:
        parts += [
            f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in zip(xs, ys, strict=True)
        ]
    return "".join(parts)


def _text(words: str) -> str:
    return html.escape("".join(c for c in words if c.isprintable()))
