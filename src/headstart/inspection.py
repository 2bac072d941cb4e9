"""What a folder of samples holds, before anything is learnt from it: counts, sizes, equal files, bad files."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from headstart.data import videos
from headstart.data.duplicates import equal_files, standing
from headstart.data.images import decode as decode_image
from headstart.data.images import peek
from headstart.data.kinds import is_film
from headstart.data.scan import scan, scan_unlabelled
from headstart.words.findings import (
    Checked,
    ClassCount,
    Duplicates,
    Equal,
    Imbalance,
    Inspection,
    LeftOut,
    PerSample,
    Sizes,
    Split,
)
from headstart.words.task import Kind, LabelKind, Samples, Skipped, Task

Measure = Callable[[str], tuple[int, int] | Skipped]
"""From a file's path to its width and height as shown, or why it cannot be used. Called from several threads."""

GROUPS, MEMBERS, BAD, COMMON = 100, 20, 10_000, 5  # how much is listed at most
_CHUNK = 256  # files between two calls of `progress`
_FRAMES = 8  # of a video, evenly spaced
_DECODED = 32  # pixels that a file is decoded to: every byte is read, but a JPEG is not blown up for nothing


def inspect(
    path: str | os.PathLike[str],
    *,
    test: str | os.PathLike[str] | None = None,
    kind: Kind | None = None,
    labels: LabelKind | None = None,
    decode: bool = False,
    measure: Measure | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Inspection:
    """Look at every file of a folder (or a list) that `fit` could be given. Nothing is written.

    test: another folder of unlabelled files, as for `fit`. kind, labels: instead of what is found, as for `fit`.
    decode: decode every picture and some frames of every video, which finds those that are cut short; else the
    header has to do. measure: looks at a file in place of either. progress: told (files done, files in all) now and
    then. Raises BadDataset as `scan` does.
    """
    task = scan(path, kind=kind, labels=labels)
    if test is not None:
        samples, skipped = scan_unlabelled(test, task.kind)
        task = dataclasses.replace(task, test=samples, skipped=task.skipped + skipped)
    files = _Files(task)
    measure = measure or _measure(task, decode)
    checked: Checked = "names" if measure is None else "decoded" if decode else "headers"
    shapes, bad = np.zeros((len(files), 2), np.int32), _Bad(files)
    if measure is not None:
        shapes, bad = _measured(files, measure, progress)
    usable = shapes[:, 0] >= 0
    counts = _class_counts(task, usable[: files.trained])
    return Inspection(
        task.name, os.fspath(path), task.kind, task.labels, checked, _splits(task, usable), counts,
        _imbalance(counts), _per_sample(task, usable[: files.trained]),
        None if checked == "names" else _sizes(shapes[usable]), _duplicates(task, files, usable), bad.left_out(),
        task.notes,
    )  # fmt: skip


class _Files:
    """The files of all splits in one row: first those to train on, then those of the test split."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.trained = len(task.train)
        self._test = task.test if task.test is not None else Samples(task.train.root, ())
        inside = self._test.root.startswith(task.train.root.rstrip("/") + "/")
        lead = (
            os.path.relpath(self._test.root, task.train.root) if inside else os.path.basename(self._test.root)
        )
        self._lead = "" if self._test.root == task.train.root else lead.replace(os.sep, "/") + "/"

    def __len__(self) -> int:
        return self.trained + len(self._test)

    def path(self, row: int) -> str:
        """Where the file lies."""
        samples, at = (self.task.train, row) if row < self.trained else (self._test, row - self.trained)
        return f"{samples.root}/{samples.paths[at]}"

    def shown(self, row: int) -> str:
        """The path that a user reads."""
        train = self.task.train
        return train.paths[row] if row < self.trained else self._lead + self._test.paths[row - self.trained]


class _Bad:
    """Account of the files that cannot be used."""

    def __init__(self, files: _Files) -> None:
        skipped = files.task.skipped
        self._files, self._listed = files, list(skipped)
        self._reasons = Counter(item.reason for item in skipped)

    def add(self, row: int, reason: str) -> None:
        self._reasons[reason] += 1
        if len(self._listed) < BAD:
            self._listed.append(Skipped(self._files.shown(row), reason))

    def left_out(self) -> LeftOut:
        return LeftOut(self._reasons.total(), tuple(self._reasons.most_common()), tuple(self._listed[:BAD]))


def _measure(task: Task, decode: bool) -> Measure | None:
    """What looks at a file; None where videos cannot be opened, as PyAV is not there."""
    if task.kind == "image":
        return _decoded if decode else peek
    if find_spec("av") is None and any(map(is_film, task.train.paths)):
        return None
    return _decoded_clip if decode else videos.size


def _decoded_clip(path: str) -> tuple[int, int] | Skipped:
    found = videos.clips(path, _FRAMES, (_DECODED,))
    return found if isinstance(found, Skipped) else videos.size(path)


def _decoded(path: str) -> tuple[int, int] | Skipped:
    pixels = decode_image(path, _DECODED)
    return pixels if isinstance(pixels, Skipped) else peek(path)


def _measured(
    files: _Files, measure: Measure, progress: Callable[[int, int], None] | None
) -> tuple[NDArray[np.int32], _Bad]:
    """Width and height of each file, int32 [n, 2], -1 for bad files; and an account of those."""
    shapes, bad = np.full((len(files), 2), -1, np.int32), _Bad(files)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for start in range(0, len(files), _CHUNK):  # not all at once: each call that waits takes memory
            rows = range(start, min(start + _CHUNK, len(files)))
            for row, found in zip(rows, pool.map(measure, map(files.path, rows)), strict=True):
                if isinstance(found, Skipped):
                    bad.add(row, found.reason)
                else:
                    shapes[row] = found
            if progress is not None:
                progress(rows.stop, len(files))
    return shapes, bad


def _splits(task: Task, usable: NDArray[np.bool_]) -> tuple[Split, ...]:
    count = len(task.train)
    splits = [Split("train", task.train.root, count, int(usable[:count].sum()))]
    if task.test is not None:
        splits.append(Split("test", task.test.root, len(task.test), int(usable[count:].sum())))
    return tuple(splits)


def _class_counts(task: Task, usable: NDArray[np.bool_]) -> tuple[ClassCount, ...]:
    targets = task.train.targets
    assert targets is not None  # of a training split they are known
    if targets.ndim == 2:
        listed, good = targets.sum(0, np.int64), targets[usable].sum(0, np.int64)
    else:
        listed, good = (
            np.bincount(part.astype(np.int64), minlength=len(task.classes))
            for part in (targets, targets[usable])
        )
    return tuple(
        ClassCount(name, int(n), int(total - n))
        for name, n, total in zip(task.classes, good, listed, strict=True)
    )


def _imbalance(counts: tuple[ClassCount, ...]) -> Imbalance:
    filled = [item for item in counts if item.files]
    single = tuple(item.name for item in counts if item.files == 1)
    empty = tuple(item.name for item in counts if not item.files)
    if not filled:
        return Imbalance("", "", None, single, empty)
    largest, smallest = max(filled, key=lambda c: c.files), min(filled, key=lambda c: c.files)
    return Imbalance(largest.name, smallest.name, round(largest.files / smallest.files, 3), single, empty)


def _per_sample(task: Task, usable: NDArray[np.bool_]) -> PerSample | None:
    if task.labels == "single" or not usable.any():
        return None
    number = task.indicator()[usable].sum(1, np.int64)
    return PerSample(
        int(number.min()), round(float(number.mean()), 3), int(number.max()), int((number == 0).sum())
    )


def _sizes(shapes: NDArray[np.int32]) -> Sizes | None:
    if not len(shapes):
        return None
    ranks = np.sort(shapes, axis=0)[[0, len(shapes) // 2, -1]]
    different, counts = np.unique(shapes, axis=0, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:COMMON]
    width, height = (tuple(int(value) for value in ranks[:, side]) for side in (0, 1))
    common = tuple((int(different[i, 0]), int(different[i, 1]), int(counts[i])) for i in most)
    return Sizes(len(shapes), width, height, len(different), common)  # type: ignore[arg-type]


def _duplicates(task: Task, files: _Files, usable: NDArray[np.bool_]) -> Duplicates:
    groups = np.where(usable, equal_files(len(files), files.path), -1)
    found = standing(groups, _labels(task))
    rows = np.flatnonzero(groups >= 0)
    rows = rows[np.argsort(groups[rows], kind="stable")]

    def equal(chosen: NDArray[np.bool_], counted: NDArray[np.int64], among: NDArray[np.int64]) -> Equal:
        numbers = np.flatnonzero(chosen)
        starts = np.searchsorted(groups[among], numbers[:GROUPS])
        ends = np.searchsorted(groups[among], numbers[:GROUPS], "right")
        listed = (among[_spread(start, end)] for start, end in zip(starts, ends, strict=True))
        shown = tuple(tuple(files.shown(int(row)) for row in members) for members in listed)
        return Equal(len(numbers), int(counted[numbers].sum()), shown)

    trained = rows[rows < files.trained]
    return Duplicates(
        equal(found.repeated > 0, found.repeated, trained),
        equal(found.labels > 1, found.trained, trained),
        equal((found.trained > 0) & (found.tested > 0), found.tested, rows),
    )


def _spread(start: int, end: int) -> NDArray[np.int64]:
    """At most MEMBERS places, the first and the last among them: what makes a group worth telling may be at its end."""
    return np.unique(np.linspace(start, end - 1, min(end - start, MEMBERS)).astype(np.int64))


def _labels(task: Task) -> NDArray[np.int64]:
    """One number per training file; those of the same label (multi-label: the same set of labels) share it."""
    targets = task.train.targets
    assert targets is not None
    if targets.ndim == 1:
        return targets.astype(np.int64)
    number: NDArray[np.int64] = np.unique(targets, axis=0, return_inverse=True)[1].ravel().astype(np.int64)
    return number
