"""What a good practitioner writes by hand: pooled features in torch, length 1, LogisticRegression; one prediction."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.learners.network import pooled, pretrained
from benchmarks.learners.protocol import Publisher, labelled, network_options, parser, unlabelled


def main() -> None:
    given = network_options(parser(__doc__ or ""))
    given.add_argument("-C", type=float, required=True)
    chosen = given.parse_args()
    files, targets, classes = labelled(chosen.train)
    tests = unlabelled(chosen.test)
    network = pretrained(chosen.weights, chosen.package)
    train, test = (pooled(network, paths, chosen.pixels) for paths in (files, tests))
    train, test = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9) for x in (train, test))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(C=chosen.C, max_iter=1000).fit(train, targets)
    prediction = np.zeros((len(tests), len(classes)))
    prediction[:, model.classes_] = model.predict_proba(test)
    publisher = Publisher(chosen.out, chosen.test, tests, classes)
    publisher.publish(prediction)
    publisher.save()


if __name__ == "__main__":
    main()
