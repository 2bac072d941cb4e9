"""The paper's Figs. 4 to 7 as files: an SVG document each, and a CSV file with every number in it."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headstart.report.library_charts import Dot, Level, Line, Panel, Strip, panels, strips
from headstart.store.atomic import write_atomically

Table = NDArray[np.float64]
Kind = Callable[[int, int], str]


@dataclass(frozen=True)
class Scores:
    """Best scores of models on data sets, float64 [sets, models], NaN = not run. what: the score, for the axis."""

    sets: Sequence[str]
    models: Sequence[str]
    kinds: Sequence[str]
    values: Table
    what: str


@dataclass(frozen=True)
class Batches:
    """Areas over the test batch size, float64 [methods, sets, sizes]. same: of the sets' own incumbents, [sets].

    others: of each set, areas of the incumbents of other priors by name. peers: of each set the name and the area of
    the strongest peer, or None. trials: batches behind each value. what: the score, for the axis.
    """

    sets: Sequence[str]
    methods: Sequence[str]
    sizes: Sequence[int]
    values: Table
    same: NDArray[np.float64]
    others: Sequence[Mapping[str, float]]
    peers: Sequence[tuple[str, float] | None]
    trials: int
    what: str


@dataclass(frozen=True)
class Portfolio:
    """Average best over portfolio size. members: as they joined. inside, left_out: float64 [sizes]. what: the score."""

    members: Sequence[str]
    inside: NDArray[np.float64]
    left_out: NDArray[np.float64]
    oracle: float
    what: str


def write_scores(out: Path, scores: Scores) -> list[Path]:
    """Figs. 4 and 5: sorted by data set and by model, the best above. Returns the files."""
    by_set = _strips(scores.sets, scores.models, scores.values, lambda i, j: scores.kinds[j])
    by_model = _strips(scores.models, scores.sets, scores.values.T, lambda i, j: scores.kinds[i])
    rows = [
        (name, model, kind, _plain(scores.values[i, j]))
        for i, name in enumerate(scores.sets)
        for j, (model, kind) in enumerate(zip(scores.models, scores.kinds, strict=True))
        if math.isfinite(scores.values[i, j])
    ]
    table = _csv(("set", "model", "kind", "best"), rows)
    axis = f"{scores.what}; a line stands at the median"
    return [
        _write(out / "fig4_by_set.svg", strips(by_set, "Best score of every model on every data set", axis)),
        _write(out / "fig4_by_set.csv", table),
        _write(out / "fig5_by_model.svg", strips(by_model, "Best score on every data set, by model", axis)),
        _write(out / "fig5_by_model.csv", _csv(("model", "kind", "sets", "median", "mean"), _models(scores))),
    ]


def write_batches(out: Path, batches: Batches) -> list[Path]:
    """Fig. 6: a panel per data set. Returns the files."""
    many = [_panel(batches, i) for i in range(len(batches.sets))]
    title = "Area reached when the configuration is taken from the prior that a batch is recognised as"
    axis = (
        f"samples in the batch; {batches.what}, mean of {batches.trials} batches, the set's source left out; "
        "incumbents far below are not drawn"
    )
    ticks = [str(size) for size in batches.sizes]
    rows: list[tuple[str, str, str, str]] = []
    for i, name in enumerate(batches.sets):
        for m, method in enumerate(batches.methods):
            for s, size in enumerate(batches.sizes):
                rows.append((name, method, str(size), _plain(batches.values[m, i, s])))
        rows.append((name, "same-config", "", _plain(batches.same[i])))
        peer = batches.peers[i]
        rows += [(name, f"peer {peer[0]}", "", _plain(peer[1]))] if peer else []
        rows += [(name, f"incumbent of {prior}", "", _plain(v)) for prior, v in batches.others[i].items()]
    return [
        _write(out / "fig6_batch_size.svg", panels(many, ticks, title, axis)),
        _write(out / "fig6_batch_size.csv", _csv(("set", "line", "batch", "area"), rows)),
    ]


def write_portfolio(out: Path, portfolio: Portfolio) -> list[Path]:
    """Fig. 7. Returns the files."""
    inside, left_out = portfolio.inside.tolist(), portfolio.left_out.tolist()
    lines = (
        Line("chosen on all priors", inside),
        Line("source left out, best member in hindsight", left_out),
    )
    oracle = Level("oracle: all configurations", portfolio.oracle, "same")
    panel = Panel(portfolio.what, lines, (oracle,))
    ticks = [str(size + 1) for size in range(len(inside))]
    rows = [
        (str(k + 1), portfolio.members[k], _plain(inside[k]), _plain(left_out[k]), _plain(portfolio.oracle))
        for k in range(len(inside))
    ]
    title = "Average best score of a portfolio"
    named = {"same": "oracle: all configurations"}
    return [
        _write(
            out / "fig7_portfolio.svg",
            panels((panel,), ticks, title, "configurations in the portfolio", named=named),
        ),
        _write(out / "fig7_portfolio.csv", _csv(("size", "member", "inside", "left_out", "oracle"), rows)),
    ]


def _panel(batches: Batches, i: int) -> Panel:
    levels = [Level(f"incumbent of {prior}", value, "thin") for prior, value in batches.others[i].items()]
    levels.append(Level("same-config", float(batches.same[i]), "same"))
    peer = batches.peers[i]
    levels += [Level(f"strongest peer: {peer[0]}", peer[1], "peer")] if peer else []
    lines = [Line(method, batches.values[m, i].tolist()) for m, method in enumerate(batches.methods)]
    return Panel(batches.sets[i], lines, levels)


def _strips(rows: Sequence[str], columns: Sequence[str], values: Table, kind: Kind) -> list[Strip]:
    """A strip per row that has a value, sorted by median."""
    found = []
    for i, label in enumerate(rows):
        there = np.flatnonzero(np.isfinite(values[i])).tolist()
        if there:
            dots = [Dot(float(values[i, j]), kind(i, j), f"{label}, {columns[j]}") for j in there]
            found.append(Strip(label, dots, float(np.median(values[i, there]))))
    return sorted(found, key=lambda strip: (-strip.middle, strip.label))


def _models(scores: Scores) -> list[tuple[str, ...]]:
    rows = []
    for j, (model, kind) in enumerate(zip(scores.models, scores.kinds, strict=True)):
        there = scores.values[np.isfinite(scores.values[:, j]), j]
        if len(there):
            rows.append((model, kind, str(len(there)), _plain(np.median(there)), _plain(there.mean())))
    return sorted(rows, key=lambda row: (-float(row[3]), row[0]))


def _plain(value: float | np.floating) -> str:
    return f"{float(value):.5f}" if math.isfinite(float(value)) else ""


def _csv(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()


def _write(path: Path, content: str) -> Path:
    write_atomically(path, content.encode())
    return path
