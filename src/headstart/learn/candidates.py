"""Candidates: every head that is solved on some features, with the evidence for it.

Evidence is the score of posteriors that were computed for training samples without their fold. All
candidates share the folds, so averaging their held-out posteriors gives the evidence of their average.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

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


@dataclass(frozen=True)
class Spec:
    """How a kernel head is regularised. penalty: share of the kernel's mean eigenvalue; None = analytic."""

    kernel: Kernel
    penalty: float | None = None


WIDE = Kernel("rbf", 0.3)
SPECS = (
    Spec(Kernel("linear")),
    Spec(WIDE),
    Spec(Kernel("rbf", 1.0), 3e-3),
    Spec(Kernel("rbf", 1.0), 3e-2),
)
"""None of them leads everywhere: linear on characters and flags, the narrow ones on drawings."""
SEVERAL = (
    Spec(Kernel("linear"), 0.3),
    Spec(WIDE, 3.0),
    Spec(Kernel("linear"), 3.0),
    Spec(Kernel("rbf", 1.0), 3.0),
)
"""For samples with several labels there is no analytic penalty; the best is far larger than for classes."""
_RIDGE = 1.0  # where neither is given


def specs_for(labels: LabelKind) -> tuple[Spec, ...]:
    """What heads are solved with: a linear and a wide kernel first."""
    return SPECS if labels == "single" else SEVERAL


@dataclass(frozen=True)
class Candidate:
    """A solved head and what it said about training samples that it had not seen.

    held_out: posteriors float32 [n, classes] for the first n training samples in the order of the run.
    """

    member: Member
    held_out: Matrix
    spec: Spec

    @property
    def key(self) -> tuple[object, ...]:
        """What is replaced when the same head is solved again on more samples."""
        return self.member.head, self.member.blocks, self.spec


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


def candidates(problem: Problem, specs: Sequence[Spec], heads: Sequence[str]) -> Iterator[Candidate]:
    """Solve the allowed heads by every spec; yields as it goes, so that the caller can stop."""
    values: dict[Kernel, tuple[Kernel, Array, Array]] = {}
    for spec in specs:
        if spec.kernel not in values:
            fitted = spec.kernel.fitted(problem.products, problem.norms)
            raw = fitted(problem.products, problem.norms, problem.norms)
            values = {spec.kernel: (fitted, raw, centred(raw))}  # one at a time: each is n x n
            if spec.kernel == WIDE:
                yield from _simple(problem, spec, fitted, raw, heads)
        yield from _solved(problem, spec, *values[spec.kernel], heads)


def _simple(
    problem: Problem, spec: Spec, kernel: Kernel, values: Array, heads: Sequence[str]
) -> Iterator[Candidate]:
    if "means" in heads and problem.labels == "single":
        weights, offset = nearest_means(values, problem.indicator)
        scores = held_out_means(values, problem.indicator, problem.folds)
        yield judged(problem, "means", spec, kernel, weights, offset, scores)
    if "neighbours" in heads:
        scores = held_out_votes(values, problem.indicator, problem.folds)
        if problem.labels == "multi":
            scores = scores - 0.5
        weights = problem.indicator.astype(np.float32)
        yield judged(problem, "neighbours", spec, kernel, weights, np.zeros(weights.shape[1]), scores)


def _penalty(problem: Problem, spec: Spec, middle: Array) -> float:
    share = spec.penalty
    if share is None and problem.labels == "single":
        dim = problem.dim if spec.kernel.name == "linear" else len(middle)
        return analytic_penalty(middle, problem.indicator, dim)
    return (share or _RIDGE) * float(np.trace(middle)) / len(middle)


def _solved(
    problem: Problem, spec: Spec, kernel: Kernel, values: Array, middle: Array, heads: Sequence[str]
) -> Iterator[Candidate]:
    column_means, grand_mean = values.mean(axis=0), float(values.mean())
    fit = solve(middle, problem.indicator, problem.folds, _penalty(problem, spec, middle), "lda" in heads)
    if "ridge" in heads:
        prior = problem.indicator.mean(axis=0) - (0.5 if problem.labels == "multi" else 0.0)
        weights, offset = uncentred(fit.coefficients, prior, column_means, grand_mean)
        yield judged(problem, "ridge", spec, kernel, weights, offset, fit.held_out + prior)
    if "lda" in heads and problem.labels == "single":
        final = discriminant(fit.class_means, fit.counts)
        weights, offset = uncentred(
            fit.coefficients @ final.transform, final.offset, column_means, grand_mean
        )
        scores = held_out_discriminant(fit, problem.folds)
        yield judged(problem, "lda", spec, kernel, weights, offset, scores)


def held_out_discriminant(fit: Fit, folds: NDArray[np.integer]) -> Array:
    """Discriminant scores of each sample by the solve without its fold, float64 [n, classes]."""
    scores = np.empty_like(fit.held_out)
    parts = zip(np.unique(folds), fit.fold_means, fit.fold_counts, strict=True)
    for fold, means, counts in parts:
        rows = folds == fold
        scores[rows] = discriminant(means, counts)(fit.held_out[rows])
    return scores


def uncentred(weights: Array, offset: Array, column_means: Array, grand_mean: float) -> tuple[Array, Array]:
    """The same scores from kernel values that are not centred."""
    total = weights.sum(axis=0)
    return weights - total / len(weights), offset - column_means @ weights + grand_mean * total


class Judged(Protocol):
    """What held-out scores are judged against."""

    @property
    def blocks(self) -> tuple[str, ...]: ...
    @property
    def indicator(self) -> Array: ...
    @property
    def labels(self) -> LabelKind: ...


def judged(
    problem: Judged,
    head: str,
    spec: Spec,
    kernel: Kernel,
    weights: NDArray[np.floating],
    offset: NDArray[np.floating],
    scores: Array,
) -> Candidate:
    """A candidate from its held-out scores [n, classes]: temperature, posteriors and evidence."""
    heat = temperature(scores, problem.indicator, problem.labels)
    held_out = posteriors(scores, heat, problem.labels)
    evidence = score(problem.indicator, held_out)
    member = Member(head, problem.blocks, kernel, len(weights), weights, offset, heat, evidence)
    return Candidate(member, held_out, spec)
