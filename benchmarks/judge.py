"""The only part that knows the labels of the test split: hides them from the learners, and scores what they say."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.learners.protocol import LIST, PUBLISHED, labelled, listed
from headstart.words.scoring import alc, late, score

BUDGET = 1200.0
_SHUFFLE = 20190508


@dataclass(frozen=True)
class Verdict:
    """What the curve of one run is worth. Times in CPU seconds since the process started.

    right: of the final prediction, the share of files with the right class; of files with several labels the
    mean average precision of the labels that occur.
    """

    seconds: list[float]
    scores: list[float]
    first_seconds: float
    first_score: float
    last_seconds: float
    final: float
    right: float
    alc60: float
    alc20: float
    late: int


def hide_labels(test: Path, out: Path) -> tuple[Path, Path]:
    """A copy of a test split without class folders, in random order under numbers; and the file of its labels.

    Made once, so that all learners get the same files.
    """
    images, truth = out / "test", out / "truth.json"
    if truth.exists():
        return images, truth
    if (test / LIST).exists():
        files, said = zip(*listed(test), strict=True)
    else:
        files, targets, classes = labelled(test)
        said = [[classes[target]] for target in targets]
    shutil.rmtree(images, ignore_errors=True)
    images.mkdir(parents=True)
    known = {}
    for number, place in enumerate(np.random.default_rng(_SHUFFLE).permutation(len(files))):
        source = Path(files[place])
        name = f"{number:06d}{source.suffix}"
        shutil.copyfile(source, images / name)
        known[name] = said[place]
    truth.write_text(json.dumps(known))
    return images, truth


def verdict(out: Path, truth: Path) -> Verdict:
    """Scores every prediction that a learner left in `out`. Raises ValueError when there is none, or one is odd."""
    labels: dict[str, list[str]] = json.loads(truth.read_text())
    with np.load(out / PUBLISHED) as found:
        files, classes = found["files"].tolist(), found["classes"].tolist()
        seconds, predictions = found["seconds"].tolist(), found["predictions"]
    if sorted(files) != sorted(labels):
        raise ValueError("the predictions are not for the files of the test split")
    if not seconds:
        raise ValueError("no prediction was published")
    wanted = np.array([[column in labels[name] for column in classes] for name in files], np.uint8)
    scores = [score(wanted, prediction) for prediction in predictions]
    in_time = len(seconds) - late(seconds, BUDGET)
    return Verdict(
        [round(t, 3) for t in seconds],
        [round(s, 5) for s in scores],
        seconds[0],
        scores[0],
        seconds[in_time - 1] if in_time else seconds[0],
        scores[in_time - 1] if in_time else 0.0,
        right(wanted, predictions[in_time - 1]) if in_time else 0.0,
        alc(seconds, scores, BUDGET, 60.0),
        alc(seconds, scores, BUDGET, 20.0),
        len(seconds) - in_time,
    )


def right(wanted: NDArray[np.uint8], prediction: NDArray[np.float32]) -> float:
    """Accuracy, or mean average precision: [files, classes] each."""
    if (wanted.sum(axis=1) == 1).all():
        return float(wanted[np.arange(len(wanted)), prediction.argmax(axis=1)].mean())
    precisions = []
    for truth, given in zip(wanted.T, prediction.T, strict=True):
        if truth.any():
            hits = truth[np.argsort(-given, kind="stable")]
            reached = np.cumsum(hits) / np.arange(1, len(hits) + 1)
            precisions.append(float(reached[hits > 0].mean()))
    return float(np.mean(precisions))


def as_json(found: Verdict) -> dict[str, object]:
    """For the file of the run."""
    return asdict(found)
