"""Every kind of head keeps one contract, whatever the samples: many classes, few samples, none of a class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headstart.heads.ensemble import Ensemble
from headstart.heads.kernel import Matrix, unit
from headstart.heads.means import held_out_means, nearest_means
from headstart.heads.neighbours import held_out_votes, votes
from headstart.learn.candidates import SPECS, Candidate, Problem, candidates
from headstart.words.config import HEADS
from headstart.words.scoring import score
from headstart.words.task import LabelKind

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Made:
    """Unit-length features [n, dim] of samples with labels [n] out of so many classes, and their folds [n]."""

    block: Matrix
    labels: NDArray[np.int64]
    classes: int
    folds: NDArray[np.int64]

    @property
    def indicator(self) -> Array:
        return np.eye(self.classes)[self.labels]

    def problem(self, indicator: Array | None = None, kind: LabelKind = "single") -> Problem:
        products, norms = self.block @ self.block.T, (self.block**2).sum(axis=1)
        known = self.indicator if indicator is None else indicator
        return Problem(("b",), products, norms, self.block.shape[1], known, self.folds, kind)


def made(labels: NDArray[np.int64], dim: int, folds: NDArray[np.int64], classes: int | None = None) -> Made:
    count = int(labels.max()) + 1 if classes is None else classes
    rng = np.random.default_rng(len(labels))
    centres = rng.uniform(0, 2, (count, dim))
    return Made(unit(np.abs(centres[labels] + rng.normal(0, 0.7, (len(labels), dim)))), labels, count, folds)


def evenly(classes: int, each: int, dim: int, folds: int = 2) -> Made:
    labels = np.tile(np.arange(classes), each)
    return made(labels, dim, np.arange(len(labels)) // classes % folds)


def alone_in_a_fold() -> Made:
    labels, folds = np.tile(np.arange(3), 8), np.arange(24) // 3 % 4
    return made(labels, 10, np.where(labels == 2, 1, folds))


def all_equal() -> Made:
    return Made(unit(np.ones((8, 5))), np.arange(8) % 2, 2, np.arange(8) // 2 % 2)


EDGES: dict[str, Callable[[], Made]] = {
    "one sample per class": lambda: made(np.arange(4), 6, np.arange(4) % 2),
    "two samples": lambda: made(np.arange(2), 6, np.arange(2)),
    "two classes": lambda: evenly(2, 6, 5),
    "two samples of each of 300 classes": lambda: evenly(300, 2, 40),
    "fewer samples than classes": lambda: made(np.array([0, 5, 2, 5]), 8, np.array([0, 1, 0, 1]), classes=9),
    "a class that is in one fold alone": alone_in_a_fold,
    "a class that nobody is of": lambda: made(np.arange(20) % 2 * 2, 6, np.arange(20) // 2 % 3),
    "more features than samples": lambda: evenly(3, 4, 200),
    "more samples than features": lambda: evenly(3, 40, 2, folds=5),
    "each sample a fold": lambda: made(np.arange(12) % 3, 6, np.arange(12)),
    "samples that are all equal": all_equal,
    "enough samples for the large inverse": lambda: evenly(3, 150, 12, folds=5),
}


@pytest.mark.parametrize("case", EDGES)
def test_every_head_keeps_the_contract(case: str) -> None:
    data = EDGES[case]()
    problem = data.problem()
    found = list(candidates(problem, SPECS, HEADS))
    assert {c.member.head for c in found} == set(HEADS)
    assert len({c.key for c in found}) == len(found)
    for candidate in found:
        member, held = candidate.member, candidate.held_out
        assert held.shape == data.indicator.shape and held.dtype == np.float32
        assert np.isfinite(held).all() and (held >= 0).all()
        np.testing.assert_allclose(held.sum(axis=1), 1, rtol=1e-4)
        assert member.evidence == score(data.indicator, held)
        assert member.temperature > 0 and np.isfinite(member.temperature)
        assert member.landmarks == len(data.labels) and member.blocks == ("b",)
        published = Ensemble((member,), {"b": data.block}, "single")({"b": data.block})
        assert np.isfinite(published).all()
        again = member.posteriors(problem.products, problem.norms, problem.norms, "single")
        np.testing.assert_allclose(published, again, atol=1e-3)


@pytest.mark.parametrize("head", HEADS)
def test_every_head_learns_what_can_be_learnt(head: str) -> None:
    data = evenly(4, 15, 30, folds=5)
    for candidate in candidates(data.problem(), SPECS, (head,)):
        assert candidate.member.head == head and candidate.member.evidence > 0.9
        fresh = Ensemble((candidate.member,), {"b": data.block}, "single")({"b": data.block})
        assert (fresh.argmax(axis=1) == data.labels).mean() > 0.9


def test_no_head_finds_anything_where_there_is_nothing() -> None:
    rng = np.random.default_rng(0)
    block = unit(rng.uniform(0, 1, (300, 20)))
    data = Made(block, rng.integers(0, 2, 300), 2, np.arange(300) % 5)
    for candidate in candidates(data.problem(), SPECS, HEADS):
        assert abs(candidate.member.evidence) < 0.3


def without_fold(data: Made, fold: int, head: str) -> tuple[Candidate, Matrix]:
    """The head solved without a fold, and what it says about the fold."""
    kept = data.folds != fold
    part = Made(data.block[kept], data.labels[kept], data.classes, np.arange(int(kept.sum())) % 2)
    candidate = next(candidates(part.problem(), SPECS[1:2], (head,)))
    return candidate, Ensemble((candidate.member,), {"b": part.block}, "single")({"b": data.block[~kept]})


@pytest.mark.parametrize("head", HEADS)
def test_evidence_is_near_what_a_head_says_that_was_solved_without_the_fold(head: str) -> None:
    """Not equal: kernel scale, penalty, centre and temperature come from all samples."""
    data = evenly(3, 40, 20, folds=4)
    candidate = next(candidates(data.problem(), SPECS[1:2], (head,)))
    for fold in range(4):
        _, fresh = without_fold(data, fold, head)
        assert np.abs(candidate.held_out[data.folds == fold] - fresh).mean() < 0.05


def test_multi_label_tasks_are_solved_by_the_heads_that_can() -> None:
    data = evenly(3, 12, 8, folds=3)
    several = np.maximum(data.indicator, np.roll(data.indicator, 5, axis=0))
    found = list(candidates(data.problem(several, "multi"), SPECS, HEADS))
    assert {c.member.head for c in found} == {"ridge", "neighbours"}
    for candidate in found:
        assert ((candidate.held_out > 0) & (candidate.held_out < 1)).all()
        assert candidate.member.evidence == score(several, candidate.held_out)


def test_the_caller_may_stop_between_heads() -> None:
    stream = candidates(evenly(2, 5, 4).problem(), SPECS, HEADS)
    assert next(stream).member.head in HEADS
    stream.close()  # type: ignore[attr-defined]


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 6), st.integers(1, 6), st.integers(1, 12), st.integers(0, 10**6))
def test_the_nearest_mean_is_nearest(classes: int, each: int, dim: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    x, new = rng.normal(size=(len(labels), dim)), rng.normal(size=(7, dim))
    weights, offset = nearest_means(x @ x.T, np.eye(classes)[labels])
    means = np.stack([x[labels == c].mean(axis=0) for c in range(classes)])
    distances = ((new[:, None] - means[None]) ** 2).sum(axis=2)
    scores = new @ x.T @ weights + offset
    np.testing.assert_allclose(scores, -0.5 * (distances - (new**2).sum(axis=1)[:, None]), atol=1e-9)


def test_means_without_the_own_fold_are_those_of_the_others() -> None:
    rng = np.random.default_rng(0)
    x, indicator, folds = rng.normal(size=(20, 4)), np.eye(2)[np.arange(20) % 2], np.arange(20) // 2 % 3
    scores = held_out_means(x @ x.T, indicator, folds)
    for fold in range(3):
        kept = folds != fold
        weights, offset = nearest_means(x[kept] @ x[kept].T, indicator[kept])
        np.testing.assert_allclose(scores[~kept], x[~kept] @ x[kept].T @ weights + offset, atol=1e-12)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 25), st.integers(1, 12), st.integers(0, 10**6))
def test_neighbours_vote_with_their_similarity(samples: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel, labels = rng.uniform(0.01, 1, (6, samples)), rng.integers(0, 3, samples)
    naive = np.zeros((6, 3))
    for row in range(6):
        nearest = np.argsort(-kernel[row])[:k]
        for sample in nearest:
            naive[row, labels[sample]] += kernel[row, sample] / kernel[row, nearest].sum()
    np.testing.assert_allclose(votes(kernel, np.eye(3)[labels], k), naive, atol=1e-9)


def test_no_sample_is_its_own_neighbour_nor_that_of_its_fold() -> None:
    block = evenly(3, 4, 6, folds=4)
    kernel = np.asarray(block.block @ block.block.T, np.float64)
    held = held_out_votes(kernel, block.indicator, block.folds, 3)
    for row in range(12):
        others = np.flatnonzero(block.folds != block.folds[row])
        np.testing.assert_allclose(
            held[row], votes(kernel[row : row + 1, others], block.indicator[others], 3)[0]
        )
