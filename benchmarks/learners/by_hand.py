"""What a practitioner writes for clips and for several labels: features in torch, averaged, LogisticRegression."""

from __future__ import annotations

import warnings

import av
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from benchmarks.learners.network import pretrained, scaled
from benchmarks.learners.pictures import load
from benchmarks.learners.protocol import Publisher, labelled, network_options, parser, unlabelled

_FRAMES = 8


def frames(path: str, pixels: int) -> NDArray[np.uint8]:
    """Evenly spaced frames of a video, or the one picture: uint8 [m, pixels, pixels, 3]."""
    if not path.endswith((".mp4", ".avi", ".mkv", ".mov", ".webm")):
        return load(path, pixels)[None]
    with av.open(path) as container:
        every = [frame.to_image() for frame in container.decode(video=0)]
    places = np.unique(np.linspace(0, len(every) - 1, _FRAMES).astype(int))
    squares = [every[place].resize((pixels, pixels), Image.Resampling.BILINEAR) for place in places]
    return np.stack([np.asarray(square) for square in squares])


def main() -> None:
    chosen = network_options(parser(__doc__ or "")).parse_args()
    files, targets, classes = labelled(chosen.train)
    tests = unlabelled(chosen.test)
    network = pretrained(chosen.weights, chosen.package)
    network.eval()
    features = []
    with torch.inference_mode():
        for path in [*files, *tests]:
            maps = network.extract_features(scaled(frames(path, chosen.pixels)))
            features.append(maps.mean((0, 2, 3)).numpy())
    whole = np.stack(features)
    whole /= np.maximum(np.linalg.norm(whole, axis=1, keepdims=True), 1e-9)
    model = LogisticRegression(C=100, max_iter=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        several = OneVsRestClassifier(model) if targets.ndim == 2 else model
        several.fit(whole[: len(files)], targets)
    publisher = Publisher(chosen.out, chosen.test, tests, classes)
    publisher.publish(several.predict_proba(whole[len(files) :]))
    publisher.save()


if __name__ == "__main__":
    main()
