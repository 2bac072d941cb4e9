"""The learner on features that are made on the spot: order, evidence, budget, determinism."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from headstart.errors import DiskFull
from headstart.learn.features import Features
from headstart.learn.learner import Learner
from headstart.learn.plan import default_config, passes
from headstart.learn.snapshot import Snapshot
from headstart.learn.truth import Truth
from headstart.words.clock import Budget, CostClock
from headstart.words.config import Config, Stage
from headstart.words.meter import Meter
from headstart.words.scoring import score
from headstart.words.task import Samples, Skipped
from invented import invented

DIM = 24
CONFIG = Config(stages=(Stage("net", 64, ("head",)), Stage("net", 128, ("head",))), first_test=10)


class Made:
    """Samples whose 'path' is their number; a 'network' that knows a noisy view of each."""

    def __init__(
        self, folder: Path, samples: int, tests: int, classes: int, spoilt: tuple[int, ...] = ()
    ) -> None:
        rng = np.random.default_rng(0)
        self.labels = np.arange(samples) % classes
        truth = np.concatenate([self.labels, np.arange(tests) % classes])
        self.tests = truth[samples:]
        centres = rng.uniform(0, 2, (classes, DIM))
        self.views = {px: np.abs(centres[truth] + rng.normal(0, noise, (len(truth), DIM))).astype(np.float32)
                      for px, noise in ((64, 1.5), (128, 0.9))}  # fmt: skip
        self.spoilt, self.folder = set(spoilt), folder
        names = [str(i) for i in range(samples + tests)]
        self.splits = {"train": (Samples("", names[:samples]), np.arange(samples))}
        if tests:
            self.splits["test"] = (Samples("", names[samples:]), np.arange(tests))

    def decoder(self, path: str, pixels: int, frames: int = 1) -> NDArray[np.uint8] | Skipped:
        number = int(path)
        if number in self.spoilt:
            return Skipped(path, "spoilt")
        image = np.zeros((pixels, pixels, 3), np.uint8)
        image[0, 0] = number // 65536, number // 256 % 256, number % 256
        return image

    def network(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        code = images[:, 0, 0].astype(int)
        return {"head": self.views[images.shape[1]][code[:, 0] * 65536 + code[:, 1] * 256 + code[:, 2]]}

    def run(self, budget: float = 1200.0, workers: int = 0, config: Config = CONFIG) -> list[Snapshot]:
        clock = CostClock(invented(["net"], (64, 128)))
        dims = {block: DIM for stage in config.stages for block in stage.blocks}
        features = Features(passes(config), self.splits, {"net": self.network}, dims, self.decoder,
                            self.folder, dict.fromkeys(self.splits, "x"), clock, Meter())  # fmt: skip
        classes = int(self.labels.max()) + 1
        folds = np.arange(len(self.labels)) // classes % 5
        learner = Learner(features, Truth(self.labels, classes), folds, config, clock,
                          Budget(budget), "single", workers)  # fmt: skip
        try:
            return [event for event in learner.run() if isinstance(event, Snapshot)]
        finally:
            features.close()


def test_predictions_get_better_and_the_simulated_run_is_the_same_twice(tmp_path: Path) -> None:
    runs = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        runs.append(Made(tmp_path / name, 200, 60, 4).run())
    first, last = runs[0][0], runs[0][-1]
    assert last.evidence > first.evidence and last.samples_seen == 200
    assert [s.stage for s in runs[0]][-1] == "net@128"
    for one, other in zip(*runs, strict=True):
        assert one.seconds == other.seconds and one.evidence == other.evidence
        np.testing.assert_array_equal(one.test, other.test)
    assert last.test is not None
    assert (last.test.argmax(axis=1) == np.arange(60) % 4).mean() > 0.8


def test_the_first_prediction_waits_for_two_samples_of_each_class_only(tmp_path: Path) -> None:
    first = Made(tmp_path, 400, 0, 5).run()[0]
    assert first.samples_seen <= 48 and first.test is None


def test_a_run_stops_at_its_budget(tmp_path: Path) -> None:
    found = Made(tmp_path, 300, 30, 3).run(budget=0.2)
    assert found and all(snapshot.seconds <= 0.2 for snapshot in found)
    assert found[-1].samples_seen < 300


def test_a_run_goes_on_from_the_features_that_are_there(tmp_path: Path) -> None:
    made = Made(tmp_path, 200, 40, 4)
    made.run(budget=0.3)
    before = made.network
    calls = []

    def counting(images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        calls.append(len(images))
        return before(images)

    made.network = counting  # type: ignore[method-assign]
    found = made.run()
    assert sum(calls) < 2 * 240 and found[-1].samples_seen == 200


def test_unreadable_samples_are_left_out_and_their_predictions_stay_even(tmp_path: Path) -> None:
    made = Made(tmp_path, 120, 20, 3, spoilt=(5, 6, 121))
    last = made.run()[-1]
    assert last.samples_seen == 118 and not {5, 6} & set(last.rows.tolist())
    assert last.test is not None
    np.testing.assert_allclose(last.test[1], 1 / 3)


def test_workers_find_what_one_alone_finds(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    alone, together = Made(tmp_path / "a", 150, 30, 3).run(), Made(tmp_path / "b", 150, 30, 3).run(workers=2)
    # Which solve on the way stands longest depends on when samples arrive.
    np.testing.assert_allclose(alone[-1].evidence, together[-1].evidence, atol=0.005)
    assert alone[-1].samples_seen == together[-1].samples_seen == 150


@pytest.mark.slow
def test_beyond_the_dual_form_landmarks_take_over(tmp_path: Path) -> None:
    last = Made(tmp_path, 1500, 2100, 3).run()[-1]
    assert last.samples_seen == 1500 and last.evidence > 0.8
    assert last.test is not None and (last.test.argmax(axis=1) == np.arange(2100) % 3).mean() > 0.8


def test_the_plan_decodes_raw_pixels_and_the_first_network_stage_together() -> None:
    config = default_config(500, 5, [(100, 80)])
    assert [passing.pixels for passing in passes(config)] == [64, 128, 224]
    assert len(passes(config)[0].stages) == 2 and "500 samples" in config.reason


@pytest.mark.parametrize("seed", range(4))
def test_published_evidence_never_falls_on_samples_that_both_snapshots_know(
    seed: int, tmp_path: Path
) -> None:
    made = Made(tmp_path, 220, 0, 4)
    rng = np.random.default_rng(seed)
    made.views = {px: made.views[px] + rng.uniform(0, 4, made.views[px].shape) for px in (128, 64)}
    found = made.run()
    assert len(found) > 2
    truth = np.eye(4)[made.labels]
    for before, after in pairwise(found):
        common = min(len(before.held_out), len(after.held_out))
        scores = [score(truth[after.rows[:common]], s.held_out[:common]) for s in (before, after)]
        assert scores[1] >= scores[0]
        assert after.seconds > before.seconds and after.samples_seen >= before.samples_seen


def test_a_stage_that_only_brings_noise_changes_nothing_much(tmp_path: Path) -> None:
    made = Made(tmp_path, 200, 100, 4)
    made.views[64] = made.views[128]
    made.views[128] = np.random.default_rng(1).uniform(0, 1, made.views[128].shape).astype(np.float32)
    last = made.run()[-1]
    assert last.test is not None and (last.test.argmax(axis=1) == made.tests).mean() > 0.85


def test_test_samples_come_back_in_the_order_of_their_list(tmp_path: Path) -> None:
    made = Made(tmp_path, 160, 80, 4)
    samples, _ = made.splits["test"]
    made.splits["test"] = (samples, np.random.default_rng(0).permutation(80))
    found = made.run()
    assert all(snapshot.test is not None and snapshot.test.shape == (80, 4) for snapshot in found)
    last = found[-1].test
    assert last is not None and (last.argmax(axis=1) == made.tests).mean() > 0.8


def test_early_predictions_reach_the_test_samples_in_reach_and_leave_the_others_even(tmp_path: Path) -> None:
    first = Made(tmp_path, 400, 300, 4).run()[0]
    assert first.test is not None
    told = np.flatnonzero(np.abs(first.test - 0.25).max(axis=1) > 1e-6)
    assert CONFIG.first_test <= len(told) < 300 and told.max() == len(told) - 1


def test_a_run_ends_when_nothing_is_left_to_improve(tmp_path: Path) -> None:
    made = Made(tmp_path, 200, 0, 4)
    found = made.run(config=replace(CONFIG, enough=0.3))
    assert {snapshot.stage for snapshot in found} == {"net@64"}


@pytest.mark.parametrize("budget", [0.05, 0.35, 0.9])
def test_nothing_is_published_after_the_budget(budget: float, tmp_path: Path) -> None:
    assert all(snapshot.seconds < budget for snapshot in Made(tmp_path, 300, 60, 4).run(budget))


@pytest.mark.parametrize("workers", [0, 2])
def test_errors_of_the_stream_end_the_run(workers: int, tmp_path: Path) -> None:
    made, calls = Made(tmp_path, 200, 0, 4), []
    before = made.network

    def failing(images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        calls.append(1)
        if len(calls) > 4:
            raise DiskFull("no room")
        return before(images)

    made.network = failing  # type: ignore[method-assign]
    with pytest.raises(DiskFull):
        made.run(workers=workers)


def test_samples_that_can_all_not_be_read_give_no_snapshot(tmp_path: Path) -> None:
    assert Made(tmp_path, 20, 4, 2, spoilt=tuple(range(24))).run() == []
