"""Which samples come from the same source, and folds that keep them on one side.

Held-out evidence flatters whatever memorises a source: a burst of photographs, the frames of a film,
a patient's two views. Sources show in the order of the files, in their names, and in near-equal pixels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Groups = NDArray[np.int32]
"""One number per sample, int32 [n]: samples with the same number belong together; -1 belongs to none."""

ALIKE = 0.995  # cosine of centred pixels above which two pictures are one picture
COMPARED = 5000  # more samples than these are compared by a hash, not each with each
STEMS = 10  # fewer different names than this say nothing about sources
_BLOCK = 512
_COUNTER = re.compile(r"(?:[\s_.#(\[-]*[0-9]+[)\]]?|[\s_.-]+[a-z])$", re.IGNORECASE)
_LETTER = re.compile(r"[^\W\d_]")
_SPLITS = frozenset({"train", "val", "valid", "validation"})


def folds(targets: NDArray[np.int32], k: int, groups: Groups, seed: int) -> NDArray[np.int8]:
    """The fold, 0 to k - 1, of each sample: int8 [n].

    Each class is cut into k blocks of samples that follow each other in the list, and the classes' blocks
    are dealt out in turn, so that folds are of equal size (exactly to one, where there are no groups).
    A group stays in one fold and counts where its first member stands. Ignored are groups of more than n / k
    samples, and those of a class that would be in a single fold because of them: every class of two or
    more samples is in two or more folds.
    """
    if not 2 <= k <= 127:
        raise ValueError(f"folds are 2 to 127 in number, not {k}")
    joined = _without_large(groups, len(targets) / k)
    rng = np.random.default_rng(seed)
    turn = rng.permutation(int(targets.max(initial=-1)) + 1)
    start = int(rng.integers(k))
    while True:
        fold = (_deal(targets, k, joined, turn) + start) % k
        alone = _in_one_fold(targets, fold, k)
        if not alone.any():
            return fold.astype(np.int8)
        joined[alone] = -1


def folds_multi(indicator: NDArray[np.uint8], k: int, groups: Groups, seed: int) -> NDArray[np.int8]:
    """The same for samples with any number of labels each; indicator: 0 or 1, uint8 [n, classes].

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas, ECML 2011): the label with the fewest samples
    left is dealt out next, each of its samples to the fold that lacks most of that label. A group (of at
    most n / k samples) is dealt out as one.
    """
    if not 2 <= k <= 127:
        raise ValueError(f"folds are 2 to 127 in number, not {k}")
    unit, counts, sizes = _units(indicator, _without_large(groups, len(indicator) / k))
    turn = np.random.default_rng(seed).permutation(len(sizes))
    lacking = np.repeat(counts.sum(axis=0)[None, :] / k, k, axis=0)
    room = np.full(k, sizes.sum() / k)
    dealt = np.full(len(sizes), -1)
    left = (counts > 0).sum(axis=0)
    holders = [turn[counts[turn, label] > 0] for label in range(counts.shape[1])]
    while left.any():
        label = int(np.argmin(np.where(left > 0, left, np.iinfo(left.dtype).max)))
        for one in holders[label]:
            if dealt[one] < 0:
                fold = int(np.lexsort((-room, -lacking[:, label]))[0])
                dealt[one] = fold
                lacking[fold] -= counts[one]
                room[fold] -= sizes[one]
                left -= counts[one] > 0
    for one in turn[dealt[turn] < 0]:  # without any label
        fold = int(np.argmax(room))
        dealt[one], room[fold] = fold, room[fold] - sizes[one]
    return dealt[unit].astype(np.int8)


def _units(
    indicator: NDArray[np.uint8], groups: Groups
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """What is dealt out: the unit of each sample [n], and each unit's labels [units, classes] and size [units]."""
    own = groups.astype(np.int64)
    alone = own < 0
    own[alone] = own.max(initial=-1) + 1 + np.arange(int(alone.sum()))
    _, unit = np.unique(own, return_inverse=True)
    sizes = np.bincount(unit)
    counts = np.zeros((len(sizes), indicator.shape[1]), np.int64)
    np.add.at(counts, unit, indicator)
    return unit, counts, sizes


def _without_large(groups: Groups, most: float) -> Groups:
    kept = groups.astype(np.int32, copy=True)
    members = np.bincount(kept[kept >= 0], minlength=1)
    kept[(kept >= 0) & (members[kept] > most)] = -1
    return kept


