"""Draw docs/curve.svg from single runs of the benchmark.

python recipes/curve_figure.py benchmarks/out/runs/ours-clipart-0.json benchmarks/out/runs/practitioner*-clipart-0.json
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 760, 340, 56, 44, 18, 18
FIRST, LAST, LOW, HIGH = 0.5, 60.0, 0.3, 0.95
NAMES = {
    "ours": "headstart",
    "practitioner128_c100": "torch, 128 px + logistic regression",
    "practitioner224_c100": "torch, 224 px + logistic regression",
    "pixels_trees": "16 x 16 pixels, extra trees",
    "finetune64": "fine-tuning, 64 px",
}
COLOURS = ["#1769aa", "#b5500b", "#2e7d4f", "#7b4397", "#8a6d00"]


def x(seconds: float) -> float:
    share = math.log(seconds / FIRST) / math.log(LAST / FIRST)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def y(score: float) -> float:
    return HEIGHT - BOTTOM - (score - LOW) / (HIGH - LOW) * (HEIGHT - BOTTOM - TOP)


def steps(times: list[float], scores: list[float]) -> str:
    """A step function as an SVG path, held to the right edge."""
    path = f"M{x(times[0]):.1f} {y(LOW):.1f}"
    for when, score in zip(times, scores, strict=True):
        path += f"H{x(min(when, LAST)):.1f}V{y(max(score, LOW)):.1f}"
    return path + f"H{x(LAST):.1f}"


def axes() -> list[str]:
    parts = []
    for score in (0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        parts.append(f'<path d="M{LEFT} {y(score):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(score) + 4:.1f}" text-anchor="end">{score:.1f}</text>')
    for second in (0.5, 1, 2, 5, 10, 20, 60):
        parts.append(
            f'<text x="{x(second):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{second:g} s</text>'
        )
    parts.append(
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 6}" text-anchor="middle">CPU seconds since process start</text>'
    )
    return parts


def main() -> None:
    parts = axes()
    place = HEIGHT - BOTTOM - 96
    for number, name in enumerate(sys.argv[1:]):
        run = json.loads(Path(name).read_text())
        learner = run["learner"]
        colour, wide = COLOURS[number % len(COLOURS)], 3 if learner == "ours" else 1.8
        line = steps(run["seconds"], run["scores"])
        parts.append(f'<path d="{line}" fill="none" stroke="{colour}" stroke-width="{wide}"/>')
        label = f"{NAMES.get(learner, learner)}: {run['final']:.3f}"
        parts.append(
            f'<text x="{WIDTH - RIGHT - 8}" y="{place}" text-anchor="end" fill="{colour}">{label}</text>'
        )
        place += 20
    font = 'font-family="sans-serif" font-size="13"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {font}>'
    back = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    text = head + back + '<g fill="#333">' + "".join(parts) + "</g></svg>\n"
    (Path(__file__).parents[1] / "docs" / "curve.svg").write_text(text)


if __name__ == "__main__":
    main()
