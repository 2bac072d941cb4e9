"""A few configurations that together do well everywhere (the paper's Fig. 7), and the choice among them by trying.

Greedy: the next member is the one that raises the mean over sources of the best member's area most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headstart.errors import BadInput
from headstart.meta.performance import Performance, Table
from headstart.meta.selectors.contract import Choice, Pick, Probe, Situation, Vector, eligible
from headstart.meta.selectors.plain import SingleBest


@dataclass(frozen=True)
class Growth:
    """Average best over portfolio size, float64 [sizes]: sizes 1, 2, ... The oracle has all configurations.

    members: in the order in which they joined, of all priors. inside: on the priors that they were chosen on.
    left_out: chosen without the source of the prior, its best member in hindsight: what a perfect chooser among
    the members would reach. oracle: the mean of each prior's best configuration.
    """

    members: tuple[str, ...]
    inside: Vector
    left_out: Vector
    oracle: float


def greedy(performance: Performance, size: int) -> tuple[str, ...]:
    """At most `size` configurations, in the order in which they joined; of equals the better average rank.

    Raises BadInput for a size below 1 or where nothing has been run.
    """
    if size < 1:
        raise BadInput(f"a portfolio of {size} configurations cannot be made: it needs 1 or more")
    columns = eligible(performance)
    values, weights = performance.filled()[:, columns], performance.weights()
    ranks = performance.average_ranks()[columns]
    best = np.full(len(values), -np.inf)
    members: list[int] = []
    while len(members) < min(size, len(columns)):
        means = weights @ np.maximum(values, best[:, None])
        means[members] = -np.inf
        top = np.flatnonzero(means >= means.max() - 1e-12)
        members.append(int(top[np.argmin(ranks[top])]))
        best = np.maximum(best, values[:, members[-1]])
    return tuple(performance.configs[columns[j]] for j in members)


def growth(performance: Performance, sizes: int) -> Growth:
    """The data of Fig. 7 for portfolios of 1 to `sizes` configurations, all sources alike."""
    members = greedy(performance, sizes)
    sizes = len(members)
    values = performance.filled()
    left_out = np.full((len(performance.priors), sizes), np.nan)
    for source in dict.fromkeys(performance.sources):
        others = performance.without_source(source)
        if not (others.n > 0).any():
            continue
        order = [performance.column(name) for name in greedy(others, sizes)]
        for i in [i for i, own in enumerate(performance.sources) if own == source]:
            reached = np.maximum.accumulate(values[i, order])
            left_out[i, : len(reached)], left_out[i, len(reached) :] = reached, reached[-1]
    weights = performance.weights()
    columns = [performance.column(name) for name in members]
    inside = weights @ np.maximum.accumulate(values[:, columns], axis=1)
    return Growth(members, inside, weights @ left_out, float(weights @ _best(performance, values)))


def _best(performance: Performance, values: Table) -> Vector:
    best: Vector = values[:, eligible(performance)].max(axis=1)
    return best


@dataclass(frozen=True)
class ProbedPortfolio:
    """The best of a greedy portfolio by successive halving on the training samples of the new task.

    size: of the portfolio. shares: of the training samples on which those left are tried, one rung each; after each
    the better part stays, 1 of `eta`. The seconds of all trials are charged to the choice. A probe must estimate the
    area under the learning curve, not the last score: else dear configurations win that come too late.
    prior_weight: how much the mean over priors counts beside the estimate (0 = not at all).
    """

    size: int = 5
    shares: tuple[float, ...] = (0.25, 1.0)
    eta: float = 2.0
    prior_weight: float = 0.0
    needs: tuple[str, ...] = ("probe",)

    @property
    def name(self) -> str:
        return f"portfolio of {self.size}, probed"

    def choose(self, situation: Situation) -> Choice:
        if situation.probe is None:
            return SingleBest().choose(situation)
        table = situation.performance
        members = greedy(table, self.size)
        means = dict(zip(table.configs, table.weights() @ table.filled(), strict=True))
        order, seconds = _halving(members, situation.probe, self.shares, self.eta, means, self.prior_weight)
        weights = 0.5 ** np.arange(len(order))
        weights /= weights.sum()
        picks = tuple(Pick(name, float(w)) for name, w in zip(order, weights, strict=True))
        return Choice(picks, seconds=seconds, because=f"did best of {len(members)} that were tried here")


def _halving(
    members: Sequence[str],
    probe: Probe,
    shares: Sequence[float],
    eta: float,
    means: dict[str, float],
    weight: float,
) -> tuple[list[str], float]:
    """Members from the last one standing to the first that fell, and the seconds that it took."""
    left, seconds = list(members), 0.0
    fallen: list[str] = []
    for share in shares:
        if len(left) == 1:
            break
        estimates = {}
        for name in left:
            said = probe(name, share)
            seconds += said.seconds
            estimates[name] = (1 - weight) * said.estimate + weight * means[name]
        left.sort(key=lambda name: -estimates[name])  # stable: of equals the earlier member
        last = share == shares[-1]
        keep = 1 if last else max(int(len(left) / eta + 0.5), 1)
        fallen, left = left[keep:] + fallen, left[:keep]
    return left + fallen, seconds