def _deal(targets: NDArray[np.int32], k: int, groups: Groups, turn: NDArray[np.int64]) -> NDArray[np.int64]:
    """Fold of each sample. A unit is a group or a sample of none; its class is that of its first member."""
    count = len(targets)
    grouped = np.flatnonzero(groups >= 0)
    if not len(grouped):
        return _deal_singly(targets, k, turn)
    first = np.arange(count)
    _, at, member = np.unique(groups[grouped], return_index=True, return_inverse=True)
    first[grouped] = grouped[at][member]
    label = targets[first]
    listed = np.lexsort((first, label))
    sizes = np.bincount(label, minlength=len(turn))
    rank = np.empty(count, np.int64)
    rank[listed] = np.arange(count) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    middle = rank[first] + np.bincount(first, minlength=count)[first] // 2
    # As np.array_split: the first `larger` blocks of a class hold one sample more. The next class begins
    # with the block after those, so that the surplus goes round.
    small, larger = np.divmod(sizes, k)
    edge = larger * (small + 1)
    within = middle - edge[label]
    block = np.where(
        within < 0, middle // (small + 1)[label], larger[label] + within // np.maximum(small, 1)[label]
    )
    offset = np.empty(len(turn), np.int64)
    offset[turn] = np.cumsum(sizes[turn]) - sizes[turn]
    dealt: NDArray[np.int64] = (block + offset[label]) % k
    return dealt


