"""Does choosing help? Every rule chooses for every prior from what is left without the prior's source.

The regret of a choice is how far its area is below that of the best configuration that could have been chosen. The
naive oracle takes that best one on the scores that are judged, so it is too good; the cross-fitted one takes it on
one half of the test samples and is judged on the other. Sources count alike, and intervals resample sources.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from headstart.errors import BadInput
from headstart.meta.kinds import of_kind
from headstart.meta.performance import Performance, Table
from headstart.meta.selectors.contract import Choice, Probe, Rule, Situation, Vector
from headstart.meta.selectors.evidence import views
from headstart.meta.selectors.plain import SingleBest
from headstart.words.scoring import BUDGET, T0, log_time

DRAWS = 10_000
TIE = 1e-9

Likeness = Callable[[str, tuple[str, ...]], Mapping[str, float]]
"""(task, priors) -> how much a batch of the task is like each of the priors, larger = more alike; what it is fitted on
must be of those priors alone."""

Charge = Callable[[str, str, float], float]
"""(prior, configuration, seconds) -> the area that is left when the configuration starts so much later."""


@dataclass(frozen=True)
class Evidence:
    """What rules may be told of each prior when it is the new task.

    likeness: a similarity, or None. views: meta-features by kind, float64 [priors, f], rows as in the table.
    probe: of a prior, tries configurations on its training samples; None = there is none.
    charge: what time spent on probing costs; None = `delayed` with the challenge's clock.
    kinds: of each prior: a rule then sees priors of the task's own kind only, where there are any, as in `fit`.
    """

    likeness: Likeness | None = None
    views: Mapping[str, Table] = field(default_factory=dict)
    probe: Callable[[str], Probe] | None = None
    charge: Charge | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)

    def has(self, need: str) -> bool:
        """Whether a rule that needs this can be evaluated."""
        given = {"likeness": self.likeness is not None, "probe": self.probe is not None}
        return given.get(need, need in self.views)


@dataclass(frozen=True)
class Outcome:
    """How one rule did on every prior.

    reached: areas, float64 [priors], probing charged. halves: the same on each half of the test samples,
    [2, priors], or None. seconds: that probing took, [priors]. choices: what was chosen, by prior.
    """

    rule: str
    reached: Vector
    halves: Table | None
    seconds: Vector
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Line:
    """A rule in the table of regrets; areas, sources alike.

    regret, cross: against the naive and the cross-fitted oracle (None without halves). gain: over the single best
    configuration, low to high its interval (95 % of `DRAWS` bootstrap samples of the sources). wins, losses: sources.
    least: the lowest gain on a source. without: gain without the source that matters most to it. by_source: gains.
    """

    rule: str
    regret: float
    cross: float | None
    gain: float
    low: float
    high: float
    wins: int
    losses: int
    least: float
    without: float
    seconds: float
    by_source: Mapping[str, float]


@dataclass(frozen=True)
class Verdict:
    """The table of all rules, in the order given. left_out: rules that were not tried, and what they lacked."""

    lines: tuple[Line, ...]
    outcomes: tuple[Outcome, ...]
    sources: tuple[str, ...]
    priors: int
    configs: int
    left_out: Mapping[str, str]

    def line(self, rule: str) -> Line:
        """The line of a rule; BadInput where it was not compared."""
        found = next((line for line in self.lines if line.rule == rule), None)
        if found is None:
            raise BadInput(
                f"no rule {rule} was compared: there are {', '.join(line.rule for line in self.lines)}"
            )
        return found


def delayed(performance: Performance, budget: float = BUDGET, t0: float = T0) -> Charge:
    """The charge where only areas are known: that of a score that stands from the first moment on.

    An area shrinks by the part of the logarithmic axis that has passed: never less than a true curve loses.
    """

    def charge(prior: str, config: str, seconds: float) -> float:
        value = float(performance.values[performance.row(prior), performance.column(config)])
        return value * (1.0 - min(log_time(max(seconds, 0.0), budget, t0), 1.0))

    return charge


def evaluate(
    performance: Performance, rules: Sequence[Rule], evidence: Evidence, seed: int = 0, draws: int = DRAWS
) -> Verdict:
    """Leave one source out, for every rule. seed: of the bootstrap.

    A configuration that was not run on the prior in question is passed over for the rule's next one. The single best
    configuration is what gains are over, whether or not it is among the rules.
    Raises BadInput where there are fewer than two sources, or nothing was run on a prior.
    """
    sources = tuple(dict.fromkeys(performance.sources))
    if len(sources) < 2:
        raise BadInput(f"priors of {len(sources)} source cannot be left out: two or more sources are needed")
    lacking = {rule.name: [need for need in rule.needs if not evidence.has(need)] for rule in rules}
    tried = [rule for rule in rules if not lacking[rule.name]]
    folds = {source: performance.without_source(source) for source in sources}
    own = [
        _own_kind(folds[source], evidence.kinds, performance.priors[i])
        for i, source in enumerate(performance.sources)
    ]
    situations = [_situation(performance, fold, i, evidence) for i, fold in enumerate(own)]
    base = _outcome(SingleBest(), performance, situations, evidence)
    outcomes = [_outcome(rule, performance, situations, evidence) for rule in tried]
    best = _oracles(performance, situations)
    lines = [_line(one, base, performance, best, seed, draws) for one in outcomes]
    missing = {name: ", ".join(needs) for name, needs in lacking.items() if needs}
    return Verdict(
        tuple(lines), tuple(outcomes), sources, len(performance.priors), len(performance.configs), missing
    )


def _own_kind(fold: Performance, kinds: Mapping[str, str], task: str) -> Performance:
    """What is of the task's kind; where nothing is, all there is."""
    if task not in kinds:
        return fold
    own = of_kind(fold, kinds, kinds[task])
    return own if own.configs else fold


