"""Rules: all that are compared. `fit` loads its own alone, to choose in milliseconds."""

from __future__ import annotations

from headstart.meta.portfolio import ProbedPortfolio
from headstart.meta.regret import RegretModel
from headstart.meta.selectors.contract import Rule
from headstart.meta.selectors.guarded import NeverLose
from headstart.meta.selectors.neighbours import SoftNeighbours
from headstart.meta.selectors.plain import NearestIncumbent, RandomConfiguration, RandomPrior, SingleBest

HEADLINE: Rule = NeverLose(RegretModel())  # fixed before there was a library to try it on (decision 019)


def rules() -> tuple[Rule, ...]:
    """All rules that are compared; their number is said beside every table."""
    simple = RegretModel(("simple",), "regret model, simple")
    return (
        SingleBest(),
        NearestIncumbent(),
        RandomPrior(),
        RandomConfiguration(),
        SoftNeighbours(),
        NeverLose(SoftNeighbours()),
        RegretModel(),
        HEADLINE,
        simple,
        NeverLose(simple),
        ProbedPortfolio(3),
        ProbedPortfolio(5),
    )