def _deal_singly(targets: NDArray[np.int32], k: int, turn: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same without groups, for a million samples in a twentieth of the time."""
    sizes = np.bincount(targets, minlength=len(turn))
    small, larger = np.divmod(sizes, k)
    offset = np.empty(len(turn), np.int64)
    offset[turn] = np.cumsum(sizes[turn]) - sizes[turn]
    blocks = np.arange(k)
    fold = (blocks + offset[:, None]) % k
    listed = np.repeat(fold.ravel(), (small[:, None] + (blocks < larger[:, None])).ravel())
    if (targets[1:] >= targets[:-1]).all():  # as folders list them
        return listed
    dealt = np.empty(len(targets), np.int64)
    dealt[np.argsort(targets, kind="stable")] = listed
    return dealt


def _in_one_fold(targets: NDArray[np.int32], fold: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """Whether a sample's class has other samples but no other fold, bool [n]."""
    classes = int(targets.max(initial=-1)) + 1
    cells = np.bincount(targets.astype(np.int64) * k + fold, minlength=classes * k).reshape(classes, k)
    alone = (np.count_nonzero(cells, axis=1) == 1) & (cells.sum(1) > 1)
    return np.asarray(alone[targets])


def name_groups(paths: Sequence[str]) -> Groups:
    """Groups by what file names share before a trailing counter: `cam3_0001.jpg` and `cam3_0002.jpg`.

    Files in a sub-folder of their class's folder share that folder instead. Names that are only numbers say
    nothing, nor do those that (nearly) all files of a class share. All is -1 where fewer than STEMS sources
    are left or one holds more than a fifth of all samples: then the names do not tell sources.
    paths: relative, with `/`, the class's folder first (or second, after `train` or `val`).
    """
    depth = int(len(paths) > 0 and all(path.partition("/")[0].lower() in _SPLITS for path in paths))
    sources: dict[str, list[int]] = {}
    in_class: dict[str, int] = {}
    for index, path in enumerate(paths):
        *folders, name = path.split("/")
        label = folders[depth] if len(folders) > depth else ""
        in_class[label] = in_class.get(label, 0) + 1
        source = "/".join(folders) + "/" if len(folders) > depth + 1 else _stem(name)
        if source:
            sources.setdefault(source, []).append(index)
    kept = [rows for rows in sources.values() if not _names_a_class(rows, paths, depth, in_class)]
    groups = np.full(len(paths), -1, np.int32)
    if len(kept) < STEMS or max(map(len, kept)) > len(paths) / 5:
        return groups
    for number, rows in enumerate(rows for rows in kept if len(rows) > 1):
        groups[rows] = number
    return groups


def _stem(name: str) -> str:
    """The name without extension and trailing counter; empty where no letter is left."""
    stem = _COUNTER.sub("", name.rpartition(".")[0] or name)
    return stem.lower() if _LETTER.search(stem) else ""


def _names_a_class(rows: list[int], paths: Sequence[str], depth: int, in_class: dict[str, int]) -> bool:
    """Whether four fifths of some class's files or more are among these: its name, not a source."""
    found: dict[str, int] = {}
    for row in rows:
        folders = paths[row].split("/")[:-1]
        label = folders[depth] if len(folders) > depth else ""
        found[label] = found.get(label, 0) + 1
    return len(rows) > 1 and any(5 * number >= 4 * in_class[label] for label, number in found.items())


def near_duplicates(tiny: NDArray[np.float32]) -> Groups:
    """Groups of nearly equal pictures.

    tiny: small raw pixels, one row per sample, float32 [n, d], such as 16 x 16 x 3 means.
    Rows are compared by the cosine of their differences from their own mean; rows without contrast are not.
    What is alike is joined, however long the chain. Beyond COMPARED samples only those are compared that
    agree in which of 64 stretches of the row are brighter than its mean: equal pictures are still found.
    """
    rows = tiny.astype(np.float32) - tiny.mean(1, dtype=np.float32, keepdims=True)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    rows /= np.where(length > 1e-6 * np.sqrt(max(1, rows.shape[1])), length, np.inf)
    labels = _by_pairs(rows) if len(rows) <= COMPARED else _by_hash(rows)
    return _numbered(labels)


def _by_pairs(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """A label per row, equal for rows that are alike.

    Averaging neighbours (an orthogonal projection) brings no two rows further apart. So most pairs are
    excluded in 64 dimensions, for a tenth of the work, and only the rest are compared in full.
    """
    labels = np.arange(len(rows))
    small = _averaged(rows)
    square = (small * small).sum(1)
    for start in range(0, len(rows), _BLOCK):
        here = slice(start, start + _BLOCK)
        apart = square[here, None] + square[None, start:] - 2 * (small[here] @ small[start:].T)
        maybe = apart < 2 - 2 * ALIKE + 1e-5
        np.fill_diagonal(maybe, False)
        left, right = np.flatnonzero(maybe.any(1)), np.flatnonzero(maybe.any(0))
        alike = rows[start + left] @ rows[start + right].T > ALIKE
        one, two = np.nonzero(alike)
        labels = _joined(labels, start + left[one], start + right[two])
    return labels


def _averaged(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Stretches of each row summed and scaled so that lengths never grow: at most 64 columns."""
    starts = np.unique(np.linspace(0, rows.shape[1], 65).astype(np.int64)[:-1])
    widths = np.diff(np.append(starts, rows.shape[1]))
    sums = np.add.reduceat(rows, starts, axis=1) / np.sqrt(widths)
    return np.asarray(sums, np.float32)


def _by_hash(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """A label per row: rows of one hash that are like its first row share a label."""
    bits = np.packbits(_averaged(rows) > 0, axis=1)
    _, at, member = np.unique(bits, axis=0, return_index=True, return_inverse=True)
    first = at[member.ravel()]
    labels = np.arange(len(rows))
    others = np.flatnonzero(first != labels)
    like = np.einsum("ij,ij->i", rows[others], rows[first[others]]) > ALIKE
    labels[others[like]] = first[others[like]]
    return labels


def merge(one: Groups, two: Groups) -> Groups:
    """Groups that join whatever either joins, int32 [n]."""
    labels = np.arange(len(one))
    for groups in (one, two):
        grouped = np.flatnonzero(groups >= 0)
        _, at, member = np.unique(groups[grouped], return_index=True, return_inverse=True)
        labels = _joined(labels, grouped, grouped[at][member])
    return _numbered(labels)


def _joined(labels: NDArray[np.int64], one: NDArray[np.int64], two: NDArray[np.int64]) -> NDArray[np.int64]:
    """Labels after joining the samples of each pair; a label is the smallest index of its samples."""
    while True:
        left, right = labels[one], labels[two]
        if np.array_equal(left, right):
            return labels
        lower = np.minimum(left, right)
        np.minimum.at(labels, left, lower)
        np.minimum.at(labels, right, lower)
        while not np.array_equal(labels, labels[labels]):
            labels = labels[labels]


def _numbered(labels: NDArray[np.int64]) -> Groups:
    """Labels as group numbers from 0; -1 for samples on their own."""
    _, member, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    shared = sizes > 1
    number = np.where(shared, np.cumsum(shared) - 1, -1)
    return number[member].astype(np.int32)
