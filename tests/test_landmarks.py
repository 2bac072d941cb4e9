"""Landmarks: with all samples among them they agree with the dual form; with fewer they stay near."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from headstart.heads.ensemble import Ensemble
from headstart.heads.kernel import Kernel, Matrix, unit
from headstart.learn import landmarks
from headstart.learn.candidates import WIDE, Candidate, Problem, Spec, candidates
from headstart.learn.landmarks import Landmarks
from headstart.learn.products import Products
from headstart.learn.truth import Truth
from headstart.words.task import LabelKind

DIM, CLASSES, SAMPLES = 16, 4, 240
HEADS = ("ridge", "lda")


def made(seed: int = 0, samples: int = SAMPLES) -> tuple[Matrix, NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    labels = np.arange(samples) % CLASSES
    centres = np.random.default_rng(99).uniform(0, 2, (CLASSES, DIM))
    block = unit(np.abs(centres[labels] + rng.normal(0, 0.6, (samples, DIM))))
    return block, np.eye(CLASSES)[labels], np.arange(samples) // CLASSES % 5


def at_landmarks(
    count: int, kernel: Kernel = WIDE, labels: LabelKind = "single"
) -> tuple[dict[str, Candidate], Landmarks]:
    block, indicator, folds = made()
    products = Products(DIM, count)
    products.extend(block)
    marks = Landmarks(("x",), [products], kernel, CLASSES)
    fed = list(
        marks.feed(lambda _, rows: block[rows], np.arange(SAMPLES), Truth(indicator, CLASSES), folds, 200)
    )
    assert sum(fed) == SAMPLES == marks.consumed
    return {
        c.member.head: c for c in marks.candidates(Truth(indicator, CLASSES), folds, HEADS, labels)
    }, marks


@pytest.mark.parametrize("count", [SAMPLES, 120])
@pytest.mark.parametrize("head", HEADS)
def test_heads_at_landmarks_say_nearly_what_heads_on_all_pairs_say(count: int, head: str) -> None:
    block, indicator, folds = made()
    problem = Problem(("x",), block @ block.T, (block**2).sum(axis=1), DIM, indicator, folds % 3, "single")
    dual = {c.member.head: c for c in candidates(problem, [Spec(WIDE)], HEADS)}[head]
    found = at_landmarks(count)[0][head]
    new, _, _ = made(7)
    posteriors = Ensemble((found.member,), {"x": block[:count]}, "single")({"x": new})
    reference = Ensemble((dual.member,), {"x": block}, "single")({"x": new})
    assert np.abs(posteriors - reference).mean() < 0.03
    assert (posteriors.argmax(axis=1) == reference.argmax(axis=1)).mean() > 0.95
    assert found.member.evidence == pytest.approx(dual.member.evidence, abs=0.03)


def test_evidence_is_taken_from_the_samples_that_were_kept() -> None:
    found, _ = at_landmarks(100)
    for candidate in found.values():
        assert candidate.held_out.shape == (200, CLASSES)
        assert candidate.member.landmarks == 100 and candidate.member.weights.shape == (100, CLASSES)


def test_multi_label_tasks_get_a_ridge() -> None:
    found, _ = at_landmarks(100, labels="multi")
    assert set(found) == {"ridge"}
    assert np.isfinite(found["ridge"].held_out).all() and found["ridge"].member.evidence > 0.8


def test_feeding_in_pieces_is_feeding_at_once() -> None:
    block, indicator, folds = made()
    products = Products(DIM, 60)
    products.extend(block)
    whole, pieces = (Landmarks(("x",), [products], WIDE, CLASSES) for _ in range(2))
    rows = np.arange(SAMPLES)
    list(whole.feed(lambda _, some: block[some], rows, Truth(indicator, CLASSES), folds, 60))
    for end in (10, 60, 61, 200, SAMPLES):
        list(
            pieces.feed(
                lambda _, some: block[some], rows[:end], Truth(indicator[:end], CLASSES), folds[:end], 60
            )
        )
    for one, other in zip(
        whole.candidates(Truth(indicator, CLASSES), folds, HEADS, "single"),
        pieces.candidates(Truth(indicator, CLASSES), folds, HEADS, "single"),
        strict=True,
    ):
        np.testing.assert_allclose(one.held_out, other.held_out, atol=1e-4)


def test_landmarks_that_are_all_equal_are_survived() -> None:
    block = unit(np.ones((40, DIM)))
    products = Products(DIM, 40)
    products.extend(block)
    marks = Landmarks(("x",), [products], WIDE, 2)
    indicator, folds = np.eye(2)[np.arange(40) % 2], np.arange(40) // 2 % 5
    list(marks.feed(lambda _, rows: block[rows], np.arange(40), Truth(indicator, 2), folds, 40))
    for candidate in marks.candidates(Truth(indicator, CLASSES), folds, HEADS, "single"):
        assert np.isfinite(candidate.held_out).all()


def test_there_are_never_more_landmarks_than_the_bound() -> None:
    block, _, _ = made(samples=landmarks.LANDMARKS + 40)
    products = Products(DIM, 10**6)
    products.extend(block)
    marks = Landmarks(("x",), [products], Kernel("linear"), CLASSES)
    assert marks.coordinates([block[:3]]).shape == (3, landmarks.LANDMARKS)
