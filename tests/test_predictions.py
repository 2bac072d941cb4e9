"""Predictions for files of any name, written fast."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

from faults import NAMES
from faults import run as run_python
from headstart.store.predictions import write_predictions
from headstart.store.run import RunFolder


def _predictions(run: RunFolder) -> list[list[str]]:
    with run.predictions_path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.reader(file, strict=True))


def test_predictions_for_files_of_any_name(tmp_path: Path) -> None:
    classes = ["Bär", "a,b", "c\nd"]
    posteriors = np.random.default_rng(0).dirichlet(np.ones(3), len(NAMES)).astype(np.float32)
    with RunFolder.open(tmp_path) as run:
        run.write_predictions(NAMES, classes, posteriors, "single")
        header, *rows = _predictions(run)
    assert header == ["path", "label", "confidence", *classes]
    assert [row[0] for row in rows] == NAMES
    assert [row[1] for row in rows] == [classes[i] for i in posteriors.argmax(axis=1)]
    found = np.array([row[2:] for row in rows], np.float64)
    np.testing.assert_allclose(found[:, 1:], posteriors, rtol=1e-5)
    np.testing.assert_array_equal(found[:, 0], found[:, 1:].max(axis=1))


def test_predictions_keep_the_order_of_small_posteriors(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path) as run:
        run.write_predictions(["a", "b"], ["x"], np.array([[1.5e-9], [1.6e-9]]), "single")
        assert [row[3] for row in _predictions(run)[1:]] == ["1.5e-09", "1.6e-09"]


def test_predictions_with_several_labels(tmp_path: Path) -> None:
    posteriors = np.array([[0.9, 0.1, 0.5], [0.2, 0.1, 0.3]], np.float16)
    with RunFolder.open(tmp_path) as run:
        run.write_predictions(["a", "b"], ["x", "y", "z"], posteriors, "multi")
        rows = _predictions(run)[1:]
    assert [row[:2] for row in rows] == [["a", "x;z"], ["b", ""]]
    assert [float(row[2]) for row in rows] == pytest.approx([0.9, 0.3], abs=1e-3)


def test_each_label_has_its_threshold(tmp_path: Path) -> None:
    posteriors = np.array([[0.9, 0.1, 0.5], [0.2, 0.1, 0.3], [0.1, 0.05, 0.2]], np.float32)
    thresholds = np.array([0.95, 0.1, 0.3], np.float32)
    path = tmp_path / "predictions.csv"
    write_predictions(path, ["a", "b", "c"], ["x", "y", "z"], posteriors, "multi", thresholds)
    with path.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert [row[1] for row in rows] == ["y;z", "y;z", ""]
    assert [float(row[2]) for row in rows] == pytest.approx([0.9, 0.3, 0.2])


def test_thresholds_do_not_matter_to_single_labels(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    write_predictions(path, ["a"], ["x", "y"], np.array([[0.6, 0.4]]), "single", np.array([0.9, 0.1]))
    assert path.read_text().splitlines()[1] == "a,x,0.6,0.6,0.4"


def test_thresholds_of_another_number_of_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"2 classes, but thresholds \(3,\)"):
        write_predictions(tmp_path / "p.csv", ["a"], ["x", "y"], np.zeros((1, 2)), "multi", np.zeros(3))


def test_predictions_of_nothing_and_of_the_wrong_shape(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path) as run:
        run.write_predictions([], ["x"], np.zeros((0, 1)), "single")
        assert _predictions(run) == [["path", "label", "confidence", "x"]]
        with pytest.raises(ValueError, match="2 paths and 1 classes"):
            run.write_predictions(["a", "b"], ["x"], np.zeros((2, 2)), "single")


LARGE = """
import resource, sys, time
from pathlib import Path
import numpy as np
from headstart.store.run import RunFolder

posteriors = np.random.default_rng(0).random((20_000, 100), np.float32)
paths, classes = [f"test/{i:06d}.jpg" for i in range(20_000)], [f"class {i}" for i in range(100)]
with RunFolder.open(Path(sys.argv[1])) as run:
    memory, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    run.write_predictions(paths, classes, posteriors, "single")
    print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory in kilobytes")
def test_large_predictions_are_written_fast_and_in_little_memory(tmp_path: Path) -> None:
    seconds, kilobytes = map(float, run_python(LARGE, tmp_path).split())
    assert seconds < 3
    assert kilobytes < 20_000
