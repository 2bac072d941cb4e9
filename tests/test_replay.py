"""Replays: the same as a run that computes everything, from features that are computed once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conftest import draw
from headstart.api import Request, run
from headstart.backbones.table import BACKBONES
from headstart.bench.prior_features import PriorFeatures
from headstart.bench.probing import Prober, part_of
from headstart.bench.replay import Played, Replayer, halves_of, replay
from headstart.challenge.labelled import labelled
from headstart.data.squares import Squares
from headstart.errors import BadInput
from headstart.learn.snapshot import Snapshot
from headstart.words.clock import Budget, CostClock
from headstart.words.config import Config, Stage
from headstart.words.costs import Cost, CostTable
from headstart.words.recipe import Recipe
from headstart.words.scoring import score
from headstart.words.task import Task
from invented import invented

PIXELS, CUT = Stage("pixels", 32, ("rgb16",)), Stage("lite0_cut", 32, ("d7", "d10"))
CONFIG = Config(
    stages=(PIXELS, CUT, Stage("lite0", 64, ("d10", "head"))), precision="fp32", folds=3, first_test=6
)
ONE = replace(CONFIG, stages=(CUT,), heads=("ridge",))


@pytest.fixture(scope="module")
def table() -> CostTable:
    return invented(list(BACKBONES), (32, 64))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes that are not told apart at first sight, and two files that cannot be read."""
    root = tmp_path_factory.mktemp("data")
    for split, count in (("train", 24), ("test", 8)):
        for label in range(3):
            place = root / split / f"class {label}"
            place.mkdir(parents=True)
            for seed in range(count):
                shown = label if seed % 5 else (label + 1) % 3
                draw(shown, 1000 * label + seed + 500 * (split == "test")).save(place / f"{seed:02}.png")
    (root / "train" / "class 1" / "05.png").write_bytes(b"no picture")
    (root / "test" / "class 2" / "03.png").write_bytes(b"no picture")
    return root


@pytest.fixture(scope="module")
def task(folder: Path) -> Task:
    return labelled(str(folder)).task


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


def real(
    folder: Path, config: Config, seed: int, T: float, table: CostTable, out: Path, task: Task
) -> list[tuple[float, float]]:
    """The curve of a run that decodes, passes the networks and writes everything."""
    request = Request(folder, Budget(T), out, None, config, CostClock(table, workers=1), 0, seed=seed)
    truth = replace(task, train=task.test).indicator()  # type: ignore[type-var]
    found = [event for event in run(request) if isinstance(event, Snapshot)]
    return [(s.seconds, score(truth, s.test)) for s in found if s.test is not None]


@pytest.mark.parametrize("config", [CONFIG, ONE], ids=["stages", "one"])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_the_run_that_computes_everything(
    folder: Path, task: Task, table: CostTable, kept: Path, tmp_path: Path, config: Config, seed: int
) -> None:
    expected = real(folder, config, seed, 1200.0, table, tmp_path / "run", task)
    found = replay(task, config, seed, 1200.0, table, kept)
    assert len(found) == len(expected) > 0
    np.testing.assert_allclose([t for t, _ in found], [t for t, _ in expected], rtol=1e-9)
    np.testing.assert_allclose([s for _, s in found], [s for _, s in expected], atol=0.02)


def test_a_short_budget_ends_it_in_the_same_place(
    folder: Path, task: Task, table: CostTable, kept: Path, tmp_path: Path
) -> None:
    whole = Replayer(task, table, kept).run(CONFIG, 0, 1200.0)
    assert whole.complete
    half = (whole.curve[0][0] + whole.curve[-1][0]) / 2
    cut = Replayer(task, table, kept).run(CONFIG, 0, half)
    assert not cut.complete and 0 < len(cut.curve) < len(whole.curve)
    expected = real(folder, CONFIG, 0, half, table, tmp_path / "run", task)
    np.testing.assert_allclose([t for t, _ in cut.curve], [t for t, _ in expected], rtol=1e-9)


