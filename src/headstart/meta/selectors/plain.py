"""Rules that need no more than the table and a similarity: the paper's, and those that it must beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.meta.selectors.contract import Choice, Pick, Situation, eligible, ranked, single_best


@dataclass(frozen=True)
class SingleBest:
    """The configuration that is best on average over sources, whatever the task."""

    name: str = "single best"
    needs: tuple[str, ...] = ()

    def choose(self, situation: Situation) -> Choice:
        table = situation.performance
        means = table.weights() @ table.filled()
        best = single_best(table)
        choice = ranked(table, means, "is best on average over the priors")
        first = [pick for pick in choice.picks if pick.config == table.configs[best]]
        others = [pick for pick in choice.picks if pick.config != table.configs[best]]
        return Choice((*first, *others), because=choice.because)


@dataclass(frozen=True)
class NearestIncumbent:
    """The paper's rule (eq. 3): the incumbent of the most similar prior; then that of the next, and so on."""

    name: str = "nearest incumbent"
    needs: tuple[str, ...] = ("likeness",)

    def choose(self, situation: Situation) -> Choice:
        table = situation.performance
        ran = {name: bool(row.any()) for name, row in zip(table.priors, table.n > 0, strict=True)}
        alike = [name for name, _ in situation.alike() if ran[name]]
        if not alike:
            return SingleBest().choose(situation)
        order = list(dict.fromkeys(table.best(name) for name in alike))
        weights = 0.5 ** np.arange(len(order))
        weights /= weights.sum()
        picks = tuple(Pick(c, float(w)) for c, w in zip(order, weights, strict=True))
        return Choice(picks, because=f"was best on {alike[0]}, which is most alike")


@dataclass(frozen=True)
class RandomPrior:
    """The incumbent of a prior drawn at random, all sources alike: similarity must beat this."""

    name: str = "incumbent of a random prior"
    needs: tuple[str, ...] = ()

    def choose(self, situation: Situation) -> Choice:
        table = situation.performance
        eligible(table)  # refuses an empty table
        mass: dict[str, float] = {}
        for name, weight, row in zip(table.priors, table.weights().tolist(), table.n > 0, strict=True):
            if row.any():
                mass[table.best(name)] = mass.get(table.best(name), 0.0) + weight
        return _drawn(mass, "was best on a prior drawn at random")


@dataclass(frozen=True)
class RandomConfiguration:
    """Any configuration that has been run often enough, all alike."""

    name: str = "random configuration"
    needs: tuple[str, ...] = ()

    def choose(self, situation: Situation) -> Choice:
        table = situation.performance
        return _drawn({table.configs[j]: 1.0 for j in eligible(table).tolist()}, "was drawn at random")


def _drawn(mass: dict[str, float], because: str) -> Choice:
    total = sum(mass.values())
    order = sorted(mass, key=lambda name: (-mass[name], name))
    return Choice(tuple(Pick(name, mass[name] / total) for name in order), drawn=True, because=because)
