"""Drawings of what a library holds: one SVG document each, with its own style, for light and dark grounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headstart.report.markup import decimals, shorten, text

KINDS = ("pixels", "frozen", "trained", "other")
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#7f7f7f")
_DARK = ("#5ab4f0", "#ff9a4d", "#3fd0a4", "#e5a3c8", "#f3c04d", "#9ad7f7", "#c9a86a", "#b5b5b5")
_LEVELS = {"same": "same-config", "peer": "strongest peer", "thin": "each prior's incumbent"}
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}.title{font-size:15px;font-weight:600}.small{font-size:10.5px}"
    ".ground{fill:#fff}.grid{stroke:#ddd}.axis{stroke:#555}.row{stroke:#eee}.middle{stroke:#333;stroke-width:2}"
    ".curve{fill:none;stroke-width:2}.thin{stroke:#7a9a4b;stroke-opacity:.45;stroke-width:.8}"
    ".same{stroke:#333;stroke-width:1.6;stroke-dasharray:5 3}.peer{stroke:#b00020;stroke-width:1.6;"
    "stroke-dasharray:2 3}.dot{fill-opacity:.75}"
)
_NIGHT = (
    "text{fill:#ddd}.ground{fill:#1b1b1b}.grid{stroke:#444}.axis{stroke:#aaa}.row{stroke:#2c2c2c}"
    ".middle,.same{stroke:#eee}.thin{stroke:#a9c97a}.peer{stroke:#ff7a8a}"
)
_LABEL = 76  # characters of a row's name


@dataclass(frozen=True)
class Dot:
    """One value of a strip. kind: its colour, one of KINDS. title: shown when pointed at."""

    value: float
    kind: str
    title: str


@dataclass(frozen=True)
class Strip:
    """A row of dots. middle: where the line stands."""

    label: str
    dots: Sequence[Dot]
    middle: float


@dataclass(frozen=True)
class Line:
    """A line in a panel: places along the axis (any rising numbers, evenly spaced) and values; nan = a gap."""

    name: str
    values: Sequence[float]


@dataclass(frozen=True)
class Level:
    """A horizontal line. kind: "thin", "same" or "peer"."""

    name: str
    value: float
    kind: str


@dataclass(frozen=True)
class Panel:
    """A small plot: lines over common ticks, and levels."""

    title: str
    lines: Sequence[Line]
    levels: Sequence[Level] = field(default_factory=tuple)


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    start: float
    length: float  # negative: upwards

    def at(self, value: float) -> float:
        return self.start + self.length * (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        step = nice((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        return [k * step for k in range(first, math.floor(self.high / step + 1e-9) + 1)]


def strips(rows: Sequence[Strip], title: str, axis: str) -> str:
    """Rows of dots, the best at the top as given; a line at the middle of each. axis: what the values are."""
    left = 28 + 7.2 * max((len(shorten(row.label, _LABEL)) for row in rows), default=4)
    width, top, pitch = 640.0, 64.0, 20.0
    values = [dot.value for row in rows for dot in row.dots]
    low, high = _span(values)
    scale = _Scale(low, high, left, width)
    places = max(math.ceil(-math.log10(nice((high - low) / 5)) - 1e-9), 1)
    bottom = top + pitch * len(rows)
    kinds = [k for k in KINDS if any(d.kind == k for r in rows for d in r.dots)]
    parts = [_legend(kinds, left, 44)]
    for tick in scale.ticks():
        x = scale.at(tick)
        parts.append(
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>'
            f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{decimals(tick, places)}</text>'
        )
    parts += [_strip(row, scale, top + pitch * (i + 0.5), left) for i, row in enumerate(rows)]
    parts.append(f'<text x="{left + width / 2}" y="{bottom + 36}" text-anchor="middle">{text(axis)}</text>')
    return _document(left + width + 24, bottom + 48, title, "".join(parts))


def _strip(row: Strip, scale: _Scale, y: float, left: float) -> str:
    parts = [
        f'<line class="row" x1="{left}" x2="{scale.start + scale.length}" y1="{y}" y2="{y}"/>'
        f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{text(shorten(row.label, _LABEL))}</text>'
    ]
    for dot in row.dots:
        colour = KINDS.index(dot.kind) if dot.kind in KINDS else len(KINDS) - 1
        parts.append(
            f'<circle class="dot c{colour}" cx="{scale.at(dot.value):.1f}" cy="{y}" r="4">'
            f"<title>{text(dot.title)}: {decimals(dot.value)}</title></circle>"
        )
    x = scale.at(row.middle)
    parts.append(f'<line class="middle" x1="{x:.1f}" x2="{x:.1f}" y1="{y - 8}" y2="{y + 8}"/>')
    return "".join(parts)


def panels(
    many: Sequence[Panel],
    ticks: Sequence[str],
    title: str,
    axis: str,
    columns: int = 4,
    named: Mapping[str, str] = _LEVELS,
) -> str:
    """Small plots side by side with one legend.

    ticks: under the places of the lines; axis: what they are. named: what the kinds of levels are called.
    """
    columns = min(columns, max(len(many), 1))
    names = list(dict.fromkeys(line.name for panel in many for line in panel.lines))
    wide, high, gap, top = (560.0, 320.0, 0.0, 76.0) if len(many) == 1 else (210.0, 150.0, 52.0, 76.0)
    kinds = [kind for kind in _LEVELS if any(level.kind == kind for p in many for level in p.levels)]
    right = 56 + columns * (wide + gap)
    key, used = _key(names, [(kind, named.get(kind, kind)) for kind in kinds], max(right, 640.0))
    top += used
    parts = [key]
    for number, panel in enumerate(many):
        x = 56 + (number % columns) * (wide + gap)
        y = top + (number // columns) * (high + 62)
        parts.append(_panel(panel, names, ticks, x, y, wide, high))
    bottom = top + math.ceil(len(many) / columns) * (high + 62)
    parts.append(f'<text x="{right / 2:.0f}" y="{bottom - 8:.0f}" text-anchor="middle">{text(axis)}</text>')
    return _document(max(right, 640.0) + 8, bottom + 6, title, "".join(parts))


def _shown(panel: Panel) -> list[float]:
    """What the frame must hold: all but the lower half of the thin levels, some of which lie so far down that the lines
    could not be told apart."""
    thin = sorted((level.value for level in panel.levels if level.kind == "thin"), reverse=True)
    marked = [level.value for level in panel.levels if level.kind != "thin"]
    return [*(v for line in panel.lines for v in line.values), *marked, *thin[: (len(thin) + 1) // 2]]


def _panel(
    panel: Panel, names: Sequence[str], ticks: Sequence[str], x: float, y: float, wide: float, high: float
) -> str:
    low, top = _span(_shown(panel))
    scale = _Scale(low, top, y + high, -high)
    step = wide / max(len(ticks) - 1, 1)
    places = max(math.ceil(-math.log10(nice((top - low) / 5)) - 1e-9), 1)
    parts = [
        f'<text x="{x}" y="{y - 8}" font-weight="600">{text(shorten(panel.title, int(wide / 7.4)))}</text>'
    ]
    for tick in scale.ticks():
        at = scale.at(tick)
        parts.append(
            f'<line class="grid" x1="{x}" x2="{x + wide}" y1="{at:.1f}" y2="{at:.1f}"/>'
            f'<text class="small" x="{x - 6}" y="{at + 4:.1f}" text-anchor="end">{decimals(tick, places)}</text>'
        )
    every = math.ceil(len(ticks) * 24 / wide)
    for i, name in enumerate(ticks):
        if i % every == 0:
            parts.append(
                f'<text class="small" x="{x + i * step:.1f}" y="{y + high + 15}" text-anchor="middle">'
                f"{text(name)}</text>"
            )
    for level in panel.levels:
        if not low <= level.value <= top:
            continue
        at = scale.at(level.value)
        parts.append(
            f'<line class="{level.kind}" x1="{x}" x2="{x + wide}" y1="{at:.1f}" y2="{at:.1f}">'
            f"<title>{text(level.name)}: {decimals(level.value)}</title></line>"
        )
    parts += [_line(line, names.index(line.name), scale, x, step) for line in panel.lines]
    return "".join(parts)


def _line(line: Line, colour: int, scale: _Scale, x: float, step: float) -> str:
    places = [(x + i * step, scale.at(value)) for i, value in enumerate(line.values) if math.isfinite(value)]
    if not places:
        return ""
    path = "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in places)
    title = f"<title>{text(line.name)}: {', '.join(decimals(v) for v in line.values)}</title>"
    return (
        f'<path class="curve l{colour % len(_COLOURS)} d{colour // len(_COLOURS)}" d="{path}">{title}</path>'
    )


def _key(names: Sequence[str], kinds: Sequence[tuple[str, str]], room: float) -> tuple[str, float]:
    """The legend of lines and levels, in as many rows as it needs, and the height beyond the first."""
    lines = [(f"curve l{i % len(_COLOURS)} d{i // len(_COLOURS)}", name) for i, name in enumerate(names)]
    x, y, parts = 24.0, 46.0, []
    for kind, name in [*lines, *kinds]:
        width = 44 + 6.9 * len(name)
        if x > 24 and x + width > room:
            x, y = 24.0, y + 18
        parts.append(
            f'<path class="{kind}" fill="none" d="M{x:.1f} {y - 4:.1f}h24"/>'
            f'<text x="{x + 30:.1f}" y="{y:.1f}">{text(name)}</text>'
        )
        x += width
    return "".join(parts), y - 46.0


def _legend(kinds: Sequence[str], x: float, y: float) -> str:
    parts = []
    for kind in kinds:
        parts.append(
            f'<circle class="dot c{KINDS.index(kind)}" cx="{x:.1f}" cy="{y - 4}" r="4"/>'
            f'<text x="{x + 9:.1f}" y="{y}">{kind}</text>'
        )
        x += 30 + 7 * len(kind)
    return "".join(parts)


def _span(values: Sequence[float]) -> tuple[float, float]:
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    step = nice(max(high - low, 0.01) / 4)
    return math.floor(low / step - 1e-9) * step, math.ceil(high / step + 1e-9) * step


def nice(step: float) -> float:
    """The next of 1, 2, 5 x 10^k at or above `step`."""
    step = max(step, 1e-4)
    scale = 10.0 ** math.floor(math.log10(step) + 1e-9)
    return next(scale * factor for factor in (1, 2, 5, 10) if scale * factor >= step * (1 - 1e-9))


def _document(width: float, height: float, title: str, body: str) -> str:
    day = "".join(f".c{i}{{fill:{c}}}.l{i}{{stroke:{c}}}" for i, c in enumerate(_COLOURS))  # dots, lines
    night = "".join(f".c{i}{{fill:{c}}}.l{i}{{stroke:{c}}}" for i, c in enumerate(_DARK))
    dashes = ".d1{stroke-dasharray:7 3}.d2{stroke-dasharray:2 3}"
    style = f"{_STYLE}{day}{dashes}@media(prefers-color-scheme:dark){{{_NIGHT}{night}}}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'role="img"><title>{text(title)}</title><style>{style}</style>'
        f'<rect class="ground" width="{width:.0f}" height="{height:.0f}"/>'
        f'<text class="title" x="24" y="24">{text(title)}</text>{body}</svg>\n'
    )
