"""What learning costs beside the features: inner products, solves, choosing members, predictions, landmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from headstart.challenge.calibrate_cells import Cell
from headstart.data.groups import near_duplicates
from headstart.heads.calibration import sharpened
from headstart.heads.ensemble import Member, average
from headstart.heads.kernel import Kernel, Matrix, centred, unit
from headstart.heads.lda import analytic_penalty, discriminant
from headstart.heads.means import held_out_means, nearest_means
from headstart.heads.neighbours import held_out_votes
from headstart.heads.ridge import Array, Fit, solve
from headstart.learn.candidates import (
    WIDE,
    Candidate,
    Problem,
    Spec,
    held_out_discriminant,
    judged,
    uncentred,
)
from headstart.learn.landmarks import Landmarks
from headstart.learn.pool import Pool
from headstart.learn.products import Products, Queries
from headstart.learn.truth import Truth
from headstart.words.scoring import score
from headstart.words.task import LabelKind

SAMPLES = (16, 64, 192, 512, 1024)
CLASSES = (2, 10, 60)
_DIMS = (512, 960, 1920, 2688)
_DIM = 256  # of the features that solves are measured on: they see inner products only
_FOLDS = 5
_POOLED = 16  # candidates that a choice is made from
_STREAMED = 512  # samples that landmarks are fed with at once


def features(samples: int, dim: int, classes: int, seed: int = 0) -> Matrix:
    """Unit-length features float32 [samples, dim] of classes that are told apart in part."""
    rng = np.random.default_rng(seed)
    centres = rng.random((classes, dim))
    return unit(centres[np.arange(samples) % classes] + rng.exponential(0.7, (samples, dim)))


def indicator(samples: int, classes: int, labels: LabelKind = "single") -> Array:
    """float64 [samples, classes]; of several labels every sample has its own and a random one."""
    result = np.eye(classes)[np.arange(samples) % classes]
    if labels == "multi":
        result[np.arange(samples), np.random.default_rng(0).integers(0, classes, samples)] = 1.0
    return result


@dataclass(frozen=True)
class Solved:
    """Samples, their kernel and a fit, on which the parts of a solve are measured."""

    problem: Problem
    kernel: Kernel
    values: Array
    middle: Array
    fit: Fit
    penalty: float

    @classmethod
    def of(cls, samples: int, classes: int, labels: LabelKind) -> Solved:
        """Solved once."""
        some = features(samples, _DIM, classes)
        products, norms = some @ some.T, np.ones(samples, np.float32)
        folds = np.arange(samples) // classes % min(_FOLDS, max(samples // classes, 2))
        problem = Problem(("a",), products, norms, _DIM, indicator(samples, classes, labels), folds, labels)
        kernel = WIDE.fitted(products, norms)
        values = kernel(products, norms, norms)
        middle = centred(values)
        penalty = 0.1 * float(np.trace(middle)) / samples
        fit = solve(middle, problem.indicator, folds, penalty)
        return cls(problem, kernel, values, middle, fit, penalty)

    def kernel_again(self, kernel: Kernel) -> None:
        """As `candidates` makes kernel values."""
        products, norms = self.problem.products, self.problem.norms
        fitted = kernel.fitted(products, norms)
        centred(fitted(products, norms, norms))

    def fit_again(self) -> None:
        """The penalty and the regression, with what `candidates` takes from the kernel."""
        self.values.mean(axis=0), self.values.mean()
        if self.problem.labels == "single":
            analytic_penalty(self.middle, self.problem.indicator, self.problem.dim)
        solve(self.middle, self.problem.indicator, self.problem.folds, self.penalty)

    def means(self) -> Candidate:
        """As `candidates` does it."""
        weights, offset = nearest_means(self.values, self.problem.indicator)
        scores = held_out_means(self.values, self.problem.indicator, self.problem.folds)
        return self._judged("means", weights, offset, scores)

    def neighbours(self) -> Candidate:
        """As `candidates` does it."""
        scores = held_out_votes(self.values, self.problem.indicator, self.problem.folds)
        if self.problem.labels == "multi":
            scores = scores - 0.5
        weights = self.problem.indicator.astype(np.float32)
        return self._judged("neighbours", weights, np.zeros(weights.shape[1]), scores)

    def ridge(self) -> Candidate:
        """As `candidates` does it, after the fit."""
        prior = self.problem.indicator.mean(axis=0)
        weights, offset = uncentred(self.fit.coefficients, prior, self.values[0], 0.0)
        return self._judged("ridge", weights, offset, self.fit.held_out + prior)

    def lda(self) -> Candidate:
        """As `candidates` does it, after the fit."""
        final = discriminant(self.fit.class_means, self.fit.counts)
        weights, offset = uncentred(
            self.fit.coefficients @ final.transform, final.offset, self.values[0], 0.0
        )
        return self._judged("lda", weights, offset, held_out_discriminant(self.fit, self.problem.folds))

    def _judged(self, head: str, weights: Array | Matrix, offset: Array, scores: Array) -> Candidate:
        return judged(self.problem, head, Spec(WIDE), self.kernel, weights, offset, scores)


def solves() -> list[Cell]:
    """Cells of the parts of a solve on all pairs, and of choosing members: points over samples and classes."""
    result: list[Cell] = []
    for samples in SAMPLES:
        for classes in CLASSES:
            one = Solved.of(samples, classes, "single")
            if classes == CLASSES[0]:
                result += _kernels(one, samples)
            result.append(Cell("solve", "fit", classes, samples, one.fit_again))
            for name in ("means", "neighbours", "ridge", "lda"):
                result.append(Cell("solve", name, classes, samples, getattr(one, name)))
            several = Solved.of(samples, classes, "multi")
            for name in ("neighbours", "ridge"):
                result.append(Cell("solve", f"{name} several", classes, samples, getattr(several, name)))
            result += _choices(one, samples, classes)
    return result


def _kernels(one: Solved, samples: int) -> Iterator[Cell]:
    for kernel in (Kernel("linear"), WIDE):
        yield Cell("solve", f"kernel {kernel.name}", 0, samples, partial(one.kernel_again, kernel))


def _choices(one: Solved, samples: int, classes: int) -> Iterator[Cell]:
    found = [_unsure(one.ridge(), one.problem.indicator, place) for place in range(_POOLED)]
    truth = one.problem.indicator
    for name, thorough in (("quick", False), ("thorough", True)):
        yield Cell("choose", name, classes, samples, partial(_chosen, found, truth, thorough))


def _chosen(found: list[Candidate], truth: Array, thorough: bool) -> object:
    pool = Pool(5)
    for one in found:
        pool.add(one)
    return pool.choose(truth, "single", thorough)


def _unsure(one: Candidate, truth: Array, seed: int) -> Candidate:
    """Another candidate that errs by itself: averages of such go on getting better, so that all members are taken."""
    raw = np.exp(truth + np.random.default_rng(seed).normal(0, 1.5, truth.shape))
    held_out = (raw / raw.sum(axis=1, keepdims=True)).astype(np.float32)
    member = replace(one.member, blocks=(f"b{seed}",), evidence=score(truth, held_out))
    return replace(one, member=member, held_out=held_out)


def products() -> list[Cell]:
    """Cells of inner products: lines over their number, for each length of the features."""
    result = []
    for dim in _DIMS:
        some = features(512, dim, 5)
        for samples in (16, 256):
            result.append(Cell("products", "gram", dim, samples * samples * 3, partial(_gram, some, samples)))
        block = Products(dim, 512)
        block.extend(some)
        for rows in (8, 64):  # few, so that next to nothing of it is putting them there
            run = partial(_queried, block, some[:rows], 512)
            result.append(Cell("products", "queries", dim, rows * 512, run))
        for rows in (16, 160):
            queries = Queries(dim, rows)
            result.append(
                Cell("predict", "put", dim, rows, partial(queries.put, np.arange(rows), some[:rows]))
            )
            queries.against(block, np.arange(rows), 16)
            again = partial(queries.against, block, np.arange(rows), 16)
            result.append(Cell("predict", "norms", dim, rows, again))
    return [*result, *_sums()]


def _gram(some: Matrix, samples: int) -> None:
    """As many samples, and then as many again: 1 + 2 times samples² products."""
    block = Products(some.shape[1], 1024)
    block.extend(some[:samples])
    block.extend(some[samples : 2 * samples])


def _queried(block: Products, some: Matrix, samples: int) -> None:
    queries = Queries(some.shape[1], len(some))
    queries.put(np.arange(len(some)), some)
    queries.against(block, np.arange(len(some)), samples)


def _sums() -> Iterator[Cell]:
    for samples in (64, 768):
        parts = [np.ones((samples, samples), np.float32)] * 4
        yield Cell("solve", "sum", 0, 4 * samples**2, partial(np.sum, parts, axis=0))
        yield Cell("predict", "sum", 0, 4 * samples**2, partial(_picked, parts, np.arange(samples)))


def _picked(parts: list[Matrix], rows: NDArray[np.int64]) -> object:
    return np.sum([part[rows, : len(rows)] for part in parts], axis=0)


def predictions() -> list[Cell]:
    """Cells of a member's posteriors: lines over test samples times landmarks, for some numbers of classes."""
    result = []
    for classes in CLASSES:
        for rows, samples in ((16, 64), (200, 768)):
            norms, inner = np.ones(rows, np.float32), np.full((rows, samples), 0.5, np.float32)
            for head, kernel in (("ridge", Kernel("linear")), ("ridge", WIDE), ("neighbours", WIDE)):
                weights = indicator(samples, classes).astype(np.float32)
                member = Member(head, ("a",), kernel, samples, weights, np.zeros(classes), 1.0, 0.5)
                name = head if head == "neighbours" else kernel.name
                run = partial(_posteriors, member, inner, norms, np.ones(samples, np.float32))
                result.append(Cell("predict", name, classes, rows * samples, run))
    return result


