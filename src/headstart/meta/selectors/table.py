"""The comparison of rules as text for a terminal, as Markdown, and as plain data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from headstart.meta.evaluate import DRAWS, Line, Verdict


def markdown(verdict: Verdict, bold: str = "") -> str:
    """A Markdown table with what it rests on below it. bold: the rule that is set in bold, the headline."""
    cross = any(line.cross is not None for line in verdict.lines)
    head = ["rule", "regret", *(["cross-fitted"] if cross else []), "gain", "95 % interval", "won / lost"]
    head += ["least gain", "without the most influential", "probe s"]
    rows = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for line in verdict.lines:
        name = f"**{line.rule}**" if line.rule == bold else line.rule
        cells = [
            name,
            _area(line.regret),
            *([_cross(line)] if cross else []),
            _signed(line.gain),
            _interval(line),
        ]
        cells += [
            f"{line.wins} / {line.losses}",
            _signed(line.least),
            _signed(line.without),
            f"{line.seconds:.1f}",
        ]
        rows.append(cells)
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{table}\n\n{notes(verdict)}\n"


def plain(verdict: Verdict) -> str:
    """Lines of at most 80 columns."""
    head = f"{'rule':34}{'regret':>8}{'gain':>8}{'interval':>18}{'won/lost':>9}"
    rows = [head]
    for line in verdict.lines:
        rows.append(
            f"{line.rule[:33]:34}{_area(line.regret):>8}{_signed(line.gain):>8}{_interval(line):>18}"
            f"{f'{line.wins}/{line.losses}':>9}"
        )
    return "\n".join(rows)


def notes(verdict: Verdict) -> str:
    """What was compared on what, in sentences."""
    said = (
        f"{len(verdict.lines)} rules compared on {verdict.priors} priors of {len(verdict.sources)} sources and "
        f"{verdict.configs} configurations, one source left out at a time. Gains are over the single best "
        f"configuration; intervals by {DRAWS:,} bootstrap samples of the sources, without correction for the number of "
        "rules; they hold no noise of seeds and splits."
    )
    for name, needs in verdict.left_out.items():
        said += f" Not tried: {name} (there is no {needs})."
    return said


def as_data(verdict: Verdict) -> dict[str, Any]:
    """For JSON: all lines with the gain on each source, and what each rule chose for each prior."""
    chosen = {
        outcome.rule: [choice.config if not choice.drawn else "" for choice in outcome.choices]
        for outcome in verdict.outcomes
    }
    lines = [dataclasses.asdict(line) | {"by_source": dict(line.by_source)} for line in verdict.lines]
    left_out: Mapping[str, str] = dict(verdict.left_out)
    return {
        "priors": verdict.priors, "configs": verdict.configs, "sources": list(verdict.sources),
        "rules": len(verdict.lines), "lines": lines, "chosen": chosen, "not_tried": left_out,
    }  # fmt: skip


def _area(value: float) -> str:
    return f"{value:.4f}"


def _signed(value: float) -> str:
    return f"{value:+.4f}"


def _cross(line: Line) -> str:
    return "–" if line.cross is None else _area(line.cross)


def _interval(line: Line) -> str:
    return f"{_signed(line.low)} {_signed(line.high)}"
