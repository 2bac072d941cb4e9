"""Evidence comes back as it was, and nothing in a damaged file is run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faults import NAMES
from headstart.errors import BadModel
from headstart.store.run import Evidence, RunFolder


@pytest.mark.parametrize("multi", [False, True])
def test_evidence_comes_back_without_pickle(tmp_path: Path, multi: bool) -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, (6, 3)) if multi else rng.integers(0, 3, 6)
    posteriors = rng.random((6, 3)).astype(np.float16)
    with RunFolder.open(tmp_path) as run:
        for paths in ((), NAMES):
            run.write_evidence(Evidence(np.arange(6)[::-1], posteriors, targets, paths))
            found = run.read_evidence()
            assert found.paths == tuple(paths)
            assert found.rows.tolist() == [5, 4, 3, 2, 1, 0]
            assert found.rows.dtype == np.int64
            assert found.targets.dtype == (np.uint8 if multi else np.int32)
            assert found.posteriors.dtype == np.float16
            np.testing.assert_array_equal(found.targets, targets)
            np.testing.assert_array_equal(found.posteriors, posteriors)


@pytest.mark.parametrize(
    ("rows", "targets", "paths"),
    [((5,), (6,), 0), ((6,), (5,), 0), ((6, 1), (6,), 0), ((6,), (6, 2), 0), ((6,), (6,), 5)],
)
def test_evidence_of_wrong_shapes_is_refused(
    tmp_path: Path, rows: tuple[int, ...], targets: tuple[int, ...], paths: int
) -> None:
    bad = Evidence(np.zeros(rows, np.int64), np.zeros((6, 3), np.float16), np.zeros(targets), NAMES[:paths])
    with RunFolder.open(tmp_path) as run, pytest.raises(ValueError, match="do not belong together"):
        run.write_evidence(bad)


def test_damaged_evidence_is_never_another_error(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path) as run:
        run.write_evidence(Evidence(np.arange(2), np.zeros((2, 2), np.float16), np.arange(2), ["a", "b"]))
        path = tmp_path / "evidence.npz"
        content = path.read_bytes()
        for place in range(len(content)):
            for harmed in (content[:place], content[:place] + b"\xa5" + content[place + 1 :]):
                path.write_bytes(harmed)
                try:
                    run.read_evidence()
                except BadModel as error:
                    assert "evidence.npz is damaged" in str(error)


def test_evidence_with_pickled_objects_is_refused(tmp_path: Path) -> None:
    objects = np.array([{}, {}], object)
    np.savez(tmp_path / "evidence.npz", rows=objects, posteriors=objects, targets=objects)
    with pytest.raises(BadModel, match="damaged"):
        RunFolder.open(tmp_path, exclusive=False).read_evidence()
