"""The search for good configurations on one prior: BOHB, resumable, on one machine or many.

Optuna keeps the results and models them; the brackets are ours, because its pruner only stops runs and promotes none
(docs/decisions/020-search.md). An evaluation is written down before it begins and again when it is done: what a
killed search had finished is not done again, what it had begun is begun again with the same configuration.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from headstart.errors import Busy
from headstart.meta.brackets import Place
from headstart.meta.claims import Store, is_gone, owner, under_way
from headstart.meta.objective import Evaluate, Here, Job, Outcome, Plan, Pool
from headstart.meta.proposals import Point, distributions, optuna, propose
from headstart.words.config import Config
from headstart.words.space import Given, Space

_SILENT = timedelta(hours=6)  # of a search on another machine, after which what it had begun is free again


@dataclass(frozen=True)
class Evaluation:
    """One result. value: the area under the curve. proposed_from: the budget whose results proposed the
    configuration, None = at random. reused: the run with a smaller budget had ended by itself, so it stands.
    """

    place: Place
    config: Config
    budget: float
    seconds: float
    value: float
    outcome: Outcome
    proposed_from: float | None
    reused: bool


@dataclass(frozen=True)
class _Open:
    """An evaluation that was written down and is not done."""

    place: Place
    config: Config
    answers: Mapping[str, Any]
    number: int
    trial_id: int
    proposed_from: float | None


class Search:
    """One search on one prior. The same prior, space and plan in the same store is the same search."""

    def __init__(self, store: Store, prior: str, space: Space, plan: Plan, data: str = "") -> None:
        """store: from `journal.opened`. prior: its name. data: what evaluations are told of it, such as its folder.

        Raises Busy where this very search is under way in another process, here or elsewhere.
        """
        self.prior, self.space, self.plan, self._data = prior, space, plan, data or prior
        self._store = store
        self._optuna = optuna()
        self.name = f"{prior} {space.name} {_mark(space, plan)}"
        self._alone = store.claim(self.name)
        self._study = self._optuna.create_study(
            storage=store.storage, study_name=self.name, direction="maximize", load_if_exists=True
        )
        self.done: dict[Place, Evaluation] = {}
        self._begun: dict[Place, tuple[Mapping[str, Any], float | None]] = {}
        self._digests: dict[Place, str] = {}
        self._answers: dict[Place, Mapping[str, Any]] = {}
        self._load()

    @property
    def best(self) -> Evaluation | None:
        """The incumbent: the best with the largest budget that has results, the earliest of equal ones."""
        most = max((e.budget for e in self.done.values()), default=0.0)
        found = sorted(e.place for e in self.done.values() if e.budget == most)
        return max((self.done[place] for place in found), key=lambda e: e.value, default=None)

    def run(self, evaluate: Evaluate, pool: Pool | None = None) -> Iterator[Evaluation]:
        """Do what is left of the plan; every result is on record before it is yielded.

        Raises what an evaluation raises; a HeadstartError belongs into the outcome.
        """
        pool = pool or Here()
        running: dict[Future[Outcome], _Open] = {}
        while True:
            while len(running) < pool.workers and (work := self._next(running)) is not None:
                ready = self._reused(work)
                if ready is not None:
                    yield self._finish(work, ready, reused=True)
                else:
                    running[pool.submit(evaluate, self._job(work))] = work
            if not running:
                return
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in sorted(finished, key=lambda f: running[f].place):
                work = running.pop(future)
                error = future.exception()
                if error is not None and not pool.lost(error):
                    raise error
                outcome = Outcome((), error="workers died over it") if error else future.result()
                yield self._finish(work, outcome)

    def _job(self, work: _Open) -> Job:
        config = dataclasses.replace(work.config, seed=self.plan.seed)
        return Job(self._data, config, self.plan.allowed(self.plan.schedule.budget(work.place)))

    def _next(self, running: Mapping[Future[Outcome], _Open]) -> _Open | None:
        """Write down and return what is to be evaluated next, None where everything left waits for what is running."""
        values = {place: evaluation.value for place, evaluation in self.done.items()}
        under_way = {work.place for work in running.values()}
        place = next(self.plan.schedule.ready(values, under_way), None)
        if place is None:
            return None
        answers, source = self._chosen(place, under_way)
        return self._begin(place, answers, source)

    def _chosen(self, place: Place, under_way: set[Place]) -> tuple[Mapping[str, Any], float | None]:
        """The answers that make the configuration of a place: promoted, begun before, or proposed now."""
        if place.rung:
            return self._answers[place.root], self.done[place.root].proposed_from
        if place in self._begun:
            return self._begun[place]
        budget = self.plan.schedule.budget
        points = [Point(self._answers[p.root], budget(p), e.value) for p, e in sorted(self.done.items())]
        points += [Point(self._answers[p.root], budget(p), None) for p in sorted(under_way)]
        seed = (self.plan.seed, place.iteration, place.slot)
        share = self.plan.at_random if self.plan.model == "tpe" else 1.0
        found = propose(self.space, points, seed, share, frozenset(self._digests.values()))
        return found.answers, found.budget

    def _begin(self, place: Place, answers: Mapping[str, Any], source: float | None) -> _Open:
        self._store.check()  # else two who both hold themselves for the owner would do everything twice
        config = self.space.suggest(Given(answers))
        self._answers[place.root], self._digests[place.root] = answers, config.digest
        about = {
            "place": dataclasses.astuple(place),
            "budget": self.plan.schedule.budget(place),
            "config": config.digest,
            "proposed_from": source,
            "owner": owner(),
        }
        trial = self._optuna.trial.create_trial(
            state=self._optuna.trial.TrialState.RUNNING,
            params=dict(answers),
            distributions=distributions(self.space, answers),
            user_attrs=about,
        )
        self._study.add_trial(trial)
        own = next(t for t in reversed(self._study.get_trials(deepcopy=False)) if _is(t, about))
        return _Open(place, config, answers, own.number, own._trial_id, source)

    def _reused(self, work: _Open) -> Outcome | None:
        """The outcome with a smaller budget, where that run had nothing left to do or could not be run."""
        before = self.done.get(work.place.before) if work.place.before is not None else None
        if before is None or not (before.outcome.complete or before.outcome.error):
            return None
        return before.outcome

    def _finish(self, work: _Open, outcome: Outcome, reused: bool = False) -> Evaluation:
        budget = self.plan.schedule.budget(work.place)
        value = self.plan.value(outcome, self.plan.allowed(budget))
        trial = self._optuna.trial.Trial(self._study, work.trial_id)
        trial.set_user_attr("outcome", dataclasses.asdict(outcome) | {"reused": reused})
        self._study.tell(work.number, value)
        self._begun.pop(work.place, None)
        found = self._evaluation(work.place, work.config, value, outcome, work.proposed_from, reused)
        self.done[work.place] = found
        return found

    def _evaluation(
        self, place: Place, config: Config, value: float, outcome: Outcome, source: float | None, reused: bool
    ) -> Evaluation:
        budget = self.plan.schedule.budget(place)
        return Evaluation(place, config, budget, self.plan.allowed(budget), value, outcome, source, reused)

    def _load(self) -> None:
        """Take over what is done, and free what a killed search had begun."""
        states = self._optuna.trial.TrialState
        for trial in self._study.get_trials(deepcopy=True):
            about = trial.user_attrs
            if "place" not in about:
                continue  # written by someone else
            place = Place(*about["place"])
            if trial.state == states.COMPLETE:
                config = self.space.suggest(Given(trial.params))
                told = dict(about["outcome"])
                reused = bool(told.pop("reused"))
                pairs = {
                    key: tuple((float(a), float(b)) for a, b in told[key]) for key in ("curve", "halves")
                }
                outcome = Outcome(**told | pairs)
                source = about["proposed_from"]
                self.done[place] = self._evaluation(place, config, trial.value, outcome, source, reused)
            elif trial.state == states.RUNNING:
                self._release(trial)
            if trial.state != states.COMPLETE and place not in self.done:
                self._begun[place] = (trial.params, about["proposed_from"])
            self._answers[place.root] = trial.params
            self._digests[place.root] = str(about["config"])
        for place in set(self._begun) & set(self.done):
            del self._begun[place]

    def _release(self, trial: Any) -> None:
        """What a killed search had begun is nobody's now. Raises Busy where its searcher is alive."""
        who, started = str(trial.user_attrs.get("owner", "")), trial.datetime_start
        age = datetime.now(started.tzinfo) - started
        if not (self._alone or is_gone(who) or age > _SILENT):
            raise Busy(under_way(self.name, who))
        self._study.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)


def _mark(space: Space, plan: Plan) -> str:
    """What tells searches apart that differ in anything."""
    plain = json.dumps([dataclasses.asdict(space), dataclasses.asdict(plan)], sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()[:8]


def _is(trial: Any, about: Mapping[str, Any]) -> bool:
    told = trial.user_attrs
    return told.get("owner") == about["owner"] and list(told.get("place", ())) == list(about["place"])
