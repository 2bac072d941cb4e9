"""The learner on features that are made on the spot: order, evidence, budget, determinism."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from headstart.heads.kernel import Kernel, unit
from headstart.learn.features import Features
from headstart.learn.landmarks import Landmarks
from headstart.learn.learner import Learner
from headstart.learn.plan import default_config, passes
from headstart.learn.products import Products, Queries
from headstart.learn.snapshot import Snapshot
from headstart.learn.stream import Job, Stream, jobs
from headstart.words.clock import Budget, CostClock
from headstart.words.config import Config, Stage
from headstart.words.costs import Cost, CostTable
from headstart.words.meter import Meter
from headstart.words.task import Samples, Skipped

DIM = 24
CONFIG = Config(stages=(Stage("net", 64, ("head",)), Stage("net", 128, ("head",))), first_test=10)


def table() -> CostTable:
    rows = [Cost(kind, "net", px, 0.01, 0.001 * px / 64) for kind in ("forward",) for px in (64, 128)]
    rows += [Cost("decode", s, px, 0.0, 0.0005) for s in ("train", "test") for px in (64, 128)]
    rows += [Cost("products", f"net@{px}/head", 0, 0.001, 0.0) for px in (64, 128)]
    rows += [Cost("solve", head, 0, 0.002, 1e-5) for head in ("means", "neighbours", "ridge", "lda")]
    rows += [Cost("statistics", "landmarks", 0, 0.001, 1e-5), Cost("predict", "test", 0, 0.001, 1e-5)]
    return CostTable(tuple(rows))


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

    def decoder(self, path: str, pixels: int) -> NDArray[np.uint8] | Skipped:
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
        clock = CostClock(table())
        dims = {block: DIM for stage in config.stages for block in stage.blocks}
        features = Features(passes(config), self.splits, {"net": self.network}, dims, self.decoder,
                            self.folder, dict.fromkeys(self.splits, "x"), clock, Meter())  # fmt: skip
        classes = int(self.labels.max()) + 1
        folds = np.arange(len(self.labels)) // classes % 5
        learner = Learner(features, np.eye(classes, dtype=np.uint8)[self.labels], folds, config, clock,
                          Budget(budget), "single", workers)  # fmt: skip
        found = [event for event in learner.run() if isinstance(event, Snapshot)]
        features.close()
        return found


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
    np.testing.assert_allclose(alone[-1].evidence, together[-1].evidence)


@pytest.mark.slow
def test_beyond_the_dual_form_landmarks_take_over(tmp_path: Path) -> None:
    last = Made(tmp_path, 1500, 2100, 3).run()[-1]
    assert last.samples_seen == 1500 and last.evidence > 0.8
    assert last.test is not None and (last.test.argmax(axis=1) == np.arange(2100) % 3).mean() > 0.8


def test_landmarks_agree_with_the_dual_form_where_every_sample_is_one() -> None:
    rng = np.random.default_rng(1)
    labels = np.arange(90) % 3
    block = unit(np.abs(rng.normal(size=(90, 12)) + 4 * np.eye(12)[labels]))
    products = Products(12, 90)
    products.extend(block)
    marks = Landmarks(("b",), [products], Kernel("rbf", 0.3), 3)
    indicator = np.eye(3)[labels]
    assert sum(marks.feed(lambda _, rows: block[rows], np.arange(90), indicator, np.arange(90) % 5, 90))
    z = marks.coordinates([block])
    kernel = marks.kernel(*products.among(90), products.norms)
    np.testing.assert_allclose(z @ z.T, kernel, atol=5e-3)
    evidence = [
        c.member.evidence for c in marks.candidates(indicator, np.arange(90) % 5, ("lda", "ridge"), "single")
    ]
    assert min(evidence) > 0.9


def test_products_that_grow_equal_products_at_once() -> None:
    block = unit(np.abs(np.random.default_rng(2).normal(size=(30, 8))))
    grown, whole = Products(8, 25), Products(8, 25)
    for start in (0, 7, 20):
        grown.extend(block[start : {0: 7, 7: 20, 20: 30}[start]])
    whole.extend(block)
    assert len(grown) == 25
    np.testing.assert_allclose(grown.among(25)[0], whole.among(25)[0], atol=1e-3)
    grown.forget()
    np.testing.assert_allclose(grown.among(25)[0], whole.among(25)[0], atol=1e-3)
    queries, rows = Queries(8, 5), np.array([3, 1])
    queries.put(rows, block[:2])
    queries.against(grown, rows[:1], 10)
    inner, norms = queries.against(grown, rows, 25)
    np.testing.assert_allclose(inner, block[:2] @ block[:25].T, atol=2e-3)
    np.testing.assert_allclose(norms, 1, atol=2e-3)


def test_jobs_cover_every_row_once_and_end_together() -> None:
    made = list(jobs(0, np.arange(100), np.arange(37), 8))
    for split, count in (("train", 100), ("test", 37)):
        rows = np.concatenate([job.rows for job in made if job.split == split])
        np.testing.assert_array_equal(rows, np.arange(count))
    assert "test" in [job.split for job in made[-4:]] and made[-1].split


def test_a_stream_hands_on_errors_and_ends() -> None:
    def broken(job: Job) -> None:
        if job.rows[0] == 16:
            raise OSError("no space")

    for workers in (0, 2):
        stream = Stream(jobs(0, np.arange(40), np.arange(0), 8), broken, workers)
        with pytest.raises(OSError, match="no space"):
            while not stream.ended:
                stream.next(1.0)
        stream.stop()
    assert threading.active_count() < 10


def test_the_plan_decodes_raw_pixels_and_the_first_network_stage_together() -> None:
    config = default_config(500, 5, [(100, 80)])
    assert [pixels for pixels, _ in passes(config)] == [64, 128, 224]
    assert len(passes(config)[0][1]) == 2 and "500 samples" in config.reason