def _posteriors(member: Member, inner: Matrix, rows: Matrix, columns: Matrix) -> object:
    return sharpened(average([member.posteriors(inner, rows, columns, "single")]), 0.9, "single")


def duplicates() -> list[Cell]:
    """Cells of looking for near-equal pictures: points over samples."""
    result = []
    for samples in (32, 256, 768, 2048):
        tiny = features(samples, 768, 7)
        result.append(Cell("refold", "duplicates", 0, samples, partial(near_duplicates, tiny)))
    return result


def landmarks() -> tuple[list[Cell], list[Cell]]:
    """Cells beyond the dual form: lines over samples (by length of the features) and by classes."""
    fed: list[Cell] = []
    blocks: dict[int, Landmarks] = {}
    for dim in (768, 3968):
        some = features(1024, dim, 10)
        own = Products(dim, 1024)
        own.extend(some)
        blocks[dim] = Landmarks(("a",), [own], WIDE, 10)
        for samples in (64, _STREAMED):
            run = partial(_fed, blocks[dim], some[:samples], 10)
            fed.append(Cell("statistics", "landmarks", dim, samples, run))
        if dim == 768:
            opened = partial(Landmarks, ("a",), [own], WIDE, 10)
            fed.append(Cell("solve", "landmarks", 0, 1024, opened))
    return fed, [cell for classes in CLASSES for cell in _streamed(classes)]


def _fed(marks: Landmarks, some: Matrix, classes: int) -> None:
    rows = np.arange(len(some))
    marks.consumed = 0
    for _ in marks.feed(lambda _, at: some[: len(at)], rows, Truth(rows % classes, classes), rows % 5, 0):
        pass


def _streamed(classes: int) -> Iterator[Cell]:
    samples = 1024
    some = features(samples, 768, classes)
    own = Products(768, samples)
    own.extend(some)
    marks = Landmarks(("a",), [own], WIDE, classes)
    rows = np.arange(samples)
    truth, folds = Truth(rows % classes, classes), rows // classes % 5
    for _ in marks.feed(lambda _, at: some[at], rows, truth, folds, samples):
        pass
    one = Solved.of(samples, classes, "single")
    fit: Callable[[], object] = partial(_drained, marks, truth, folds)
    yield Cell("solve", "streamed fit", classes, 1, fit)
    yield Cell("solve", "streamed ridge", classes, 1, one.ridge)
    yield Cell("solve", "streamed lda", classes, 1, one.lda)


def _drained(marks: Landmarks, truth: Truth, folds: NDArray[np.integer]) -> None:
    """The solve alone: no head is wanted of it."""
    for _ in marks.candidates(truth, folds, (), "single"):
        pass
