"""P(θ, t): what every configuration reached on every prior data set, as one table that rules can be fitted on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from headstart.errors import BadInput
from headstart.words.config import Config

Table = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Performance:
    """The area under the learning curve of configurations (columns) on priors (rows).

    priors: names of data sets, no two equal. sources: of each prior, what must be held out together with it.
    configs: digests or names, no two equal. settings: of each, its Config, None where only the name is known.
    origins: of each configuration the source on whose data it was found, "" = on none: it is held out with it.
    values: float64 [priors, configs], mean over seeds; NaN = not run; a failed run counts 0.
    spread: float64 [priors, configs], standard deviation over seeds; NaN where fewer than two ran.
    n: int64 [priors, configs], runs behind each value.
    halves: float64 [2, priors, configs], the same scores on two disjoint halves of the test samples, or None.
    Raises BadInput for names that come twice and for shapes that do not fit.
    """

    priors: tuple[str, ...]
    sources: tuple[str, ...]
    configs: tuple[str, ...]
    settings: tuple[Config | None, ...]
    origins: tuple[str, ...]
    values: Table
    spread: Table
    n: NDArray[np.int64]
    halves: Table | None = None

    def __post_init__(self) -> None:
        _check_names(self.priors, "prior")
        _check_names(self.configs, "configuration")
        shape = (len(self.priors), len(self.configs))
        lengths = {
            "sources": (len(self.sources), shape[0]),
            "settings": (len(self.settings), shape[1]),
            "origins": (len(self.origins), shape[1]),
        }
        for name, (given, wanted) in lengths.items():
            if given != wanted:
                raise BadInput(
                    f"a table of performances of shape {shape} needs {wanted} {name}, but has {given}"
                )
        for name in ("values", "spread", "n"):
            if getattr(self, name).shape != shape:
                found = getattr(self, name).shape
                raise BadInput(f'"{name}" of a table of performances is {found}, but must be {shape}')
        if self.halves is not None and self.halves.shape != (2, *shape):
            raise BadInput(
                f'"halves" of a table of performances is {self.halves.shape}, but must be {(2, *shape)}'
            )
        if np.isinf(self.values).any():
            raise BadInput(
                "a table of performances holds an infinite value: it must hold areas, or NaN for not run"
            )

    @staticmethod
    def of(
        priors: Sequence[str],
        configs: Sequence[str],
        cells: Table,
        *,
        sources: Sequence[str] | None = None,
        settings: Sequence[Config | None] | None = None,
        origins: Sequence[str] | None = None,
        halves: Table | None = None,
    ) -> Performance:
        """From every run: cells float64 [priors, configs] or [priors, configs, seeds], NaN where none was.

        sources: as default every prior is its own. settings, origins: as default none is known.
        """
        runs = np.asarray(cells, np.float64)
        runs = runs[:, :, None] if runs.ndim == 2 else runs
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of cells without a run, which stay NaN
            mean, spread = np.nanmean(runs, axis=2), _spread(runs)
        return Performance(
            tuple(priors),
            tuple(priors if sources is None else sources),
            tuple(configs),
            tuple([None] * len(configs) if settings is None else settings),
            tuple([""] * len(configs) if origins is None else origins),
            mean,
            spread,
            np.isfinite(runs).sum(axis=2).astype(np.int64),
            halves,
        )

    def without_source(self, source: str) -> Performance:
        """What is left where nothing of this source may be known: its priors and the configurations found on it."""
        rows = [i for i, own in enumerate(self.sources) if own != source]
        columns = [j for j, own in enumerate(self.origins) if own != source]
        return self._cut(rows, columns)

    def subset(
        self, priors: Sequence[str] | None = None, configs: Sequence[str] | None = None
    ) -> Performance:
        """These priors and configurations in this order; BadInput for a name that is not in the table."""
        return self._cut(
            _places(self.priors, priors, "prior"), _places(self.configs, configs, "configuration")
        )

    def best(self, prior: str) -> str:
        """The incumbent θ* of a prior: its best configuration; of equals the one with the better average rank.

        Raises BadInput where nothing has been run on the prior.
        """
        row = self.values[self.row(prior)]
        if not np.isfinite(row).any():
            raise BadInput(f"no configuration has been run on the prior {prior}: it has no incumbent")
        top = np.flatnonzero(row == np.nanmax(row))
        return self.configs[int(top[np.argmin(self.average_ranks()[top])])]

    def row(self, prior: str) -> int:
        """The row of a prior; BadInput where there is none."""
        return _places(self.priors, [prior], "prior")[0]

    def column(self, config: str) -> int:
        """The column of a configuration; BadInput where there is none."""
        return _places(self.configs, [config], "configuration")[0]

    def config(self, name: str) -> Config | None:
        """What a configuration of the table is, where more than its name is known."""
        return self.settings[self.column(name)]

    def weights(self) -> Table:
        """What each prior counts, float64 [priors], sum 1: all sources alike, however many priors they have."""
        shares = np.array([1.0 / self.sources.count(source) for source in self.sources])
        weights: Table = shares / max(shares.sum(), 1e-12)
        return weights

    def average_ranks(self) -> Table:
        """Mean rank of each configuration over priors, float64 [configs]: 0 = best everywhere, 1 = worst.

        Ranks are shares of the row, so that rows with unlike many runs count alike; never run: 1.
        """
        ranks = np.full(self.values.shape, np.nan)
        for i, row in enumerate(self.values):
            ran = np.isfinite(row)
            ranks[i, ran] = _ranks(row[ran]) / max(ran.sum() - 1, 1)
        counts = np.isfinite(ranks).sum(axis=0)
        means: Table = np.where(counts > 0, np.nansum(ranks, axis=0) / np.maximum(counts, 1), 1.0)
        return means

    def filled(self) -> Table:
        """The values with those not run put in by prior mean + effect of the configuration, float64 [priors, configs].

        A column or row without any run gets the lowest value of the table: nothing speaks for it.
        """
        ran = np.isfinite(self.values)
        if not ran.any() or ran.all():
            return np.where(ran, self.values, 0.0)
        known = np.where(ran, self.values, 0.0)
        rows, columns = np.zeros(len(self.priors)), np.zeros(len(self.configs))
        for _ in range(50):  # least squares of two additive effects, one after the other
            rows = _mean(known - columns, ran, axis=1)
            columns = _mean(known - rows[:, None], ran, axis=0)
        guess = np.clip(rows[:, None] + columns, self.values[ran].min(), self.values[ran].max())
        guess[:, ~ran.any(axis=0)] = guess[~ran.any(axis=1)] = self.values[ran].min()
        return np.where(ran, self.values, guess)

    def _cut(self, rows: Sequence[int], columns: Sequence[int]) -> Performance:
        at = np.ix_(np.asarray(rows, np.intp), np.asarray(columns, np.intp))
        return replace(
            self,
            priors=tuple(self.priors[i] for i in rows),
            sources=tuple(self.sources[i] for i in rows),
            configs=tuple(self.configs[j] for j in columns),
            settings=tuple(self.settings[j] for j in columns),
            origins=tuple(self.origins[j] for j in columns),
            values=self.values[at],
            spread=self.spread[at],
            n=self.n[at],
            halves=None if self.halves is None else np.stack([half[at] for half in self.halves]),
        )


def _ranks(values: Table) -> Table:
    """How many of the others are better, an equal one counting half."""
    better = (values[None, :] > values[:, None]).sum(axis=1)
    ranks: Table = better + 0.5 * ((values[None, :] == values[:, None]).sum(axis=1) - 1)
    return ranks


def _spread(runs: Table) -> Table:
    counts = np.isfinite(runs).sum(axis=2)
    return np.where(counts > 1, np.nanstd(runs, axis=2) * np.sqrt(counts / np.maximum(counts - 1, 1)), np.nan)


def _mean(values: Table, there: NDArray[np.bool_], axis: int) -> Table:
    counts = there.sum(axis=axis)
    means: Table = np.where(there, values, 0.0).sum(axis=axis) / np.maximum(counts, 1)
    return means


def _places(names: tuple[str, ...], wanted: Sequence[str] | None, what: str) -> list[int]:
    if wanted is None:
        return list(range(len(names)))
    missing = next((name for name in wanted if name not in names), None)
    if missing is not None:
        raise BadInput(f"the table of performances has no {what} {missing}: it has {len(names)} others")
    return [names.index(name) for name in wanted]


def _check_names(names: Sequence[str], what: str) -> None:
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise BadInput(f"the {what} {double} is in the table of performances twice: each must be there once")
