"""Candidates: every head that is solved on some features, with the evidence for it.

Evidence is the score of posteriors that were computed for training samples without their fold. All
candidates share the folds, so averaging their held-out posteriors gives the evidence of their average.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.heads.calibration import posteriors, temperature
from headstart.heads.ensemble import Member
from headstart.heads.kernel import Kernel, Matrix, centred
from headstart.heads.lda import analytic_penalty, discriminant
from headstart.heads.means import held_out_means, nearest_means
from headstart.heads.neighbours import held_out_votes
from headstart.heads.ridge import Array, Fit, solve
from headstart.words.scoring import score
from headstart.words.task import LabelKind

LINEAR, WIDE, NARROW = Kernel("linear"), Kernel("rbf", 0.3), Kernel("rbf", 1.0)
_RIDGE_PENALTIES = (3e-3, 3e-2)  # of the kernel's mean eigenvalue


@dataclass(frozen=True)
class Candidate:
    """A solved head and what it said about training samples that it had not seen.

    held_out: posteriors float32 [n, classes] for the first n training samples in the order of the run.
    """

    member: Member
    held_out: Matrix

    @property
    def key(self) -> tuple[object, ...]:
        """What is replaced when the same head is solved again on more samples."""
        kernel = self.member.kernel
        return self.member.head, self.member.blocks, kernel.name, kernel.gamma


@dataclass(frozen=True)
class Problem:
    """Training samples as heads see them: what is solved.

    products: inner products float32 [n, n] summed over `blocks`; norms: squared lengths [n]; dim: of the
    features; indicator: float64 [n, classes]; folds: [n].
    """

    blocks: tuple[str, ...]
    products: Matrix
    norms: Matrix
    dim: int
    indicator: Array
    folds: NDArray[np.integer]
    labels: LabelKind


def candidates(problem: Problem, kernels: Sequence[Kernel], heads: Sequence[str]) -> Iterator[Candidate]:
    """Solve every allowed head on every kernel; yields as it goes, so that the caller can stop."""
    for kernel in kernels:
        fitted = kernel.fitted(problem.products, problem.norms)
        values = fitted(problem.products, problem.norms, problem.norms)
        if kernel == WIDE:
            yield from _simple(problem, fitted, values, heads)
        yield from _solved(problem, fitted, values, kernel, heads)


def _simple(problem: Problem, kernel: Kernel, values: Array, heads: Sequence[str]) -> Iterator[Candidate]:
    if "means" in heads and problem.labels == "single":
        weights, offset = nearest_means(values, problem.indicator)
        scores = held_out_means(values, problem.indicator, problem.folds)
        yield _candidate(problem, "means", kernel, weights, offset, scores)
    if "neighbours" in heads:
        scores = held_out_votes(values, problem.indicator, problem.folds)
        if problem.labels == "multi":
            scores = scores - 0.5
        weights = problem.indicator.astype(np.float32)
        yield _candidate(problem, "neighbours", kernel, weights, np.zeros(weights.shape[1]), scores)


def _penalties(problem: Problem, kernel: Kernel, middle: Array) -> Sequence[float]:
    samples = len(middle)
    if kernel == NARROW or problem.labels == "multi":
        return [share * float(np.trace(middle)) / samples for share in _RIDGE_PENALTIES]
    return [analytic_penalty(middle, problem.indicator, problem.dim if kernel == LINEAR else samples)]


def _solved(
    problem: Problem, fitted: Kernel, values: Array, kernel: Kernel, heads: Sequence[str]
) -> Iterator[Candidate]:
    middle = centred(values)
    column_means, grand_mean = values.mean(axis=0), float(values.mean())
    prior = problem.indicator.mean(axis=0) - (0.5 if problem.labels == "multi" else 0.0)
    for penalty in _penalties(problem, kernel, middle):
        fit = solve(middle, problem.indicator, problem.folds, penalty)
        if "ridge" in heads:
            weights, offset = _uncentred(fit.coefficients, prior, column_means, grand_mean)
            yield _candidate(problem, "ridge", fitted, weights, offset, fit.held_out + prior)
        if "lda" in heads and problem.labels == "single":
            final = discriminant(fit.class_means, fit.counts)
            weights, offset = _uncentred(
                fit.coefficients @ final.transform, final.offset, column_means, grand_mean
            )
            scores = held_out_discriminant(fit, problem.folds)
            yield _candidate(problem, "lda", fitted, weights, offset, scores)


def held_out_discriminant(fit: Fit, folds: NDArray[np.integer]) -> Array:
    """Discriminant scores of each sample by the solve without its fold, float64 [n, classes]."""
    scores = np.empty_like(fit.held_out)
    parts = zip(np.unique(folds), fit.fold_means, fit.fold_counts, strict=True)
    for fold, means, counts in parts:
        rows = folds == fold
        scores[rows] = discriminant(means, counts)(fit.held_out[rows])
    return scores


def _uncentred(weights: Array, offset: Array, column_means: Array, grand_mean: float) -> tuple[Array, Array]:
    """The same scores from kernel values that are not centred."""
    total = weights.sum(axis=0)
    return weights - total / len(weights), offset - column_means @ weights + grand_mean * total


def _candidate(
    problem: Problem,
    head: str,
    kernel: Kernel,
    weights: NDArray[np.floating],
    offset: NDArray[np.floating],
    scores: Array,
) -> Candidate:
    return judged(head, problem.blocks, kernel, weights, offset, scores, problem.indicator, problem.labels)


def judged(
    head: str,
    blocks: tuple[str, ...],
    kernel: Kernel,
    weights: NDArray[np.floating],
    offset: NDArray[np.floating],
    scores: Array,
    indicator: Array,
    labels: LabelKind,
) -> Candidate:
    """A candidate from its held-out scores [n, classes]: temperature, posteriors and evidence."""
    heat = temperature(scores, indicator, labels)
    held_out = posteriors(scores, heat, labels)
    evidence = score(indicator, held_out)
    member = Member(head, blocks, kernel, len(weights), weights, offset, heat, evidence)
    return Candidate(member, held_out)