def test_features_are_computed_once_and_serve_every_seed(
    task: Task, table: CostTable, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Replayer(task, table, kept)
    curves = [first.run(CONFIG, seed, 1200.0) for seed in (0, 1)]
    assert curves[0] != curves[1]

    def refuses(*_: object) -> None:
        raise AssertionError("nothing is left to be decoded")

    monkeypatch.setattr(Squares, "__call__", refuses)
    assert [Replayer(task, table, kept).run(CONFIG, seed, 1200.0) for seed in (0, 1)] == curves
    assert Replayer(task, table, kept).run(ONE, 3, 1200.0).curve  # a part of what there is


def test_the_totals_are_those_of_a_run(task: Task, table: CostTable, kept: Path) -> None:
    totals = Replayer(task, table, kept).run(CONFIG, 0, 1200.0).totals
    assert {"decode", "forward", "store", "fetch", "products", "solve", "predict", "publish", "start"} <= set(
        totals
    )


def test_the_run_never_sees_the_answers(task: Task, table: CostTable, kept: Path) -> None:
    assert task.test is not None and task.test.targets is not None
    wrong = replace(task, test=replace(task.test, targets=np.roll(task.test.targets, 8)))
    honest, fooled = (Replayer(one, table, kept).run(CONFIG, 0, 1200.0) for one in (task, wrong))
    assert [t for t, _ in honest.curve] == [t for t, _ in fooled.curve]
    assert honest.curve[-1][1] > 0.5 > fooled.curve[-1][1]


def test_files_that_cannot_be_read_are_remembered(task: Task, kept: Path) -> None:
    from headstart.learn.plan import passes

    for _ in range(2):
        prior = PriorFeatures(task, kept, "fp32")
        prior.prepare(passes(CONFIG))
        assert len(prior.bad("train")) == len(prior.bad("test")) == 1
        row = next(iter(prior.bad("train")))
        assert task.train.paths[row].endswith("05.png")
        assert not prior.block("train", "lite0_cut@32/d10")[row].any()


def test_the_halves_are_fixed_and_balanced(task: Task, table: CostTable, kept: Path) -> None:
    truth = np.eye(5, dtype=np.uint8)[np.repeat(np.arange(5), [9, 4, 1, 7, 20])]
    half = halves_of(truth)
    assert abs(int(half.sum()) * 2 - len(half)) <= 1
    assert (abs(truth[half].sum(axis=0).astype(int) - truth[~half].sum(axis=0)) <= 1).all()
    np.testing.assert_array_equal(half, halves_of(truth))
    assert halves_of(np.zeros((6, 3), np.uint8)).sum() == 3  # without any label
    played: Played = Replayer(task, table, kept).run(CONFIG, 0, 1200.0)
    assert len(played.halves) == len(played.curve)
    assert all(
        min(pair) - 0.05 <= value <= max(pair) + 0.05
        for (_, value), pair in zip(played.curve, played.halves, strict=True)
    )


def test_a_changed_file_is_looked_at_again(folder: Path, table: CostTable, tmp_path: Path) -> None:
    task = labelled(str(folder)).task
    before = Replayer(task, table, tmp_path)
    before.run(ONE, 0, 1200.0)
    path = folder / "train" / "class 0" / "00.png"
    content = path.read_bytes()
    try:
        draw(0, 99_999).save(path)
        prior = PriorFeatures(task, tmp_path, "fp32")
        assert prior.folder not in {one.folder for one in before._priors.values()}
    finally:
        path.write_bytes(content)


def test_without_answers_or_with_a_table_that_lacks_work_it_says_so(
    task: Task, table: CostTable, kept: Path
) -> None:
    assert task.test is not None
    with pytest.raises(BadInput, match="no labelled test split"):
        Replayer(replace(task, test=replace(task.test, targets=None)), table, kept)
    with pytest.raises(BadInput, match="no labelled test split"):
        Replayer(replace(task, test=None), table, kept)
    with pytest.raises(BadInput, match="the cost table has no row for forward lite0 at 96 pixels"):
        replay(task, replace(CONFIG, stages=(Stage("lite0", 96, ("d10",)),)), 0, 1200.0, table, kept)


@pytest.mark.slow
def test_without_a_configuration_it_is_the_plan_of_fit(task: Task, kept: Path) -> None:
    whole = invented(list(BACKBONES), (64, 128, 224))
    replayer = Replayer(task, whole, kept)
    assert [stage.pixels for stage in replayer.plan().stages] == [64, 64, 128, 224]
    assert replayer.run(None, 0, 1200.0) == replayer.run(replayer.plan(), 0, 1200.0)


@pytest.mark.parametrize("stages", [(), (PIXELS,)], ids=["alone", "beside stages"])
def test_a_network_that_is_trained_is_trained_and_its_seconds_are_the_tables(
    task: Task, table: CostTable, kept: Path, stages: tuple[Stage, ...]
) -> None:
    pytest.importorskip("torch")
    recipe = Recipe("small", 32, "random", rate=3e-3, epochs=2)
    config = replace(CONFIG, stages=stages, recipe=recipe)
    with pytest.raises(BadInput, match="no row for backward small at 32 pixels"):
        replay(task, config, 0, 60.0, table, kept)
    more = tuple(Cost(kind, "small", 32, 1e-3, each) for kind, each in (("backward", 4e-3), ("infer", 1e-3)))
    played = Replayer(task, CostTable((*table.rows, *more)), kept).run(config, 0, 60.0)
    assert played.complete and played.curve and played.totals["backward"] > 0.1


def test_a_trial_reads_a_part_of_the_training_samples_and_no_test_split(
    task: Task, table: CostTable, tmp_path: Path
) -> None:
    blind = replace(task, test=None)
    probe = Prober(blind, {"one": ONE, "all": CONFIG}, table, tmp_path)
    small, whole = probe("one", 0.5), probe("one", 1.0)
    assert 0 < small.seconds < whole.seconds < probe("all", 1.0).seconds
    assert -1 <= whole.estimate <= 1 and probe("one", 0.5) == small
    part = part_of(task, 0.5).train
    assert part.targets is not None and np.bincount(part.targets.astype(int)).tolist() == [12, 12, 12]
    with pytest.raises(BadInput, match="only its name is known"):
        probe("net:7", 1.0)
    with pytest.raises(BadInput, match="above 0 to 1"):
        probe("one", 0.0)
