"""HeadstartClassifier keeps scikit-learn's rules, and takes what people have: paths, images, arrays, tables."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from conftest import MakeFolder, draw
from headstart.errors import BadModel
from headstart.words.config import Config, Stage

pytest.importorskip("sklearn", minversion="1.6")

from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import check_estimator

from headstart.estimator import HeadstartClassifier

CONFIG = Config(stages=(Stage("pixels", 32, ("rgb16",)),), precision="fp32")

PASSED_OVER = {
    "check_pipeline_consistency": "two fits differ a little, as what there is time for differs",
    "check_classifier_data_not_an_array": "the same: left out where two fits happened to differ",
    "check_array_api_input": "runs only where SCIPY_ARRAY_API is set; arrays of other libraries become numpy",
    "check_classifiers_multilabel_output_format_decision_function": "there are posteriors, no decision function",
}
"""Checks that scikit-learn leaves out by itself, and why; all others pass. Also in docs/estimator.md."""


def quick(**options: Any) -> HeadstartClassifier:
    """Raw pixels only, in the calling thread: takes a fraction of a second."""
    return HeadstartClassifier(**{"budget": 20, "config": CONFIG, "workers": 0, **options})


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore"
)  # the tables of the checks are no pictures, and some checks ask for warnings
def test_scikit_learn_is_content() -> None:
    told = check_estimator(quick(), on_fail=None, on_skip=None)
    failed = {check["check_name"]: check["exception"] for check in told if check["status"] == "failed"}
    skipped = {check["check_name"] for check in told if check["status"] == "skipped"}
    assert not failed
    assert skipped <= PASSED_OVER.keys()
    assert sum(check["status"] == "passed" for check in told) > 40


@pytest.fixture(scope="module")
def pictures() -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """Sixty pictures of three classes: uint8 [60, 24, 24, 3] and their names."""
    labels = np.arange(60) % 3
    some = np.stack([np.asarray(draw(int(label), n, 24)) for n, label in enumerate(labels)])
    return some, np.array(["ash", "birch", "cedar"])[labels]


def alike(one: NDArray[np.float64], other: NDArray[np.float64]) -> None:
    """Posteriors of two fits: which solves there was time for differs a little."""
    np.testing.assert_allclose(one, other, atol=0.02)


def files(folder: Path) -> tuple[list[str], list[str]]:
    paths = sorted(str(path) for path in folder.glob("*/*.png"))
    return paths, [Path(path).parent.name for path in paths]


def test_paths(make_folder: MakeFolder) -> None:
    paths, labels = files(make_folder(3, 12))
    classifier = quick().fit(paths, labels)
    assert classifier.classes_.tolist() == ["shape_0", "shape_1", "shape_2"]
    assert classifier.score(paths, labels) > 0.9
    assert classifier.predict([Path(paths[0])]).tolist() == ["shape_0"]
    posteriors = classifier.predict_proba(paths)
    assert posteriors.shape == (36, 3) and posteriors.dtype == np.float64
    np.testing.assert_allclose(posteriors.sum(1), 1)
    assert not hasattr(classifier, "n_features_in_") and classifier.range_ is None
    assert classifier.skipped_ == [] and classifier.model_.path is None


def test_every_form_of_the_same_pictures_gives_the_same(
    pictures: tuple[NDArray[np.uint8], NDArray[np.str_]], tmp_path: Path
) -> None:
    some, labels = pictures
    paths = [str(tmp_path / f"{n}.png") for n in range(len(some))]
    for path, picture in zip(paths, some, strict=True):
        Image.fromarray(picture).save(path)
    classifier = quick().fit(some, labels)
    expected = classifier.predict_proba(some)
    assert (classifier.predict(some) == labels).mean() > 0.9
    for form in (list(some), [Image.fromarray(picture) for picture in some], paths, np.array(paths, object)):
        np.testing.assert_array_equal(classifier.predict_proba(form), expected)
        alike(quick().fit(form, labels.tolist()).predict_proba(some), expected)


@pytest.mark.parametrize(
    "classes",
    [
        ["b", "a", "c"],
        [10, 2, 3],
        [True, False],
        np.array([3, 200, 7], np.uint8),
        np.array(["x", "y"], object),
    ],
)
def test_classes_keep_their_type_and_order(pictures: tuple[NDArray[np.uint8], Any], classes: Any) -> None:
    names = np.asarray(classes)
    labels = names[np.arange(30) % len(names)]
    classifier = quick().fit(pictures[0][:30], labels)
    assert classifier.classes_.dtype == labels.dtype
    assert classifier.classes_.tolist() == sorted(names.tolist())
    assert classifier.predict(pictures[0][:3]).dtype == labels.dtype


def test_digits_as_a_table_and_as_pictures_are_the_same() -> None:
    digits = load_digits()
    rows, labels = digits.data[:300], digits.target[:300]
    classifier = quick().fit(rows, labels)
    assert classifier.n_features_in_ == 64 and classifier.range_ == (0.0, 16.0)
    assert classifier.score(digits.data[300:600], digits.target[300:600]) > 0.8
    expected = classifier.predict_proba(digits.data[300:400])
    shaped = quick(shape=(8, 8)).fit(rows, labels)
    squares = quick().fit(digits.images[:300], labels)
    listed = quick().fit(list(digits.images[:300]), labels)
    alike(shaped.predict_proba(digits.data[300:400]), expected)
    for other in (squares, listed):
        assert other.range_ == (0.0, 16.0)
        got = other.predict_proba(digits.images[300:400])
        alike(got, expected)
        np.testing.assert_array_equal(other.predict_proba(list(digits.images[300:400])), got)


def test_rows_can_be_colour_pictures(pictures: tuple[NDArray[np.uint8], Any]) -> None:
    some, labels = pictures
    rows = some.reshape(len(some), -1)
    classifier = quick(shape=(24, 24, 3)).fit(rows, labels)
    np.testing.assert_array_equal(classifier.predict(rows), quick().fit(some, labels).predict(some))
    with pytest.warns(UserWarning, match="1728 numbers are no square pictures"):
        laid_out = quick().fit(rows, labels)
    assert laid_out.score(rows, labels) > 0.5  # and no warning again
    for shape in ((24, 24), (1728,), (2, 2, 2, 216)):
        with pytest.raises(ValueError, match="no picture of 1728 numbers"):
            quick(shape=shape).fit(rows, labels)


def test_a_table_and_pictures_are_not_mixed_up(pictures: tuple[NDArray[np.uint8], Any]) -> None:
    some, labels = pictures
    grey = some[..., 0]
    table, whole = grey.reshape(len(grey), -1), quick().fit(grey, labels)
    with pytest.raises(ValueError, match="fitted on pictures"):
        whole.predict(table)
    whole.fit(table, labels)
    with pytest.raises(ValueError, match="fitted on rows of 576 numbers"):
        whole.predict(grey)
    whole.fit(grey, labels)
    assert not hasattr(whole, "n_features_in_")
    with pytest.raises(ValueError, match="only one class"):
        whole.fit(grey, ["a"] * len(grey))
    with pytest.raises(NotFittedError):  # nothing of the fits before is left
        pickle.loads(pickle.dumps(whole)).predict(grey)


def test_a_picture_that_cannot_be_read(pictures: tuple[NDArray[np.uint8], Any], tmp_path: Path) -> None:
    some, labels = pictures
    items: list[Any] = list(some)
    items[7], items[9] = np.zeros((4, 4, 2)), str(tmp_path / "gone.png")
    classifier = quick()
    with pytest.warns(UserWarning, match=r"2 of 60 pictures could not be used"):
        classifier.fit(items, labels)
    assert sorted(skipped.reason for skipped in classifier.skipped_)[1] == "no such file"
    assert classifier.score(some, labels) > 0.9
    with pytest.raises(ValueError, match=r"picture 2 of X cannot be used: .*gone\.png: no such file"):
        classifier.predict([some[0], some[1], items[9], items[7]])
    with pytest.raises(ValueError, match=r"picture 0 of X cannot be used: memory:0:\w+: holds NaN"):
        classifier.predict([np.full((4, 4), np.nan)])
    with pytest.raises(ValueError, match="NaN"):
        classifier.predict(np.full((1, 8, 8), np.nan))


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        ("folder", ["a"], "one item"),
        (["a.png", "b.png"], None, "requires y"),
        (["a.png", "b.png"], ["a"], "inconsistent numbers of samples"),
        (["a.png", "b.png"], ["a", "a"], "only one class"),
        (["a.png", "b.png"], ["a", None], "label 1 is None"),
        (["a.png", "b.png"], [0.5, 1.2], "continuous"),
        ([], [], "0 sample"),
        (np.zeros((2, 3, 8, 9)), [0, 1], "channels come last"),
        (np.zeros((480, 640, 3)), [0, 1] * 240, "one picture"),
        ({"a": 1, "b": 2}, [0, 1], "type dict"),
    ],
)
def test_what_cannot_be_learnt_from_is_a_value_error(X: Any, y: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        quick().fit(X, y)


def test_budgets(pictures: tuple[NDArray[np.uint8], Any]) -> None:
    for budget, words in (
        ("soon", "budget"),
        (-1, "budget"),
        (1e-6, "ended before a first prediction: give more time"),
    ):
        with pytest.raises(ValueError, match=words):
            quick(budget=budget).fit(*pictures)
    assert quick(budget="20s").fit(*pictures).score(*pictures) > 0.9


def test_nothing_is_predicted_before_fit() -> None:
    with pytest.raises(NotFittedError):
        quick().predict(["a.png"])


def test_a_pickle_predicts_without_any_folder(
    pictures: tuple[NDArray[np.uint8], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    some, labels = pictures
    classifier = quick().fit(some, labels)
    assert list(tmp_path.iterdir()) == []
    expected = classifier.predict_proba(some)
    content = pickle.dumps(classifier)
    for other in (pickle.loads(content), copy.deepcopy(classifier), copy.deepcopy(pickle.loads(content))):
        np.testing.assert_array_equal(other.predict_proba(some), expected)
        assert other.get_params() == classifier.get_params()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "kept.pkl").write_bytes(content)
    np.save(tmp_path / "some.npy", some)
    code = (
        "import pickle, sys, numpy; c = pickle.load(open(sys.argv[1], 'rb'));"
        "numpy.save(sys.argv[3], c.predict_proba(numpy.load(sys.argv[2])))"
    )
    names = [str(tmp_path / name) for name in ("kept.pkl", "some.npy", "told.npy")]
    subprocess.run([sys.executable, "-c", code, *names], check=True)
    np.testing.assert_allclose(np.load(names[2]), expected, atol=1e-6)


def test_a_damaged_pickle_says_so(pictures: tuple[NDArray[np.uint8], Any]) -> None:
    classifier = quick().fit(*pictures)
    (name,) = (name for name in classifier._files if name.startswith("tensors-"))
    whole = classifier._files[name]
    classifier._files[name] = whole[:-1] + bytes([whole[-1] ^ 1])
    with pytest.raises(BadModel, match="checksum"):
        pickle.loads(pickle.dumps(classifier))


def test_a_run_folder_stays_and_a_pickle_does_not_need_it(
    pictures: tuple[NDArray[np.uint8], Any], tmp_path: Path
) -> None:
    some, labels = pictures
    out = tmp_path / "run"
    classifier = quick(out=out, random_state=7).fit(some, labels)
    assert classifier.model_.path == out
    told = json.loads((out / "run.json").read_text())
    again = quick(out=str(out), random_state=np.random.RandomState(7)).fit(some, labels)
    assert (
        json.loads((out / "run.json").read_text())["config"]["seed"] == told["config"]["seed"] != CONFIG.seed
    )
    alike(again.predict_proba(some), classifier.predict_proba(some))
    content = pickle.dumps(again)
    expected = again.predict_proba(some)
    out.rename(tmp_path / "elsewhere")
    np.testing.assert_array_equal(pickle.loads(content).predict_proba(some), expected)


def test_clones_and_searches(make_folder: MakeFolder) -> None:
    paths, labels = files(make_folder(2, 12))
    fitted = quick(shape=(1, 2)).fit(paths, labels)
    fresh = clone(fitted)
    assert fresh.get_params() == fitted.get_params() and not hasattr(fresh, "model_")
    assert fresh.set_params(budget="1h").budget == "1h"
    assert cross_val_score(quick(), paths, labels, cv=2).min() > 0.8
    search = GridSearchCV(quick(), {"random_state": [0, 1]}, cv=2).fit(paths, labels)
    assert search.best_score_ > 0.8 and search.predict(paths[:1]).tolist() == labels[:1]


def test_several_classes_per_picture() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, (80, 3))
    some = np.full((80, 24, 24, 3), 40, np.uint8)
    for n, row in enumerate(y):
        for place in np.flatnonzero(row):
            some[n, place * 8 : place * 8 + 8, :, place] = rng.integers(180, 250)
    classifier = quick().fit(some[:60], y[:60])
    assert classifier.classes_.tolist() == [0, 1, 2]
    predicted = classifier.predict(some)
    assert predicted.shape == y.shape and (predicted == y).mean() > 0.9
    assert classifier.predict_proba(some).shape == y.shape
    assert pickle.loads(pickle.dumps(classifier)).predict(some).tolist() == predicted.tolist()


@pytest.mark.slow
def test_digits_with_the_default_configuration() -> None:
    digits = load_digits()
    classifier = HeadstartClassifier(10, workers=2).fit(digits.data[:1200], digits.target[:1200])
    assert classifier.score(digits.data[1500:], digits.target[1500:]) > 0.95
