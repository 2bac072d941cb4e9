"""Members and their average: from the features of a sample to its posteriors. All that a model says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.heads.calibration import posteriors, sharpened
from headstart.heads.kernel import Kernel, Matrix
from headstart.heads.neighbours import votes
from headstart.heads.trained import Trained
from headstart.words.scoring import score
from headstart.words.task import LabelKind

_ROWS_AT_ONCE = 256
_TRIED = 12  # more are no better, and every one costs a score for each member


@dataclass(frozen=True)
class Member:
    """One head, solved: class scores are k(x) @ weights + offset, with k(x) the kernel values to landmarks.

    head: its kind, for people. blocks: whose features it reads. landmarks: it uses the first so many
    training samples. weights: float [landmarks, classes] (of `neighbours`: the indicator), offset: [classes].
    temperature: of the posterior. evidence: score on training samples that were held out.
    """

    head: str
    blocks: tuple[str, ...]
    kernel: Kernel
    landmarks: int
    weights: NDArray[np.floating]
    offset: NDArray[np.floating]
    temperature: float
    evidence: float

    def scores(self, products: Matrix, rows: Matrix, columns: Matrix) -> NDArray[np.float64]:
        """Class scores float64 [m, classes] from inner products with the landmarks and squared norms."""
        kernel = self.kernel(products, rows, columns)
        if self.head == "neighbours":
            return votes(kernel, self.weights)
        scores: NDArray[np.float64] = kernel @ self.weights + self.offset
        return scores

    def posteriors(self, products: Matrix, rows: Matrix, columns: Matrix, labels: LabelKind) -> Matrix:
        """Posteriors float32 [m, classes]; arguments as in `scores`."""
        return posteriors(self.scores(products, rows, columns), self.temperature, labels)


def average(parts: Sequence[Matrix], weights: Sequence[float] | None = None) -> Matrix:
    """The mean of posteriors, float32 [m, classes]."""
    shares = np.full(len(parts), 1 / len(parts)) if weights is None else np.asarray(weights) / np.sum(weights)
    result = np.zeros_like(parts[0])
    for part, share in zip(parts, shares, strict=True):
        result += part * np.float32(share)
    return result


@dataclass(frozen=True)
class Ensemble:
    """The average of members, with the landmarks that they share.

    landmarks: for each feature block the unit-length features of training samples, [n, dim]; a block
    that came later may hold fewer samples, always the first ones. temperature: of the average (see
    calibration.sharpened): averages are less sure than they may be. trained: networks that speak beside the
    members, with `share` (0 to 1) of the posterior; without members all of it.
    """

    members: tuple[Member, ...]
    landmarks: Mapping[str, NDArray[np.floating]]
    labels: LabelKind
    temperature: float = 1.0
    trained: Trained | None = None
    share: float = 0.0

    @property
    def blocks(self) -> tuple[str, ...]:
        """Every feature block that some member reads, in the order of the members."""
        return tuple(dict.fromkeys(block for member in self.members for block in member.blocks))

    def __call__(self, features: Mapping[str, Matrix]) -> Matrix:
        """Posteriors float32 [m, classes] from unit-length features [m, dim] of each of `blocks`.

        Where networks were trained, `features` hold their posteriors, too, under the name of `Trained.block`.
        """
        if self.trained is None:
            return self._closed(features)
        theirs = features[self.trained.block]
        if not self.members:
            return theirs
        return blended(self._closed(features), theirs, self.share)

    def _closed(self, features: Mapping[str, Matrix]) -> Matrix:
        """What the members say."""
        samples = len(next(iter(features.values())))
        parts = [self._some(features, slice(i, i + _ROWS_AT_ONCE)) for i in range(0, samples, _ROWS_AT_ONCE)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.members[0].offset)), np.float32)

    def _some(self, features: Mapping[str, Matrix], rows: slice) -> Matrix:
        products, own, theirs = {}, {}, {}
        for block in self.blocks:
            fixed = np.asarray(self.landmarks[block], np.float32)
            products[block] = features[block][rows] @ fixed.T
            own[block] = np.einsum("ij,ij->i", features[block][rows], features[block][rows])
            theirs[block] = np.einsum("ij,ij->i", fixed, fixed)
        parts = []
        for member in self.members:
            n = member.landmarks
            total: Matrix = np.sum([products[block][:, :n] for block in member.blocks], axis=0)
            left: Matrix = np.sum([own[block] for block in member.blocks], axis=0)
            right: Matrix = np.sum([theirs[block][:n] for block in member.blocks], axis=0)
            parts.append(member.posteriors(total, left, right, self.labels))
        return sharpened(average(parts), self.temperature, self.labels)


def blended(closed: Matrix, trained: Matrix, share: float) -> Matrix:
    """Posteriors [m, classes] of the closed-form heads, with a share of those of trained networks."""
    return (1 - np.float32(share)) * closed + np.float32(share) * trained


def choose(evidence: Sequence[float], kinds: Sequence[str], members: int) -> list[int]:
    """Which candidates to average: those with the best evidence, best first, at most so many.

    No kind of head takes more than half of the places (rounded up) while another kind has a candidate:
    heads of one kind err alike, and their evidence errs alike too.
    """
    best = sorted(range(len(evidence)), key=lambda i: (-evidence[i], i))
    most, taken, chosen, left = (members + 1) // 2, dict.fromkeys(kinds, 0), [], []
    for i in best:
        if taken[kinds[i]] < most:
            taken[kinds[i]] += 1
            chosen.append(i)
        else:
            left.append(i)
    return (chosen + left)[:members]


def grow(
    held_out: Sequence[Matrix], truth: NDArray[np.floating], evidence: Sequence[float], members: int
) -> list[int]:
    """Which candidates to average, the best first and then, one by one, what raises the evidence of the average most.

    Forward selection as in Caruana et al. (Ensemble selection from libraries of models, ICML 2004), among the
    _TRIED candidates with the best evidence; it ends when nothing helps. held_out: posteriors [n, classes] of each
    candidate on the same samples; truth: their indicator. docs/decisions/009-ensemble.md has what it brings.
    """
    left = sorted(range(len(evidence)), key=lambda i: (-evidence[i], i))[:_TRIED]
    if not left:
        return []
    chosen = [left.pop(0)]
    total = held_out[chosen[0]].copy()
    best = score(truth, total)
    while left and len(chosen) < members:
        found = [score(truth, total + held_out[i]) for i in left]
        place = int(np.argmax(found))
        if found[place] <= best:
            break
        best = found[place]
        chosen.append(left.pop(place))
        total = total + held_out[chosen[-1]]
    return chosen
