"""Searches on real worker processes, of which one is killed while it works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("optuna")
pytest.importorskip("distributed")

import toy_objective as toy
from headstart.errors import BadInput
from headstart.meta import cluster, journal
from headstart.meta.brackets import Schedule
from headstart.meta.objective import Evaluate, Plan, Pool
from headstart.meta.search import Evaluation, Search
from headstart.words.space import find_space

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of a scheduler whose worker was killed
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
SPACE = find_space("paper", networks=["resnet18@128"])
PLAN = Plan(Schedule(iterations=3), model="random")  # drawn by the seed alone, whoever ends first


@pytest.fixture(autouse=True)
def workers_find_the_objective(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@contextmanager
def searching(folder: Path) -> Iterator[Search]:
    with journal.opened(folder / "journal") as store:
        yield Search(store, "prior", SPACE, PLAN, str(folder))


def alone(folder: Path, evaluate: Evaluate) -> list[Evaluation]:
    folder.mkdir()
    with searching(folder) as search:
        return sorted(search.run(evaluate), key=lambda e: e.place)


def processes(pool: Pool) -> list[int]:
    assert isinstance(pool, cluster.Cluster)
    return list(pool._client.run(os.getpid).values())


def test_one_of_two_workers_is_killed_and_nothing_is_lost(tmp_path: Path) -> None:
    expected = alone(tmp_path / "alone", toy.bowl)
    with cluster.opened(2) as pool, searching(tmp_path) as search:
        assert pool.workers == 2
        victims, found = processes(pool), []
        assert len(set(victims)) == 2 and os.getpid() not in victims
        for evaluation in search.run(toy.slow, pool):
            found.append(evaluation)
            if len(found) == 4:
                os.kill(victims[0], signal.SIGKILL)
    assert sorted(found, key=lambda e: e.place) == expected
    begun, ended = ((tmp_path / name).read_text().splitlines() for name in ("begun", "ended"))
    assert set(begun) == set(ended) and len(begun) <= 20 + 3


def test_what_kills_every_worker_counts_as_failed_and_the_rest_goes_on(tmp_path: Path) -> None:
    with cluster.opened(1) as pool, journal.opened(tmp_path / "journal") as store:
        search = Search(store, "prior", SPACE, Plan(Schedule(9, 9, 3, 2), model="random"))
        found = list(search.run(toy.deadly, pool))
    assert len(found) == 2
    for evaluation in found:
        recipe = evaluation.config.recipe
        assert recipe is not None
        assert ("workers died" in evaluation.outcome.error) == (recipe.optimiser == "sgd")


def test_a_scheduler_by_its_address_and_one_that_is_not_there(tmp_path: Path) -> None:
    with cluster.opened(1) as here:
        address = here._client.scheduler.address
        with cluster.opened(scheduler=address) as pool, searching(tmp_path) as search:
            assert pool.workers == 1
            found = sorted(search.run(toy.bowl, pool), key=lambda e: e.place)
    assert found == alone(tmp_path / "alone", toy.bowl)
    with pytest.raises(BadInput, match="0 workers are none"), cluster.opened(0):
        pass


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_PATIENCE", 0.5)
    with (
        pytest.raises(BadInput, match="does not answer"),
        cluster.opened(scheduler="tcp://127.0.0.1:9"),
    ):
        pass


def test_an_error_of_the_evaluation_comes_back_and_is_raised(tmp_path: Path) -> None:
    with (
        cluster.opened(1) as pool,
        searching(tmp_path) as search,
        pytest.raises(BadInput, match="must not happen"),
    ):
        list(search.run(toy.broken, pool))


def test_the_search_itself_may_be_killed_while_workers_work(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
import test_cluster as t
if __name__ == "__main__":
    with t.cluster.opened(2) as pool, t.searching(Path({str(tmp_path)!r})) as search:
        for evaluation in search.run(t.toy.slow, pool):
            print("one", flush=True)
"""
    script = tmp_path / "script.py"
    script.write_text(code)
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(3)] == ["one\n"] * 3
    process.kill()
    told = 3 + len(process.communicate()[0].splitlines())
    time.sleep(0.3)  # workers that were at it end by themselves
    with searching(tmp_path) as search:
        assert told <= len(search.done) <= told + 2
        list(search.run(toy.bowl))
        found = [search.done[place] for place in sorted(search.done)]
    assert found == alone(tmp_path / "alone", toy.bowl)
