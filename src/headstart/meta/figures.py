"""The data behind the paper's Figs. 4 to 7, computed from a library's table and reference rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from headstart.errors import BadInput
from headstart.learn.plan import TAPS
from headstart.meta.library import Library
from headstart.meta.performance import Performance, Table
from headstart.meta.similarity.contract import Method, nearest
from headstart.words.config import PLAIN, Config, Stage

_USUAL = (TAPS, ("rgb16",), ("flow", "edges"))  # outputs that need no name in a figure
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

Rows = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Best:
    """The best score of each model on each data set: float64 [priors, models], NaN = not run. kinds: of models."""

    priors: tuple[str, ...]
    models: tuple[str, ...]
    kinds: tuple[str, ...]
    scores: Table


@dataclass(frozen=True)
class Recognised:
    """Fig. 6: the area reached by the incumbent of the prior that a method takes a batch for.

    reached: float64 [methods, priors, sizes], mean over `trials` batches. same: each prior's own incumbent, [priors].
    others: of each prior, the areas there of the incumbents of the other sources, by prior.
    """

    priors: tuple[str, ...]
    methods: tuple[str, ...]
    sizes: tuple[int, ...]
    trials: int
    reached: Table
    same: NDArray[np.float64]
    others: tuple[Mapping[str, float], ...]


def model_of(name: str, config: Config | None) -> str:
    """What a configuration computes with, whatever its heads: `pixels@64, lite0@64+128/d10, small@32`.

    Neighbouring stages that differ in pixels alone stand together; outputs are named where they are not the usual ones.
    """
    if config is None:
        return name
    parts = []
    for (backbone, frames, outputs), stages in groupby(config.stages, _alike):
        sizes = "+".join(str(stage.pixels) for stage in stages)
        parts.append(f"{backbone}@{sizes}" + (f"x{frames}" if frames > 1 else "") + _outputs(outputs))
    return ", ".join([*parts, *([config.recipe.name] if config.recipe else [])])


def _alike(stage: Stage) -> tuple[str, int, tuple[str, ...]]:
    return stage.backbone, stage.frames, stage.outputs


def _outputs(outputs: tuple[str, ...]) -> str:
    """`/d10+head`, nothing for the usual ones, and whether it is told how they change over a clip."""
    plain = tuple(output for output in outputs if "+" not in output)
    named = "" if plain in _USUAL else f"/{'+'.join(plain)}"
    return named + (" moving" if len(plain) < len(outputs) else "")


def kind_of(config: Config | None) -> str:
    """ "pixels", "frozen" or "trained"; "other" where only the name is known."""
    if config is None:
        return "other"
    if config.recipe is not None:
        return "trained"
    return "pixels" if all(stage.backbone in PLAIN for stage in config.stages) else "frozen"


def best_scores(performance: Performance) -> Best:
    """The best over the configurations of each model."""
    names = [model_of(n, c) for n, c in zip(performance.configs, performance.settings, strict=True)]
    models = tuple(dict.fromkeys(names))
    scores = np.full((len(performance.priors), len(models)), np.nan)
    for j, name in enumerate(names):
        k = models.index(name)
        scores[:, k] = np.fmax(scores[:, k], performance.values[:, j])
    kinds = tuple(kind_of(performance.settings[names.index(model)]) for model in models)
    return Best(performance.priors, models, kinds, scores)


def final_scores(library: Library, clock: str | None = None) -> Performance:
    """The last score of each run in place of the area, mean over seeds; what was imported keeps its area.

    Raises BadInput where there is no run.
    """
    found: dict[tuple[str, str], list[float]] = {}
    settings: dict[str, Config | None] = {}
    for name in library:
        for record in library.records(name):
            if clock is None or record.clock == clock:
                last = (
                    record.told if record.told is not None else (record.curve[-1][1] if record.curve else 0.0)
                )
                found.setdefault((name, record.name), []).append(0.0 if record.status == "failed" else last)
                settings[record.name] = record.config or settings.get(record.name)
    if not found:
        raise BadInput(
            "the library holds no run to draw: add some with `headstart library search` or `import`"
        )
    priors, configs = sorted({p for p, _ in found}), sorted(settings)
    cells = np.full((len(priors), len(configs), max(map(len, found.values()))), np.nan)
    for (prior, config), scores in found.items():
        cells[priors.index(prior), configs.index(config), : len(scores)] = scores
    sources = [library.priors[prior].source for prior in priors]
    return Performance.of(priors, configs, cells, sources=sources, settings=[settings[c] for c in configs])


def recognised(
    performance: Performance,
    rows: Rows,
    methods: Sequence[Method],
    sizes: Sequence[int] = SIZES,
    trials: int = 50,
    seed: int = 0,
) -> Recognised:
    """Fig. 6 for every prior, each with its source left out.

    rows: reference features by prior, float32 [n, f]; priors without any are left out. Batches larger than n are
    drawn with replacement. An incumbent that was not run on the set is passed over for that of the next prior.
    Raises BadInput where fewer than two sources have rows.
    """
    usable = [n for n in performance.priors if n in rows and len(rows[n]) > 1 and _ran(performance, n)]
    table = performance.subset(usable)
    if len(set(table.sources)) < 2:
        raise BadInput("Fig. 6 needs runs and features of priors of two sources or more")
    reached = np.zeros((len(methods), len(usable), len(sizes)))
    for source in dict.fromkeys(table.sources):
        fold = table.without_source(source)
        fold = fold.subset([n for n in fold.priors if _ran(fold, n)])
        if not fold.priors:
            raise BadInput(f"nothing is left to choose from where the source {source} is held out")
        incumbents = {name: fold.best(name) for name in fold.priors}
        held = [n for n, own in zip(table.priors, table.sources, strict=True) if own == source]
        for m, method in enumerate(methods):
            ranker = method.fit({name: rows[name] for name in fold.priors}, seed)
            for name in held:
                areas = _areas(table, name, incumbents)
                for s, size in enumerate(sizes):
                    rng = np.random.default_rng(
                        (seed, table.row(name), size)
                    )  # the same batches for all methods
                    said = [ranker.rank(_batch(rows[name], size, rng)) for _ in range(trials)]
                    reached[m, table.row(name), s] = np.mean([areas[_first(told, areas)] for told in said])
    same = np.array([np.nanmax(row) for row in table.values])
    names = tuple(method.name for method in methods)
    others = tuple(_others(table, i) for i in range(len(usable)))
    return Recognised(table.priors, names, tuple(sizes), trials, reached, same, others)


def _areas(table: Performance, name: str, incumbents: Mapping[str, str]) -> dict[str, float]:
    """What the incumbents of other priors reach on a prior, by their prior; those that were not run are left out.

    Raises BadInput where none was.
    """
    row = table.values[table.row(name)]
    found = {prior: float(row[table.column(config)]) for prior, config in incumbents.items()}
    found = {prior: area for prior, area in found.items() if np.isfinite(area)}
    if not found:
        raise BadInput(f"no incumbent of another prior was run on {name}")
    return found


def _first(told: Mapping[str, float], areas: Mapping[str, float]) -> str:
    """The most similar prior of those whose incumbent was run here."""
    return nearest({prior: value for prior, value in told.items() if prior in areas})


def _ran(performance: Performance, name: str) -> bool:
    return bool(performance.n[performance.row(name)].any())


def _batch(rows: NDArray[np.float32], size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    return rows[rng.choice(len(rows), size, replace=size > len(rows))]


def _others(table: Performance, i: int) -> dict[str, float]:
    """What the incumbents of the priors of other sources reach on prior i."""
    fold = table.without_source(table.sources[i])
    return _areas(table, table.priors[i], {name: fold.best(name) for name in fold.priors if _ran(fold, name)})
