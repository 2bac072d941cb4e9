"""16 x 16 pixels, no network: scaled logistic regression or 300 extremely randomised trees; one prediction."""

from __future__ import annotations

import warnings

import numpy as np

from benchmarks.learners.lda import Array
from benchmarks.learners.pictures import load_all
from benchmarks.learners.protocol import Labels, Matrix, Publisher, labelled, parser, unlabelled


def tiny(paths: list[str]) -> Matrix:
    """16 x 16 pixels as numbers from 0 to 1, float32 [n, 768]."""
    return load_all(paths, 16).reshape(len(paths), -1).astype(np.float32) / np.float32(255)


def lr(train: Matrix, targets: Labels, classes: int, test: Matrix) -> Array:
    """StandardScaler and LogisticRegression as it comes: float64 [m, classes]."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(train, targets)
    return _spread(model.predict_proba(test), model.classes_, classes)


def trees(train: Matrix, targets: Labels, classes: int, test: Matrix, seed: int = 0) -> Array:
    """ExtraTrees with 300 trees: float64 [m, classes]."""
    from sklearn.ensemble import ExtraTreesClassifier

    model = ExtraTreesClassifier(300, n_jobs=1, random_state=seed).fit(train, targets)
    return _spread(model.predict_proba(test), model.classes_, classes)


def _spread(found: Array, known: Labels, classes: int) -> Array:
    result = np.zeros((len(found), classes))
    result[:, known] = found
    return result


def main() -> None:
    given = parser(__doc__ or "")
    given.add_argument("--head", choices=("lr", "trees"), required=True)
    chosen = given.parse_args()
    files, targets, classes = labelled(chosen.train)
    tests = unlabelled(chosen.test)
    publisher = Publisher(chosen.out, chosen.test, tests, classes)
    train, test = (tiny(paths) for paths in (files, tests))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "as it comes" stops after 100 iterations
        if chosen.head == "lr":
            publisher.publish(lr(train, targets, len(classes), test))
        else:
            publisher.publish(trees(train, targets, len(classes), test, chosen.seed))
    publisher.save()


if __name__ == "__main__":
    main()
