"""Only how things move: dense optical flow (Farneback) in cells and thirds of the time, and a linear model."""

from __future__ import annotations

import warnings
from itertools import pairwise

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.learners.protocol import Publisher, labelled, parser, unlabelled

_SIDE, _CELLS, _SPANS = 64, 3, 3


def features(path: str) -> NDArray[np.float64]:
    """Mean and mean absolute flow of each cell in each third of the clip."""
    with av.open(path) as container:
        grey = [frame.reformat(_SIDE, _SIDE, "gray").to_ndarray() for frame in container.decode(video=0)]
    pairs = pairwise(grey)
    fields = [cv2.calcOpticalFlowFarneback(a, b, None, 0.5, 2, 13, 2, 5, 1.1, 0) for a, b in pairs]
    found = []
    for span in np.array_split(np.array(fields), _SPANS):
        for rows in np.array_split(span, _CELLS, axis=1):
            for cell in np.array_split(rows, _CELLS, axis=2):
                found += [cell.mean(axis=(0, 1, 2)), np.abs(cell).mean(axis=(0, 1, 2))]
    return np.concatenate(found)


def main() -> None:
    chosen = parser(__doc__ or "").parse_args()
    files, targets, classes = labelled(chosen.train)
    tests = unlabelled(chosen.test)
    train, test = (np.stack([features(path) for path in paths]) for paths in (files, tests))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(train, targets)
    publisher = Publisher(chosen.out, chosen.test, tests, classes)
    publisher.publish(model.predict_proba(test))
    publisher.save()


if __name__ == "__main__":
    main()
