"""The search: what it proposes, that it promotes, and that nothing finished is ever lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("optuna")

import toy_objective as toy
from headstart.errors import BadInput, Busy
from headstart.meta import journal
from headstart.meta.brackets import Place, Schedule
from headstart.meta.objective import Outcome, Plan
from headstart.meta.proposals import Point, optuna, propose
from headstart.meta.search import Evaluation, Search
from headstart.words.space import Drawn, Given, find_space

SPACE = find_space("paper", networks=["resnet18@128"])
SHORT = Plan(Schedule(iterations=3))


def searched(path: Path, plan: Plan = SHORT, evaluate=toy.bowl) -> list[Evaluation]:  # type: ignore[no-untyped-def]
    with journal.opened(path) as store:
        search = Search(store, "prior", SPACE, plan)
        list(search.run(evaluate))
        return [search.done[place] for place in sorted(search.done)]


def test_a_search_does_the_plan_and_says_what_is_best(tmp_path: Path) -> None:
    with journal.opened(tmp_path / "journal") as store:
        search = Search(store, "prior", SPACE, SHORT)
        found = list(search.run(toy.bowl))
        assert len(found) == len(search.done) == SHORT.schedule.evaluations == 20
        best = search.best
    assert best is not None and best.budget == 9.0
    assert best.value == max(e.value for e in found if e.budget == 9.0)
    assert best.value == pytest.approx(SHORT.value(toy.bowl(job(best)), 1200.0))
    assert sorted({e.seconds for e in found}) == [30.0, 189.737, 1200.0]


def job(evaluation: Evaluation):  # type: ignore[no-untyped-def]
    from headstart.meta.objective import Job

    return Job("prior", evaluation.config, evaluation.seconds)


def test_the_same_search_again_does_nothing_and_another_plan_is_another_search(tmp_path: Path) -> None:
    first = searched(tmp_path / "journal")
    assert searched(tmp_path / "journal", evaluate=toy.broken) == first
    assert searched(tmp_path / "other") == first  # by the seed alone
    other = searched(tmp_path / "journal", Plan(Schedule(iterations=1), seed=1))
    assert len(other) == 13 and {e.config.digest for e in other}.isdisjoint(e.config.digest for e in first)


def test_a_longer_plan_is_another_search_but_draws_the_same_at_first(tmp_path: Path) -> None:
    long = searched(tmp_path / "journal", Plan(Schedule(iterations=4)))
    short = searched(tmp_path / "journal")
    assert long[: len(short)] == short


def test_a_run_that_had_ended_by_itself_is_not_done_again_with_more_budget(tmp_path: Path) -> None:
    found = searched(tmp_path / "journal", evaluate=toy.ended)
    assert all(e.reused == (e.place.rung > 0) for e in found)
    assert not any(e.reused for e in searched(tmp_path / "other"))
    again = searched(tmp_path / "journal", evaluate=toy.broken)
    assert again == found


def test_what_cannot_be_run_counts_as_nothing_and_is_on_record(tmp_path: Path) -> None:
    found = searched(tmp_path / "journal", evaluate=toy.fussy)
    failed = [e for e in found if e.outcome.error]
    assert failed and all(e.value == 0.0 and e.outcome.error == "no SGD here" for e in failed)
    best = max(found, key=lambda e: (e.budget, e.value))
    assert best.config.recipe is not None and best.config.recipe.optimiser == "adam"


def test_a_mistake_of_the_program_is_raised_and_what_was_done_stands(tmp_path: Path) -> None:
    count = 0

    def breaks(work):  # type: ignore[no-untyped-def]
        nonlocal count
        count += 1
        return toy.broken(work) if count == 6 else toy.bowl(work)

    with pytest.raises(BadInput, match="must not happen"):
        searched(tmp_path / "journal", evaluate=breaks)
    assert searched(tmp_path / "journal") == searched(tmp_path / "whole")


SCRIPT = """
import sys
from pathlib import Path
import toy_objective as toy
from headstart.meta import journal
from headstart.meta.brackets import Schedule
from headstart.meta.objective import Plan
from headstart.meta.search import Search
from headstart.words.space import find_space
with journal.opened(Path(sys.argv[1]) / "journal") as store:
    plan = Plan(Schedule(iterations=3))
    search = Search(store, "prior", find_space("paper", networks=["resnet18@128"]), plan, sys.argv[1])
    for evaluation in search.run(toy.slow):
        print(*evaluation.place.__dict__.values(), flush=True)
