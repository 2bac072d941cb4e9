"""One prior of the library: what it is, what it looks like, and which configurations did best on it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from typing import TYPE_CHECKING, Any

from headstart.cli.drawing import fit, printable, width
from headstart.cli.library import folders, opened
from headstart.cli.library_list import complain, cut
from headstart.words.scoring import BUDGET, T0

if TYPE_CHECKING:
    from headstart.meta.library import Entry, Library
    from headstart.meta.performance import Performance
    from headstart.words.config import Config

_COLUMNS = 80
_NAME = 26  # columns of a configuration's name at most


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `library show`."""
    parser.add_argument("name", help="as `library list` shows it")
    parser.add_argument("--t0", type=float, default=T0, help=f"of the area, in seconds (default {T0:g})")
    parser.add_argument("--budget", default=f"{BUDGET:g}", help="T of the area: 90s, 20m (default 20m)")
    parser.add_argument("--best", type=int, default=10, metavar="N", help="configurations shown (default 10)")
    folders(parser)


def run(options: argparse.Namespace) -> int:
    """Runs `library show`; returns the exit code."""
    from headstart.errors import BadInput
    from headstart.words.clock import Budget

    if not (math.isfinite(options.t0) and options.t0 > 0):
        raise BadInput(f"--t0 is {options.t0}, but must be a finite number of seconds above 0")
    if options.best < 0:
        raise BadInput(f"--best is {options.best}, but must be 0 or more")
    budget = Budget.parse(options.budget).seconds
    library = opened(options)
    entry = library.entry(options.name)
    if options.json:
        print(json.dumps(_document(library, entry, options.t0, budget)))
        return 0
    table = library.only(options.name).matrix(options.t0, budget)
    lines = [*_about(library, entry), *_best(table, options.name, options.t0, budget, options.best)]
    print("\n".join(fit(line.rstrip(), _COLUMNS) for line in lines))
    complain(library.problems)
    return 0


def words_of(config: Config | None) -> str:
    """A configuration in a few words: `pixels@16 lite0@64 lite0@128; ridge, lda`."""
    if config is None:
        return "(only its name is known)"
    stages = " ".join(f"{stage.name}/{'+'.join(stage.outputs)}" for stage in config.stages)
    recipe = config.recipe
    trained = (
        f"{recipe.name} trained from {recipe.weights}, {recipe.optimiser} {recipe.rate:g}" if recipe else ""
    )
    heads = ", ".join(config.heads) if config.stages else ""
    return "; ".join(part for part in (stages, heads, trained) if part)


def _about(library: Library, entry: Entry) -> list[str]:
    prior = entry.prior
    count = "several labels" if prior.labels == "multi" else "one label"
    lines = [f"{prior.name}: {prior.kind}s with {count} each"]
    if prior.source != prior.name:
        lines.append(f"source    {printable(prior.source)}")
    if prior.classes or prior.samples:
        test = f", {prior.test} test samples" if prior.test else ""
        lines.append(f"size      {prior.samples} training samples of {prior.classes} classes{test}")
    if prior.per_class:
        rare = f", {prior.rarest} in the rarest" if prior.rarest else ""
        lines.append(f"          {prior.per_class:.1f} in the average class{rare}")
    if prior.pixels:
        lines.append(f"          a typical file has as many pixels as a square of {prior.pixels:.0f}")
    if prior.licence:
        lines.append(f"licence   {printable(prior.licence)}")
    features = library.features(prior.name)
    if features is not None:
        lines.append(f"looks     {len(features.rows)} reference samples, moments of {features.n}")
    else:
        lines.append("looks     not known: no run can be told to resemble it")
    lines += [f"landmark  {cut(name, 40)} {value:.3f}" for name, value in prior.landmarks.items()]
    lines += [f"{'folder' if not at else '':<10}{folder}" for at, folder in enumerate(entry.folders)]
    return [*lines, f"id        {entry.id}"]


def _best(table: Performance, name: str, t0: float, budget: float, count: int) -> list[str]:
    if name not in table.priors:
        return ["no runs yet"]
    row = table.row(name)
    order = [j for j in (-table.values[row]).argsort(kind="stable") if table.n[row, j]]
    lines = ["", f"{len(order)} configurations, by area (t0 = {t0:g} s, T = {budget:g} s):"]
    names = min(max((width(table.configs[j]) for j in order[:count]), default=0), _NAME)
    for j in order[:count]:
        spread = table.spread[row, j]
        apart = f"± {spread:.4f}" if math.isfinite(spread) else ""
        lines.append(
            f"  {table.values[row, j]:7.4f} {apart:<9}{table.n[row, j]:>3}  {cut(table.configs[j], names)}"
            f" {words_of(table.settings[j])}"
        )
    if len(order) > count:
        lines.append(f"  {len(order) - count} more; --best N shows them, --json all runs")
    return lines


def _document(library: Library, entry: Entry, t0: float, budget: float) -> dict[str, Any]:
    features = library.features(entry.prior.name)
    runs = [
        dataclasses.asdict(dataclasses.replace(record, config=None))
        | {
            "config": None if record.config is None else json.loads(record.config.to_json()),
            "alc": record.alc(t0, budget),
        }
        for record in library.records(entry.prior.name)
    ]
    looks = None if features is None else {"rows": len(features.rows), "n": features.n}
    document = dataclasses.asdict(entry.prior) | {"id": entry.id, "features": looks}
    document |= {"folders": [str(folder) for folder in entry.folders], "t0": t0, "budget": budget}
    return document | {"runs": runs, "problems": library.problems}
