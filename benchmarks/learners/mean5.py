"""The mean of the five best of 21 candidates by evidence from random folds of the training split; one prediction.

Candidates: discriminants on the pooled head (h), d10 (d) and both (b) at 64, 128 and 224 px, and on b of two
resolutions side by side; logistic regression (C = 1, 30) on h and b at 128 and 224 px; logistic regression
and extra trees on 16 x 16 pixels.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

import numpy as np

from benchmarks.learners import lda
from benchmarks.learners.features import Extractor
from benchmarks.learners.lda import Array
from benchmarks.learners.pixels import lr, tiny, trees
from benchmarks.learners.protocol import Labels, Matrix, Publisher, labelled, parser, unlabelled
from headstart.words.scoring import score

Head = Callable[[Matrix, Labels, int, Matrix], Array]
Candidate = tuple[str, Head, Matrix, Matrix]
SIZES, BEST, FOLDS = (64, 128, 224), 5, 5


def logistic(train: Matrix, targets: Labels, classes: int, test: Matrix, strength: float) -> Array:
    """Multinomial logistic regression, C = strength."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=200).fit(train, targets)
    result = np.zeros((len(test), classes))
    result[:, model.classes_] = model.predict_proba(test)
    return result


def coordinates(train: Matrix, test: Matrix) -> tuple[Matrix, Matrix]:
    """The same inner products in as few numbers as there are samples: all heads here need no more."""
    if len(train) >= train.shape[1]:
        return train, test
    wide = train.astype(np.float64)
    values, vectors = np.linalg.eigh(wide @ wide.T)
    kept = values > 1e-9 * values[-1]
    values, vectors = values[kept], vectors[:, kept]
    turned = (test.astype(np.float64) @ wide.T) @ vectors / np.sqrt(values)
    return (vectors * np.sqrt(values)).astype(np.float32), turned.astype(np.float32)


def candidates(files: list[str], tests: list[str], seed: int) -> Iterator[Candidate]:
    """Name, head, training features and test features of each."""
    extractor = Extractor()
    blocks: dict[str, tuple[Matrix, Matrix]] = {}
    for size in SIZES:
        (h, d), (th, td) = extractor(files, size), extractor(tests, size)
        blocks |= {f"h{size}": (h, th), f"d{size}": (d, td)}
        blocks[f"b{size}"] = np.concatenate([h, d], 1), np.concatenate([th, td], 1)
    for small, large in pairwise(SIZES):
        pair = zip(blocks[f"b{small}"], blocks[f"b{large}"], strict=True)
        train, test = (np.concatenate(split, 1) for split in pair)
        blocks[f"b{small}+{large}"] = train, test
    for name, (train, test) in blocks.items():
        small_train, small_test = coordinates(train, test)
        yield f"lda {name}", partial(lda.posteriors, dim=train.shape[1]), small_train, small_test
        if name in ("h128", "b128", "h224", "b224"):
            for strength in (1.0, 30.0):
                yield (
                    f"lr{strength:.0f} {name}",
                    partial(logistic, strength=strength),
                    small_train,
                    small_test,
                )
    raw = [tiny(paths) for paths in (files, tests)]
    yield "lr px", lr, raw[0], raw[1]
    yield "et px", partial(trees, seed=seed), raw[0], raw[1]


def random_folds(targets: Labels, seed: int) -> Labels:
    """A fold for each sample: five or, where the smallest class has fewer samples, so many, but at least two."""
    count = max(2, min(FOLDS, int(np.bincount(targets)[np.unique(targets)].min())))
    rng = np.random.default_rng(seed)
    result = np.empty(len(targets), np.int64)
    for k in np.unique(targets):
        own = rng.permutation(np.flatnonzero(targets == k))
        result[own] = (np.arange(len(own)) + k) % count
    return result


def evidence(head: Head, train: Matrix, targets: Labels, classes: int, folds: Labels) -> float:
    """The score of what the folds say about the samples that they left out."""
    held_out = np.zeros((len(targets), classes))
    for fold in np.unique(folds):
        out = folds == fold
        held_out[out] = head(train[~out], targets[~out], classes, train[out])
    return score(np.eye(classes, dtype=np.uint8)[targets], held_out)


def main() -> None:
    chosen = parser(__doc__ or "").parse_args()
    files, targets, classes = labelled(chosen.train)
    tests = unlabelled(chosen.test)
    publisher = Publisher(chosen.out, chosen.test, tests, classes)
    folds = random_folds(targets, chosen.seed)
    found: list[tuple[float, Array]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an optimiser that stops at its last iteration is good enough
        for name, head, train, test in candidates(files, tests, chosen.seed):
            value = evidence(head, train, targets, len(classes), folds)
            found.append((value, head(train, targets, len(classes), test)))
            print(f"{name}: {value:.4f}")
    best = sorted(range(len(found)), key=lambda i: -found[i][0])[:BEST]
    publisher.publish(np.mean([found[i][1] for i in best], axis=0))
    publisher.save()


if __name__ == "__main__":
    main()
