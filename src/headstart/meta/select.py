"""Choosing a configuration for a new task: the rule that `fit` uses, and what it says.

The headline was fixed before the library of the shared data sets existed. There it gained nothing, so `fit` uses the
rule that cannot lose against the best average (docs/decisions/019-selection.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headstart.meta.performance import Performance
from headstart.meta.prior import Features, Prior
from headstart.meta.selectors import evidence
from headstart.meta.selectors.contract import Choice, Probe, Rule, Situation
from headstart.meta.selectors.evidence import Seen
from headstart.meta.selectors.plain import SingleBest
from headstart.meta.similarity.contract import likeness, nearest
from headstart.words.config import Config

if TYPE_CHECKING:
    from headstart.meta.evaluate import Evidence
    from headstart.meta.library import Library

DEFAULT: Rule = SingleBest()


@dataclass(frozen=True)
class Selected:
    """What to run. config: with its reason filled in. name: in the table. reason: for the user, one line.

    resembles: the prior that is most alike and how much, 0 to 1; ("", 0) where none could be compared.
    """

    config: Config
    name: str
    reason: str
    choice: Choice
    resembles: tuple[str, float]

    @property
    def likeness(self) -> str:
        """The beginning of a reason: "resembles glyphs (0.93); ", or "" where no prior could be compared."""
        return _likeness(*self.resembles)


def situation(
    performance: Performance,
    priors: Mapping[str, Prior],
    features: Mapping[str, Features],
    seen: Seen,
    rule: Rule = DEFAULT,
    probe: Probe | None = None,
) -> Situation:
    """A new task as a rule sees it: views are left out where it needs none.

    priors, features: of the library, at least those of the table.
    """
    rows = [priors[name] for name in performance.priors]
    views = evidence.views(evidence.tables(rows, features), evidence.own(seen, rows)) if rule.needs else {}
    known = {name: features[name] for name in performance.priors if name in features}
    count = len(seen.features)
    alike = evidence.resemblance(seen.features.mean(axis=0), count, known) if count else {}
    return Situation(performance, alike, None, views, probe)


def select(given: Situation, rule: Rule = DEFAULT) -> Selected | None:
    """The configuration for a new task, and why; None where the library has no run of a known configuration."""
    table = given.performance
    if not table.configs or not table.n.any():
        return None
    choice = rule.choose(given)
    name = next((pick.config for pick in choice.picks if table.config(pick.config) is not None), None)
    if name is None:
        return None
    config = table.config(name)
    assert config is not None
    closest = nearest(given.similarities) if given.similarities else ""
    share = likeness(given.similarities[closest]) if closest else 0.0
    reason = f"{_likeness(closest, share)}starts with {described(config)}, which {choice.because}"
    return Selected(replace(config, reason=reason), name, reason, choice, (closest, share))


def _likeness(prior: str, share: float) -> str:
    return f"resembles {prior} ({share:.2f}); " if prior else ""


def evidence_of(library: Library, performance: Performance) -> Evidence:
    """What a library says of the priors of a table, for `evaluate`: the similarity that `fit` uses, and all views."""
    from headstart.meta.evaluate import Evidence

    features = library.all_features()
    rows = [library.priors[name] for name in performance.priors]
    tables = evidence.tables(rows, features)
    kinds = {name: library.priors[name].kind for name in performance.priors}
    return Evidence(evidence.mean_likeness(features) if features else None, tables, kinds=kinds)


def described(config: Config) -> str:
    """A configuration in a few words: `inner-layer features at 64 px`, `small@32 trained from scratch`."""
    words = []
    if config.stages:
        first = config.stages[0]
        kind = "pixels" if first.backbone in ("pixels", "motion") else _depth(first.outputs)
        words.append(f"{kind} at {first.pixels} px")
        if len(config.stages) > 1:
            last = config.stages[-1]
            words.append(f"{len(config.stages)} stages up to {last.pixels} px")
    if config.recipe is not None:
        how = "trained from scratch" if config.recipe.weights == "random" else "fine-tuned"
        words.append(f"{config.recipe.name} {how}")
    return ", ".join(words)


def _depth(outputs: tuple[str, ...]) -> str:
    inner = any(not output.startswith("head") for output in outputs)
    last = any(output.startswith("head") for output in outputs)
    return (
        "inner- and last-layer features"
        if inner and last
        else ("inner" if inner else "last") + "-layer features"
    )
