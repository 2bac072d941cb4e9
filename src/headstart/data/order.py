"""The order in which samples are looked at: every class early, and all of them at the same pace."""

from __future__ import annotations

import heapq
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def balanced(targets: NDArray[np.int32], classes: int, seed: int) -> NDArray[np.int64]:
    """A permutation of the samples, int64 [n], whose every beginning is as balanced as it can be.

    targets: class index of each sample, int32 [n], below `classes`.
    Round after round, one sample of each class (classes in one shuffled order, samples shuffled within);
    a class that is exhausted drops out and the others go on.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(targets))
    place = rng.permutation(classes)
    # Sixteen bits are sorted by counting: ten times faster for a million samples.
    labels: NDArray[np.integer] = targets[shuffled].astype(np.uint16 if classes <= 1 << 16 else np.int64)
    by_class = np.split(shuffled[np.argsort(labels, kind="stable")], _ends(labels, classes)[:-1])
    longest = max(map(len, by_class), default=0)
    alive = np.cumsum(np.bincount([len(own) for own in by_class], minlength=longest + 1)[::-1])[::-1][1:]
    begins = np.cumsum(alive) - alive  # where each round begins: as long as classes have samples left
    ahead = np.zeros(longest, np.int64)
    order = np.empty(len(labels), np.int64)
    for label in np.argsort(place):
        own = by_class[label]
        order[begins[: len(own)] + ahead[: len(own)]] = own
        ahead[: len(own)] += 1
    return order


def _ends(labels: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """Where each class ends among sorted labels."""
    return np.cumsum(np.bincount(labels, minlength=classes))


def balanced_multi(indicator: NDArray[np.uint8], seed: int) -> NDArray[np.int64]:
    """The same for samples with any number of labels each; indicator: 0 or 1, uint8 [n, classes].

    Greedy: the next sample has the label that was seen least so far, at equality the rarest of all.
    "No label" counts as a label, so that samples without any take their turn.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(indicator))
    marked = indicator[shuffled].astype(bool)
    marked = np.column_stack([marked, ~marked.any(1)])
    return shuffled[_least_seen_first(marked)]


def _least_seen_first(marked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The greedy order of the rows of bool [n, labels], where each row has a label."""
    samples, labels = len(marked), marked.shape[1]
    labels_of = _lists(np.nonzero(marked), samples)
    samples_of = [iter(rows) for rows in _lists(np.nonzero(marked.T), labels)]
    total = marked.sum(0).tolist()
    seen = [0] * labels
    used = bytearray(samples)
    order: list[int] = []
    # Counts in the heap may be old: one that is, is renewed when it comes up, not when it changes.
    heap = [(0, total[label], label) for label in range(labels)]
    heapq.heapify(heap)
    while heap:
        count, rarity, label = heap[0]
        if count < seen[label]:
            heapq.heapreplace(heap, (seen[label], rarity, label))
            continue
        sample = next((row for row in samples_of[label] if not used[row]), None)
        if sample is None:
            heapq.heappop(heap)
            continue
        used[sample] = 1
        order.append(sample)
        for other in labels_of[sample]:
            seen[other] += 1
    return np.array(order, np.int64)


def _lists(pairs: tuple[NDArray[np.int64], ...], count: int) -> list[list[int]]:
    """Row and column indices of the marks, sorted by row, as one list of columns per row."""
    rows, columns = pairs
    borders = [0, *np.cumsum(np.bincount(rows, minlength=count)).tolist()]
    flat = columns.tolist()
    return [flat[start:end] for start, end in pairwise(borders)]
