"""A prior's folder: written once, never changed, refused where it is damaged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from headstart.errors import BadInput
from headstart.meta import prior as stored
from headstart.meta.fingerprint import SIMPLE, Fingerprint, Simple
from headstart.meta.moments import moments
from headstart.meta.prior import Features, Prior

SIMPLE_TOLD = Simple(120, 4, 30.0, 10, 48.0, "image", "single")


def told(rows: int = 60, seed: int = 0, width: int = 672) -> Fingerprint:
    rng = np.random.default_rng(seed)
    features = rng.gamma(0.5, 1.0, (rows, width)).astype(np.float32)
    return Fingerprint(features, (np.arange(rows) % 4).astype(np.int32), SIMPLE_TOLD)


def sample(name: str = "leaves", **more: object) -> Prior:
    return Prior.of(name, "herbarium", SIMPLE_TOLD, test=30, licence="CC0", **more)  # type: ignore[arg-type]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    prior, features = sample(landmarks={"pixels@16/means": 0.61}), Features.of(told())
    written = stored.write(tmp_path / "leaves", prior, features)
    read, told_id, checksum = stored.read(tmp_path / "leaves")
    assert read == prior and told_id == written == stored.identity(prior, features)
    again = stored.read_features(tmp_path / "leaves", checksum)
    for key in ("rows", "classes", "moments"):
        assert np.array_equal(getattr(again, key), getattr(features, key))
    assert again.n == 60 and len(again.rows) == stored.ROWS and again.rows.dtype == np.float16


def test_the_simple_numbers_come_back() -> None:
    assert sample().simple == SIMPLE_TOLD
    assert len(sample().simple.vector()) == len(SIMPLE)


def test_moments_are_those_of_all_samples() -> None:
    fingerprint = told()
    features = Features.of(fingerprint)
    assert np.allclose(features.moments, moments(fingerprint.features), rtol=2e-3, atol=1e-3)
    assert np.allclose(features.moment("mean"), fingerprint.features.mean(axis=0), rtol=2e-3, atol=1e-3)
    assert np.allclose(features.moment("sd"), fingerprint.features.std(axis=0, ddof=1), rtol=2e-3, atol=1e-3)


def test_writing_the_same_again_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "leaves"
    stored.write(folder, sample(), Features.of(told()))
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    stored.write(folder, sample(), Features.of(told()))
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_an_entry_never_changes(tmp_path: Path) -> None:
    stored.write(tmp_path / "leaves", sample(), Features.of(told()))
    for prior, features in ((sample(landmarks={"a": 0.5}), told()), (sample(), told(seed=1))):
        with pytest.raises(BadInput, match="never change"):
            stored.write(tmp_path / "leaves", prior, Features.of(features))
    assert stored.read(tmp_path / "leaves")[0] == sample()


def test_a_prior_may_have_no_features(tmp_path: Path) -> None:
    stored.write(tmp_path / "leaves", sample(), None)
    assert stored.read(tmp_path / "leaves")[2] == ""
    assert not (tmp_path / "leaves" / stored.FEATURES).exists()


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "..", "a b", "x" * 101, "ü", "-x", "a\n"])
def test_a_name_that_could_leave_the_folder_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="cannot name a prior"):
        Prior(name, "source")


@pytest.mark.parametrize(
    "change",
    [
        {"source": " "}, {"kind": "sound"}, {"labels": "none"}, {"classes": -1}, {"pixels": float("nan")},
        {"samples": True}, {"landmarks": {"a": float("inf")}}, {"licence": None},
    ],
)  # fmt: skip
def test_what_describes_nothing_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="prior leaves"):
        Prior(**({"name": "leaves", "source": "herbarium"} | change))  # type: ignore[arg-type]


def test_features_that_do_not_fit_are_refused() -> None:
    good = Features.of(told(8))
    for rows, classes, numbers, n in (
        (good.rows, good.classes[:-1], good.moments, 8),
        (good.rows, good.classes, good.moments[:-1], 8),
        (good.rows, good.classes, good.moments, 7),
        (np.full_like(good.rows, np.nan), good.classes, good.moments, 8),
    ):
        with pytest.raises(BadInput, match=r"fit|finite"):
            Features(rows, classes, numbers, n)


def test_every_changed_byte_of_an_entry_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "leaves"
    stored.write(folder, sample(), Features.of(told(4)))
    path, checksum = folder / stored.DESCRIPTION, stored.read(folder)[2]
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            read = stored.read(folder)
        except BadInput as error:
            assert str(path) in str(error)
        else:  # blanks between values do not count
            assert read[0] == sample() and whole[at : at + 1].isspace()
    path.write_bytes(whole)
    tensors = folder / stored.FEATURES
    content = tensors.read_bytes()
    tensors.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BadInput, match="do not have the checksum"):
        stored.read_features(folder, checksum)


def test_a_moved_or_missing_entry_is_named(tmp_path: Path) -> None:
    stored.write(tmp_path / "leaves", sample(), None)
    (tmp_path / "leaves").rename(tmp_path / "other")
    with pytest.raises(BadInput, match="other"):
        stored.read(tmp_path / "other")
    with pytest.raises(BadInput, match="cannot be read"):
        stored.read(tmp_path / "nothing")
    with pytest.raises(BadInput, match="cannot be read"):
        stored.read_features(tmp_path / "other", "0" * 64)


def test_an_entry_of_another_format_says_so(tmp_path: Path) -> None:
    stored.write(tmp_path / "leaves", sample(), None)
    path = tmp_path / "leaves" / stored.DESCRIPTION
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 9}))
    with pytest.raises(BadInput, match="update headstart"):
        stored.read(tmp_path / "leaves")


def test_a_copy_is_the_same_byte_for_byte_and_damage_is_not_copied(tmp_path: Path) -> None:
    stored.write(tmp_path / "a" / "leaves", sample(), Features.of(told()))
    (tmp_path / "b" / "leaves").mkdir(parents=True)
    stored.copy(tmp_path / "a" / "leaves", tmp_path / "b" / "leaves")
    for name in (stored.DESCRIPTION, stored.FEATURES):
        assert (tmp_path / "a" / "leaves" / name).read_bytes() == (
            tmp_path / "b" / "leaves" / name
        ).read_bytes()
    (tmp_path / "a" / "leaves" / stored.FEATURES).write_bytes(b"")
    with pytest.raises(BadInput, match="damaged"):
        stored.copy(tmp_path / "a" / "leaves", tmp_path / "b" / "leaves")
