"""Runs from Python: what `fit`, `watch` and `load` promise, with simulated time where order matters."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import headstart
from commands import rows
from conftest import MakeFolder, draw
from headstart.api import Request, run
from headstart.backbones.table import BACKBONES
from headstart.errors import BadInput, Busy
from headstart.learn.snapshot import Progressed, Snapshot
from headstart.words.clock import Budget, CostClock
from headstart.words.config import Config, Stage
from headstart.words.costs import CostTable
from headstart.words.scoring import score
from invented import invented

STAGES = (
    Stage("pixels", 32, ("rgb16",)),
    Stage("lite0_cut", 32, ("d7", "d10")),
    Stage("lite0", 64, ("d10", "head")),
)
CONFIG = Config(stages=STAGES, precision="fp32", folds=3, first_test=6)
PLAIN = Config(
    stages=STAGES[1:], precision="fp32", folds=3
)  # without tiny pixels nobody looks for duplicates


def table() -> CostTable:
    """Invented costs of all that a run of CONFIG charges for."""
    return invented(list(BACKBONES), (32, 64))


def simulated(
    folder: Path, out: Path, test: Path | None = None, budget: float = 1200.0, config: Config = CONFIG
) -> list[Snapshot]:
    request = Request(folder, Budget(budget), out, test, config, CostClock(table()), 0)
    return [event for event in run(request) if isinstance(event, Snapshot)]


@pytest.fixture
def hard_folder(tmp_path: Path) -> Path:
    """Three classes that are not told apart at first sight: every fifth file shows another class."""
    for label in range(3):
        folder = tmp_path / "hard" / f"class {label}"
        folder.mkdir(parents=True)
        for seed in range(40):
            draw(label if seed % 5 else (label + 1) % 3, 1000 * label + seed).save(folder / f"{seed}.png")
    return tmp_path / "hard"


def test_a_simulated_run_is_the_same_to_the_last_bit_twice(hard_folder: Path, tmp_path: Path) -> None:
    one, other = (simulated(hard_folder, tmp_path / name, hard_folder) for name in "ab")
    assert len(one) == len(other) > 2
    for a, b in zip(one, other, strict=True):
        assert (a.seconds, a.evidence, a.stage, a.samples_seen) == (
            b.seconds,
            b.evidence,
            b.stage,
            b.samples_seen,
        )
        np.testing.assert_array_equal(a.held_out, b.held_out)
        np.testing.assert_array_equal(a.test, b.test)
    models = [(tmp_path / name / "model" / "model.json").read_bytes() for name in "ab"]
    assert models[0] == models[1]


def test_what_is_published_never_gets_worse_on_the_samples_that_both_know(
    hard_folder: Path, tmp_path: Path
) -> None:
    found = simulated(hard_folder, tmp_path / "run", config=PLAIN)
    assert len(found) > 2
    truth = np.eye(3)[np.repeat(np.arange(3), 40)]
    for before, after in pairwise(found):
        common = min(len(before.rows), len(after.rows))
        np.testing.assert_array_equal(before.rows[:common], after.rows[:common])
        known = truth[after.rows[:common]]
        assert score(known, after.held_out[:common]) >= score(known, before.held_out[:common])
    assert found[-1].evidence == score(truth[found[-1].rows], found[-1].held_out)


def test_a_run_stops_at_its_budget_and_says_so(hard_folder: Path, tmp_path: Path) -> None:
    whole = simulated(hard_folder, tmp_path / "whole")
    budget = (whole[0].seconds + whole[-1].seconds) / 2
    cut = simulated(hard_folder, tmp_path / "cut", budget=budget)
    assert cut and all(snapshot.seconds <= budget for snapshot in cut)
    ended = {
        name: json.loads((tmp_path / name / "run.json").read_text())["ended"] for name in ("whole", "cut")
    }
    assert "budget" in ended["cut"] and "budget" not in ended["whole"]
    assert headstart.load(tmp_path / "cut").samples_seen <= 120


def test_a_run_that_has_nothing_left_to_improve_ends_early(tmp_path: Path, make_folder: MakeFolder) -> None:
    folder = make_folder(classes=3, each=20)
    simulated(folder, tmp_path / "run", config=Config(stages=STAGES, precision="fp32", enough=0.5))
    document = json.loads((tmp_path / "run" / "run.json").read_text())
    assert "improve" in document["ended"]
    assert not any("lite0@64" in block for member in document["members"] for block in member["blocks"])


def test_every_snapshot_is_on_disk_when_it_is_handed_out(hard_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    request = Request(hard_folder, Budget(1200), out, hard_folder, CONFIG, CostClock(table()), 0)
    published = 0
    for event in run(request):
        if isinstance(event, Snapshot):
            published += 1
            model = headstart.load(out)
            assert model.evidence == pytest.approx(event.evidence)
            curve = rows(out / "curve.csv")
            assert len(curve) == published and float(curve[-1]["score"]) == pytest.approx(
                event.evidence, abs=1e-3
            )
            assert (out / "predictions.csv").exists()
    assert published > 1


def test_progress_goes_forward(hard_folder: Path, tmp_path: Path) -> None:
    request = Request(hard_folder, Budget(1200), tmp_path / "run", None, CONFIG, CostClock(table()), 0)
    found = [event for event in run(request) if isinstance(event, Progressed)]
    assert found
    assert [e.seconds for e in found] == sorted(e.seconds for e in found)
    assert all(0 < e.stage_done <= e.stage_total == 120 and e.next for e in found)
    assert [e.stage_done for e in found if e.stage == found[-1].stage][-1] == 120


def work(run_folder: Path) -> set[str]:
    document = json.loads((run_folder / "run.json").read_text())
    return set(document["timings"])


def test_the_same_run_again_computes_no_feature_twice(hard_folder: Path, tmp_path: Path) -> None:
    first = simulated(hard_folder, tmp_path / "run", hard_folder)
    assert "forward" in work(tmp_path / "run")
    again = simulated(hard_folder, tmp_path / "run", hard_folder)
    assert "forward" not in work(tmp_path / "run")
    np.testing.assert_allclose(again[-1].evidence, first[-1].evidence, atol=0.02)


def test_another_data_set_in_the_same_run_folder_starts_anew(
    hard_folder: Path, tmp_path: Path, make_folder: MakeFolder
) -> None:
    simulated(hard_folder, tmp_path / "run")
    simulated(make_folder(classes=4, each=10), tmp_path / "run")
    assert "forward" in work(tmp_path / "run")
    assert headstart.load(tmp_path / "run").classes == ("shape_0", "shape_1", "shape_2", "shape_3")


def test_a_watch_that_is_left_lets_go_of_the_run_folder(tmp_path: Path, make_folder: MakeFolder) -> None:
    folder = make_folder(classes=3, each=30)
    watching = headstart.watch(folder, 60, tmp_path / "run", config=CONFIG)
    next(watching)
    with pytest.raises(Busy):
        headstart.fit(folder, 60, tmp_path / "run", config=CONFIG)
    watching.close()  # type: ignore[attr-defined]
    assert headstart.load(tmp_path / "run").samples_seen > 0
    assert headstart.fit(folder, 60, tmp_path / "run", config=CONFIG).samples_seen == 90


def labels_of(paths: list[str]) -> list[str]:
    return [Path(path).parent.name for path in paths]


def test_a_model_labels_folders_files_and_lists(tmp_path: Path, make_folder: MakeFolder) -> None:
    folder = make_folder(classes=3, each=16)
    model = headstart.fit(folder, "60s", tmp_path / "run", config=CONFIG, workers=1)
    assert model.classes == ("shape_0", "shape_1", "shape_2") and model.labels == "single"
    found = model.predict(folder)
    assert len(found) == 48
    right = [p.label == label for p, label in zip(found, labels_of([p.path for p in found]), strict=True)]
    assert np.mean(right) > 0.95
    for prediction in found:
        assert prediction.posteriors.sum() == pytest.approx(1, abs=1e-4)
        assert prediction.confidence == pytest.approx(prediction.posteriors.max())
    paths = [str(folder / p.path) for p in found[:3]]
    alone = [*model.predict(paths), *model.predict(paths[0])]
    assert [p.path for p in alone] == [*paths, paths[0]]
    np.testing.assert_allclose(alone[0].posteriors, found[0].posteriors, atol=1e-3)
    values, skipped = model.posteriors([*paths, str(tmp_path / "nothing.png")])
    assert values.shape == (4, 3) and np.isnan(values[3]).all() and len(skipped) == 1
    assert model.predict([]) == []


def test_a_model_in_memory_survives_the_run_folder(tmp_path: Path, make_folder: MakeFolder) -> None:
    folder = make_folder(classes=2, each=8)
    model = headstart.fit(folder, 60, tmp_path / "run", config=CONFIG)
    for file in (tmp_path / "run" / "model").iterdir():
        file.unlink()
    assert len(model.predict(folder)) == 16


@pytest.mark.parametrize(("classes", "each"), [(2, 1), (2, 2), (30, 1), (60, 2)])
def test_few_samples_and_many_classes_are_learnt(
    classes: int, each: int, tmp_path: Path, make_folder: MakeFolder
) -> None:
    folder = make_folder(classes=classes, each=each, pixels=24)
    found = simulated(folder, tmp_path / "run", folder)
    assert found and found[-1].samples_seen == classes * each
    posteriors = found[-1].test
    assert posteriors is not None and posteriors.shape == (classes * each, classes)
    np.testing.assert_allclose(posteriors.sum(axis=1), 1, atol=1e-3)


def test_classes_of_very_unequal_sizes_are_learnt(tmp_path: Path) -> None:
    for label, count in enumerate((60, 9, 1)):
        folder = tmp_path / "train" / str(label)
        folder.mkdir(parents=True)
        for seed in range(count):
            draw(label, seed).save(folder / f"{seed}.png")
    last = simulated(tmp_path / "train", tmp_path / "run", tmp_path / "train")[-1]
    assert last.samples_seen == 70 and np.isfinite(last.evidence) and last.evidence > 0.5


def test_images_that_are_all_the_same_end_in_a_model_that_does_not_know(tmp_path: Path) -> None:
    for label in range(2):
        folder = tmp_path / "train" / str(label)
        folder.mkdir(parents=True)
        for number in range(12):
            draw(0, 0).save(folder / f"{number}.png")
    last = simulated(tmp_path / "train", tmp_path / "run", tmp_path / "train")[-1]
    assert abs(last.evidence) < 0.35
    posteriors: NDArray[np.float32] | None = last.test
    assert posteriors is not None and np.isfinite(posteriors).all()


def test_near_duplicates_do_not_flatter_the_evidence(tmp_path: Path) -> None:
    """Labels are random, but each picture is there six times: only who memorises could score."""
    rng = np.random.default_rng(0)
    for picture in range(40):
        folder = tmp_path / "train" / str(int(rng.integers(2)))
        folder.mkdir(parents=True, exist_ok=True)
        for copy in range(6):
            draw(picture, picture).save(folder / f"{rng.integers(10**9)} {copy}.png")
    last = simulated(tmp_path / "train", tmp_path / "run")[-1]
    assert last.evidence < 0.7


def test_what_cannot_be_learnt_from_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "nothing"):
        with pytest.raises(BadInput):
            headstart.fit(place, "10s", tmp_path / "run")
    with pytest.raises(BadInput, match="budget"):
        headstart.fit(tmp_path / "empty", "soon", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_linear_algebra_uses_one_thread_inside_a_run_and_as_many_as_before_afterwards() -> None:
    code = """
import os
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.pop(name, None)
import numpy
from threadpoolctl import threadpool_info
from headstart.learn.threads import one_thread
threads = lambda: [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
before = threads()
with one_thread():
    assert set(threads()) <= {1}, threads()
assert threads() == before and "OPENBLAS_NUM_THREADS" not in os.environ
"""
    subprocess.run([sys.executable, "-c", code], check=True)
