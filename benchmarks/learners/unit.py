"""Pooled features of unit length of the bundled network, then nearest neighbours or LogisticRegression."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.learners.features import Extractor
from benchmarks.learners.protocol import Publisher, labelled, parser, unlabelled

_NEIGHBOURS, _STRENGTH = 5, 100


def main() -> None:
    given = parser(__doc__ or "")
    given.add_argument("--head", choices=("knn", "lr"), required=True)
    given.add_argument("--pixels", type=int, default=128)
    chosen = given.parse_args()
    files, targets, classes = labelled(chosen.train)
    tests = unlabelled(chosen.test)
    extract = Extractor()
    train, test = extract(files, chosen.pixels)[0], extract(tests, chosen.pixels)[0]
    if chosen.head == "knn":
        near = min(_NEIGHBOURS, len(files))
        model = KNeighborsClassifier(near, weights="distance", metric="cosine")
    else:
        model = LogisticRegression(C=_STRENGTH, max_iter=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(train, targets)
    prediction = np.zeros((len(tests), len(classes)))
    prediction[:, model.classes_] = model.predict_proba(test)
    publisher = Publisher(chosen.out, chosen.test, tests, classes)
    publisher.publish(prediction)
    publisher.save()


if __name__ == "__main__":
    main()