def _situation(performance: Performance, fold: Performance, i: int, evidence: Evidence) -> Situation:
    name = performance.priors[i]
    rows = [performance.row(prior) for prior in fold.priors]
    known = {kind: table[rows] for kind, table in evidence.views.items()}
    given = views(known, {kind: table[i] for kind, table in evidence.views.items()})
    between, similarities = None, {}
    if evidence.likeness is not None:
        similarities = dict(evidence.likeness(name, fold.priors))
        between = _between(fold, evidence.likeness)
    probe = evidence.probe(name) if evidence.probe is not None else None
    return Situation(fold, similarities, between, given, probe)


def _between(fold: Performance, likeness: Likeness) -> Table:
    """How alike the priors of a fold are, each asked without what is of its own source."""
    table = np.full((len(fold.priors),) * 2, -np.inf)
    for i, (name, source) in enumerate(zip(fold.priors, fold.sources, strict=True)):
        others = [j for j, other in enumerate(fold.sources) if other != source]
        if others:
            said = likeness(name, tuple(fold.priors[j] for j in others))
            table[i, others] = [said.get(fold.priors[j], -np.inf) for j in others]
    return table


def _outcome(
    rule: Rule, performance: Performance, situations: Sequence[Situation], evidence: Evidence
) -> Outcome:
    charge = evidence.charge or delayed(performance)
    reached, seconds, choices = [], [], []
    halves = None if performance.halves is None else np.zeros((2, len(situations)))
    for i, (name, situation) in enumerate(zip(performance.priors, situations, strict=True)):
        choice = rule.choose(situation)
        shares = _shares(choice, performance, i)
        areas = {c: performance.values[i, performance.column(c)] for c in shares}
        if choice.seconds > 0:
            areas = {c: charge(name, c, choice.seconds) for c in shares}
        reached.append(math.fsum(share * float(areas[c]) for c, share in shares.items()))
        if halves is not None and performance.halves is not None:
            for c, share in shares.items():
                column = performance.column(c)
                lost = performance.values[i, column] - areas[c]
                halves[:, i] += share * (performance.halves[:, i, column] - lost)
        seconds.append(choice.seconds)
        choices.append(choice)
    return Outcome(rule.name, np.array(reached), halves, np.array(seconds), tuple(choices))


def _shares(choice: Choice, performance: Performance, i: int) -> dict[str, float]:
    """What a choice comes to on a prior: the first configuration that was run on it, or of a draw all with shares."""
    ran = [pick for pick in choice.picks if performance.n[i, performance.column(pick.config)] > 0]
    if not ran:
        raise BadInput(
            f"none of the configurations chosen for the prior {performance.priors[i]} was run on it"
        )
    if not choice.drawn:
        return {ran[0].config: 1.0}
    total = sum(pick.weight for pick in ran)
    return {pick.config: pick.weight / total for pick in ran}


@dataclass(frozen=True)
class _Oracles:
    naive: Vector  # [priors]
    cross: Table | None  # [2, priors]: on each half, what is best on the other


def _oracles(performance: Performance, situations: Sequence[Situation]) -> _Oracles:
    """Of the configurations that a rule could have chosen: those of the fold that were run on the prior."""
    naive = np.zeros(len(situations))
    cross = None if performance.halves is None else np.zeros((2, len(situations)))
    for i, situation in enumerate(situations):
        columns = [performance.column(c) for c in situation.performance.configs]
        columns = [j for j in columns if performance.n[i, j] > 0]
        if not columns:
            raise BadInput(f"nothing was run on the prior {performance.priors[i]}: leave it out of the table")
        naive[i] = performance.values[i, columns].max()
        if cross is not None and performance.halves is not None:
            scores = performance.halves[:, i, columns]
            scores = scores[:, np.isfinite(scores).all(axis=0)]
            if scores.size:
                cross[:, i] = scores[0, scores[1].argmax()], scores[1, scores[0].argmax()]
            else:
                cross[:, i] = np.nan
    return _Oracles(naive, cross)


def _line(
    one: Outcome, base: Outcome, performance: Performance, best: _Oracles, seed: int, draws: int
) -> Line:
    weights = performance.weights()
    sources = tuple(dict.fromkeys(performance.sources))
    names = np.array(performance.sources)
    differences = one.reached - base.reached
    gains = np.array([differences[names == source].mean() for source in sources])
    low, high = interval(gains, seed, draws)
    cross = None
    if best.cross is not None and one.halves is not None:
        below = (best.cross - one.halves).mean(axis=0)
        there = np.isfinite(below)  # priors whose runs have no scores by halves say nothing here
        cross = float(weights[there] @ below[there] / weights[there].sum()) if there.any() else None
    return Line(
        one.rule,
        float(weights @ (best.naive - one.reached)),
        cross,
        float(gains.mean()),
        low,
        high,
        int((gains > TIE).sum()),
        int((gains < -TIE).sum()),
        float(gains.min()),
        without_most_influential(gains),
        float(weights @ one.seconds),
        dict(zip(sources, gains.tolist(), strict=True)),
    )


def interval(gains: Vector, seed: int = 0, draws: int = DRAWS) -> tuple[float, float]:
    """The 95 % percentile interval of the mean over sources, by bootstrap."""
    rng = np.random.default_rng(seed)
    means = gains[rng.integers(len(gains), size=(draws, len(gains)))].mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def without_most_influential(gains: Vector) -> float:
    """The mean without the source whose leaving out changes it most; with one source only, 0."""
    if len(gains) < 2:
        return 0.0
    means = (gains.sum() - gains) / (len(gains) - 1)
    return float(means[int(np.argmax(np.abs(means - gains.mean())))])
