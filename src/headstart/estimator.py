"""headstart as a scikit-learn classifier. The only file that loads scikit-learn (`pip install headstart[sklearn]`)."""

from __future__ import annotations

import math
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from numbers import Number
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_array, check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from headstart import api
from headstart import model as models
from headstart.data.arrays import encode, items
from headstart.data.levels import is_numeric, laid_out, levels, limits
from headstart.errors import BadInput
from headstart.methods import Method
from headstart.model import Model
from headstart.store.run import RunFolder
from headstart.store.snapshot import MODEL_FILE
from headstart.words.config import Config

_FITTED = ("n_features_in_", "feature_names_in_", "classes_", "range_", "skipped_", "model_", "_files")


class HeadstartClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The best image classifier that a time budget allows, with the interface of scikit-learn.

    budget: of one `fit`: "90s", "20m", "1h" or seconds. A fit that has nothing left to improve ends earlier.
    out: the run folder, which stays and which a later fit on the same pictures goes on from; None = a
        temporary one that is gone after the fit.
    config: what to compute (`headstart.Config`); None = decided from the data.
    method: "anytime", "frozen" or "transfer", as in `headstart.fit`.
    workers: threads that compute features; None = one per core, 0 = the calling thread.
    random_state: seed of folds and order; None = that of `config`.
    shape: of the picture in a row of a table X: (height, width) or (height, width, channels); None = square.

    X is a list of paths, PIL images or arrays; an array of pictures [n, h, w] or [n, h, w, c]; or a table
    [n, d] of which each row is a picture. y is one class per sample, or an indicator of 0 and 1 [n, classes].
    See docs/estimator.md for how numbers become pixels.

    After `fit`: `classes_` (in the type of y; 0, 1, ... for an indicator), `model_` (headstart.Model),
    `range_` (the numbers that became black and white, or None), `skipped_` (training items that could not be
    read), and for tables `n_features_in_`, `feature_names_in_`.
    """

    def __init__(
        self,
        budget: str | float = "20m",
        *,
        out: str | os.PathLike[str] | None = None,
        config: Config | None = None,
        method: Method = "anytime",
        workers: int | None = None,
        random_state: Any = None,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        self.budget = budget
        self.out = out
        self.config = config
        self.method = method
        self.workers = workers
        self.random_state = random_state
        self.shape = shape

    def fit(self, X: Any, y: Any) -> HeadstartClassifier:
        """Learn from pictures X and their classes y. Raises ValueError for what cannot be learnt from."""
        self._forget()
        X = _given(X)
        self._table = _is_table(X)
        with _value_errors():
            if self._table:
                X, y = validate_data(self, X, y, multi_output=True)
            else:
                X, y = _checked(X), _labels(self, y)
            check_consistent_length(X, y)
            if y.ndim == 2 and y.shape[1] == 1:
                y = column_or_1d(y, warn=True)
            with suppress(TypeError):  # labels of several types cannot be sorted: encode says which they are
                check_classification_targets(y)
            _, self.classes_, self._kind = encode(y, y.shape[0])
            self.range_ = limits(X, self._table)
            if self._table and self.shape is None and math.isqrt(X.shape[1]) ** 2 != X.shape[1]:
                warnings.warn(
                    f"rows of {X.shape[1]} numbers are no square pictures, and were laid out as if they were: "
                    "give shape=(height, width) or (height, width, 3) if they are pictures",
                    stacklevel=2,
                )
            self._run(self._pictures(X), y)
        return self

    def _forget(self) -> None:
        """What an earlier fit on another kind of X has left."""
        for name in _FITTED:
            self.__dict__.pop(name, None)

    def _run(self, pictures: Any, y: Any) -> None:
        place: Any = nullcontext(self.out)
        if self.out is None:
            place = tempfile.TemporaryDirectory(prefix="headstart-")
        with place as out:
            model = api.fit(
                pictures,
                self.budget,
                out,
                labels=y,
                config=self.config,
                method=self.method,
                workers=self.workers,
                seed=self._seed(),
            )
            self._files = _files(Path(out) / "model")
            self.skipped_ = RunFolder.open(Path(out), exclusive=False).read_skipped()
        self.model_ = model if self.out is not None else replace(model, path=None)
        if self.skipped_:
            first = self.skipped_[0]
            warnings.warn(
                f"{len(self.skipped_)} of {y.shape[0]} pictures could not be used (see skipped_), the first of them "
                f"{first.path}: {first.reason}",
                stacklevel=3,
            )

    def _seed(self) -> int | None:
        if self.random_state is None:
            return None
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _pictures(self, X: Any) -> Any:
        """X as what `headstart.fit` takes, numbers as uint8."""
        if self._table:
            return laid_out(levels(X, self.range_), self.shape)
        if isinstance(X, np.ndarray):
            return levels(X, self.range_)
        return [levels(np.asarray(item), self.range_) if is_numeric(item) else item for item in X]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """How probable each class is, float64 [n, classes]; rows add up to 1 unless y was an indicator.

        Raises ValueError where a picture cannot be read: scikit-learn knows no missing predictions.
        """
        check_is_fitted(self)
        X = _given(X)
        if _is_table(X) != self._table:
            known = (
                f"rows of {self.n_features_in_} numbers"
                if self._table
                else "pictures, not on rows of numbers"
            )
            raise ValueError(f"X is of another kind than in fit: this classifier was fitted on {known}")
        with _value_errors():
            X = validate_data(self, X, reset=False) if self._table else _checked(X)
            posteriors, skipped = self.model_.posteriors(self._pictures(X))
        bad = np.flatnonzero(np.isnan(posteriors).any(axis=1))
        if len(bad):
            raise ValueError(f"picture {bad[0]} of X cannot be used: {skipped[0].path}: {skipped[0].reason}")
        result = posteriors.astype(np.float64)
        return result if self._kind == "multi" else result / result.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each picture [n]; for an indicator 0 and 1 [n, classes].

        A class gets a 1 from the threshold on that fit found for it on held-out samples.
        """
        posteriors = self.predict_proba(X)
        if self._kind == "multi":
            thresholds = self.model_.thresholds
            return (posteriors >= (0.5 if thresholds is None else thresholds)).astype(np.int64)
        predicted: NDArray[Any] = self.classes_[posteriors.argmax(axis=1)]
        return predicted

    def __getstate__(self) -> dict[str, Any]:
        """The published files stand for the model, so that checksums and weights are checked when it comes back."""
        state = dict(super().__getstate__())
        state.pop("model_", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_files" in state:
            self.model_ = _loaded(self._files)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True  # paths
        tags.non_deterministic = True  # what a time budget allows differs from run to run
        return tags


@contextmanager
def _value_errors() -> Iterator[None]:
    """scikit-learn expects ValueError where headstart says BadInput."""
    try:
        yield
    except BadInput as error:
        raise ValueError(str(error)) from error


def _labels(estimator: HeadstartClassifier, y: Any) -> NDArray[Any]:
    if y is None:
        raise ValueError(f"{type(estimator).__name__} requires y to be passed, but the target y is None")
    labels: NDArray[Any] = check_array(
        y, accept_sparse="csr", ensure_2d=False, dtype=None, input_name="y", estimator=estimator
    )
    return labels


def _is_table(X: Any) -> bool:
    """Whether X is meant as rows of numbers; scikit-learn then checks it."""
    dimensions = getattr(X, "ndim", None)
    if dimensions is not None:
        return dimensions == 2 or (
            dimensions < 2 and getattr(getattr(X, "dtype", None), "kind", "O") in "buifc"
        )
    if not isinstance(X, (list, tuple)) or not X:
        return False
    first = X[0]
    if isinstance(first, (Number, list, tuple)):
        return True
    return hasattr(first, "__array__") and not isinstance(first, (str, Image.Image)) and np.ndim(first) < 2


def _given(X: Any) -> Any:
    """What only turns into an array as an array; all else as it is."""
    return np.asarray(X) if hasattr(X, "__array__") and not hasattr(X, "ndim") else X


def _checked(X: Any) -> list[Any] | NDArray[Any]:
    """Pictures as one finite array, if they are one, or as a list of items."""
    found = items(X)
    return (
        check_array(found, allow_nd=True, dtype=None, input_name="X")
        if isinstance(found, np.ndarray)
        else found
    )


def _files(folder: Path) -> dict[str, bytes]:
    """The files of a published model, without the tensors of the one before it."""
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    index = found[MODEL_FILE]
    return {name: found[name] for name in found if not name.startswith("tensors-") or name.encode() in index}


def _loaded(files: dict[str, bytes]) -> Model:
    with tempfile.TemporaryDirectory(prefix="headstart-") as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        return replace(models.load(folder), path=None)