"""


def test_killed_at_any_moment_it_goes_on_and_loses_no_finished_evaluation(tmp_path: Path) -> None:
    environment = dict(os.environ, PYTHONPATH=str(Path(__file__).parent))
    told: list[str] = []
    for wait in (0.25, 0.43, 0.61, None):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
        )
        assert process.stdout is not None
        if wait is not None:
            told.append(process.stdout.readline())  # it has begun to work
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate(timeout=60)
        told += rest.splitlines(keepends=True)
    assert len(told) == len(set(told)) <= 20  # what a search had told of came once
    begun, ended = ((tmp_path / name).read_text().splitlines() for name in ("begun", "ended"))
    assert 20 <= len(ended) <= len(begun) <= 20 + 3  # at most one was under way at each kill
    assert set(begun) == set(ended)  # and that one was begun again as it was
    uninterrupted = searched(tmp_path / "whole")
    mine = searched(tmp_path / "journal", evaluate=toy.broken)
    assert mine == uninterrupted
    with journal.opened(tmp_path / "journal") as store:
        trials = Search(store, "prior", SPACE, SHORT)._study.get_trials(deepcopy=False)
    states = optuna().trial.TrialState
    assert not [trial for trial in trials if trial.state == states.RUNNING]
    assert len([trial for trial in trials if trial.state == states.COMPLETE]) == 20


def test_a_journal_whose_last_line_was_cut_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first = searched(path)
    content = path.read_bytes()
    path.write_bytes(content + b'{"op_code": 5, "wor')
    os.symlink(path, f"{path}.lock")  # held by whoever was killed over that line
    began = time.monotonic()
    assert searched(path, evaluate=toy.broken) == first
    assert time.monotonic() - began < 5 and path.read_bytes().startswith(content)
    path.write_bytes(b"no line at all")
    assert searched(path) == first


def test_a_journal_has_one_writer(tmp_path: Path) -> None:
    with journal.opened(tmp_path / "journal"):
        code = f"from headstart.meta import journal\nwith journal.opened({str(tmp_path / 'journal')!r}): pass"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode and "is in use by process" in done.stderr


def test_a_database_is_shared_but_one_search_has_one_searcher(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/searches.db"
    with journal.opened(url) as store:
        search = Search(store, "prior", SPACE, SHORT)
        assert not store.alone
        running = search.run(toy.bowl)
        next(running)
        search._begin(Place(0, 0, 7), propose(SPACE, [], [1], 1.0, frozenset()).answers, None)
        assert Search(store, "prior", SPACE, SHORT).done.keys() == {
            Place(0, 0, 0)
        }  # begun by this very process
        other = Search(store, "other prior", SPACE, SHORT)
        assert not other.done
        trial = optuna().trial.create_trial(
            state=optuna().trial.TrialState.RUNNING, user_attrs={"place": [0, 0, 1], "owner": "elsewhere 1"}
        )
        other._study.add_trial(trial)
        with pytest.raises(Busy, match="is under way: elsewhere, process 1"):
            Search(store, "other prior", SPACE, SHORT)


def test_a_database_that_cannot_be_reached_is_named() -> None:
    with (
        pytest.raises(BadInput, match=r"database of the search|needs a driver"),
        journal.opened("nonsense://there/x"),
    ):
        pass


def points(budget: float, count: int, rate: float) -> list[Point]:
    """Results of which those near a rate of 10**rate are best."""
    rng, found = np.random.default_rng(int(budget)), []
    for _ in range(count):
        drawn = Drawn(rng)
        recipe = SPACE.suggest(drawn).recipe
        assert recipe is not None
        found.append(Point(drawn.values, budget, 1 - abs(np.log10(recipe.rate) - rate)))
    return found


def rates(of: list[Point]) -> list[float]:
    found = []
    for number in range(12):
        proposal = propose(SPACE, of, (0, number), 0.0, frozenset())
        assert proposal.config.recipe is not None and proposal.config == SPACE.suggest(
            Given(proposal.answers)
        )
        found.append(float(np.log10(proposal.config.recipe.rate)))
    return found


def test_proposals_come_from_the_largest_budget_with_enough_results() -> None:
    """The budgets disagree about what is good: the proposals show whom they come from."""
    low, high = points(1.0, 40, -4.0), points(3.0, 40, -1.0)
    assert np.median(rates(low)) < -3 and np.median(rates(low + high)) > -2
    assert propose(SPACE, low + high, [0], 0.0, frozenset()).budget == 3.0
    assert propose(SPACE, low + high[:9], [0], 0.0, frozenset()).budget == 1.0  # 10 are needed
    assert propose(SPACE, low + high[:10], [0], 0.0, frozenset()).budget == 3.0
    assert propose(SPACE, low[:9], [0], 0.0, frozenset()).budget is None


def test_a_third_of_the_proposals_are_drawn_at_random() -> None:
    share = np.mean(
        [propose(SPACE, points(1.0, 12, -2.0), [n], 1 / 3, frozenset()).budget is None for n in range(60)]
    )
    assert 0.15 < share < 0.5


def test_what_was_proposed_before_is_not_proposed_again() -> None:
    space = find_space("frozen")
    known = {propose(space, [], [5], 1.0, frozenset()).config.digest}
    assert propose(space, [], [5], 1.0, frozenset(known)).config.digest not in known


@pytest.mark.slow
def test_the_model_beats_chance_on_a_bowl(tmp_path: Path) -> None:
    """Not a benchmark (that is benchmarks/bohb.py): the same seeds always say the same."""
    ends: dict[str, list[float]] = {"tpe": [], "random": []}
    for model, values in ends.items():
        for seed in range(3):
            found = searched(
                tmp_path / f"{model}{seed}", Plan(Schedule(iterations=7), seed=seed, model=model)
            )
            late = [
                e.value for e in found if e.place.iteration >= 4 and e.place.rung == 0 and e.budget == 1.0
            ]
            values.append(float(np.mean(late)))
            assert all((e.proposed_from is None) or model == "tpe" for e in found)
    assert np.mean(ends["tpe"]) > np.mean(ends["random"])


def test_a_plan_that_is_none_is_refused() -> None:
    for wrong in ({"first": 0.0}, {"first": 2000.0}, {"model": "guess"}):
        with pytest.raises(BadInput):
            Plan(**wrong)  # type: ignore[arg-type]
    assert Plan().value(Outcome(()), 30.0) == 0.0
    assert Plan(Schedule(1, 1)).allowed(1.0) == 1200.0
