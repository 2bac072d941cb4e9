"""A rule held to its record: another configuration than the single best only where that would have paid before.

The record is what the rule would have chosen for each prior with the prior's source left out, and how far that was
above the configuration that was best on average without it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.meta.performance import Performance
from headstart.meta.selectors.contract import (
    Choice,
    Forecast,
    Forecaster,
    Situation,
    Vector,
    eligible,
    gains,
    ranked,
    single_best,
)
from headstart.meta.selectors.plain import SingleBest


@dataclass(frozen=True)
class NeverLose:
    """Takes the choice of `inner` where both lower bounds are above 0, else the single best configuration.

    record: standard errors below the mean gain over the sources of the library, of what `inner` would have chosen.
    caution: standard errors below the gain that `inner` expects of a configuration in this task.
    least: area that the lower bound of the expected gain must exceed.
    """

    inner: Forecaster
    record: float = 1.0
    caution: float = 0.1
    least: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.inner.name}, guarded"

    @property
    def needs(self) -> tuple[str, ...]:
        return self.inner.needs

    def choose(self, situation: Situation) -> Choice:
        table = situation.performance
        expected = self.inner.forecast(situation)
        best = ranked(table, expected.gain - self.caution * expected.error, expected.because)
        column = table.column(best.config)
        safe = SingleBest().choose(situation)
        bound = expected.gain[column] - self.caution * expected.error[column]
        if column == single_best(table) or bound <= self.least:
            return Choice(safe.picks, because=safe.because)
        past = history(table, expected, self.caution)
        if len(past) < 3 or past.mean() - self.record * past.std(ddof=1) / np.sqrt(len(past)) <= 0:
            return Choice(safe.picks, because=f"{safe.because}, and choosing by likeness has not paid there")
        return best


def history(performance: Performance, expected: Forecast, caution: float = 0.0) -> Vector:
    """What choosing by the forecast would have gained over the single best on each source, float64 [sources]."""
    columns = eligible(performance)
    gain = gains(performance)
    bound = expected.past - caution * expected.error
    names, weights = np.array(performance.sources), performance.weights()
    won = np.zeros(len(gain))
    for i, row in enumerate(bound):
        others = names != names[i]
        plain = int(columns[np.argmax(weights[others] @ gain[np.ix_(others, columns)])])
        column = int(columns[np.argmax(row[columns])])
        won[i] = gain[i, column] - gain[i, plain]
    return np.array([won[names == source].mean() for source in dict.fromkeys(performance.sources)])
