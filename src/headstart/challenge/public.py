"""What a learner may see of a task, and what only the judge may: the PUBLIC task, and the answers.

A task is a folder with `train/` and a labelled `test/` (class folders or lists), or an AutoDL folder with `NAME.data`
and `NAME.solution`. Test files are copied under numbers, in the order of their checksums and with one time for all,
so that neither names nor order, times or inodes tell the classes; the order is the same in every run.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.challenge.labelled import labelled
from headstart.data.autodl import records
from headstart.data.autodl.dataset import AutoDL, open_dataset
from headstart.data.autodl.examples import Unsupported, parse, serialise
from headstart.data.autodl.layout import TEST, TRAIN, is_autodl, layout
from headstart.data.autodl.metadata import FILE
from headstart.data.autodl.protobuf import Malformed
from headstart.data.kinds import extension
from headstart.data.scan import VALIDATION
from headstart.data.walk import why
from headstart.errors import BadDataset, BadInput
from headstart.words.task import Samples, Task

PUBLIC, ANSWERS, DOCUMENT = "public", "answers.npz", "task.json"
_MOMENT = 1_556_668_800  # seconds since 1970, of all test files


@dataclass(frozen=True)
class Public:
    """The task as the learner gets it. folder: PUBLIC. test: names in the order of the rows; () for AutoDL records."""

    folder: str
    name: str
    form: str
    kind: str
    labels: str
    classes: tuple[str, ...]
    test: tuple[str, ...]
    n_test: int
    n_train: int

    def summary(self) -> dict[str, object]:
        """What a record of the run says of the task."""
        about: dict[str, object] = {key: getattr(self, key) for key in ("name", "form", "kind", "labels")}
        return about | {"n_train": self.n_train, "n_test": self.n_test, "n_classes": len(self.classes)}


def make_public(task: str, out: str, budget: float, link: bool = False) -> Public:
    """Write `out/public/` and `out/answers.npz` from a task. Raises BadDataset, BadInput.

    budget: seconds, told to the learner. link: training files are hard links where that can be, rather than copies:
    quicker, but a learner that writes into them then damages the task.
    answers.npz holds `truth`, uint8 [n_test, classes] of 0 and 1, and `classes`.
    """
    folder = os.path.join(out, PUBLIC)
    try:
        os.makedirs(folder)
        public, truth = (_from_records if is_autodl(task) else _from_folder)(task, folder, link)
        document = {**_document(public), "budget": budget}
        with open(os.path.join(folder, DOCUMENT), "w", encoding="utf-8") as file:
            json.dump(document, file, ensure_ascii=False)
        _write_answers(os.path.join(out, ANSWERS), truth, public.classes)
    except OSError as error:
        raise BadInput(f"the task cannot be laid out in {out!r}: {why(error)}.") from None
    return public


def private(task: str) -> list[str]:
    """The files and folders of a task that tell the answers."""
    path = os.path.abspath(task)
    if is_autodl(path):
        solution = layout(path).solution
        return [path, *([solution] if solution else [])]
    return [path if os.path.isdir(path) else os.path.dirname(path)]


def _document(public: Public) -> dict[str, Any]:
    return {
        "name": public.name,
        "form": public.form,
        "kind": public.kind,
        "labels": public.labels,
        "classes": list(public.classes),
        "test": list(public.test),
        "n_test": public.n_test,
    }


def _write_answers(path: str, truth: NDArray[np.uint8], classes: Sequence[str]) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        np.savez_compressed(file, truth=truth, classes=np.array(classes, dtype=np.str_))


def _from_folder(path: str, folder: str, link: bool) -> tuple[Public, NDArray[np.uint8]]:
    found = labelled(path)
    task, truth = found.task, found.answers
    if task.test is None or not len(task.test):
        raise BadDataset(f"{path!r} has no test split: put labelled test files into test/, as in train/.")
    if truth is None:
        raise BadDataset(
            f"the test split of {path!r} has no labels for every file: put its files into folders of the classes "
            "of train/, or list them all in test/labels.csv, so that predictions can be scored."
        )
    _copy_training(task, os.path.join(folder, TRAIN), link)
    order = _by_content(task.test)
    names = _copy_test(task.test, order, os.path.join(folder, TEST))
    public = Public(
        folder, _plain(task.name), "folder", task.kind, task.labels, task.classes, tuple(names), len(names),
        len(task.train),
    )  # fmt: skip
    return public, truth[order]


def _plain(name: str) -> str:
    """A task's name as part of a file's name: official programs split at the first dot."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:80] or "task"


def _copy_training(task: Task, folder: str, link: bool) -> None:
    """Training files in the folders of their classes, or where they are not in such, beside a `labels.csv`."""
    targets = task.indicator()
    labels = [[task.classes[int(column)] for column in np.flatnonzero(row)] for row in targets]
    paths = [path.partition("/")[2] if _is_split(path) else path for path in task.train.paths]
    in_folders = task.labels == "single" and all(
        path.startswith(own[0] + "/") for path, own in zip(paths, labels, strict=True)
    )
    rows = []
    for number, path in enumerate(paths):
        target = _target(path, number, folder)
        _copy(os.path.join(task.train.root, task.train.paths[number]), os.path.join(folder, target), link)
        rows.append((target, ";".join(labels[number])))
    if not in_folders:
        header = ("path", "label" if task.labels == "single" else "labels")
        with open(os.path.join(folder, "labels.csv"), "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])


def _is_split(path: str) -> bool:
    return path.partition("/")[0].lower() in (TRAIN, *VALIDATION)


def _target(wanted: str, number: int, folder: str) -> str:
    """A path that is not taken yet (training and validation folders may hold equal names)."""
    if not os.path.lexists(os.path.join(folder, wanted)):
        return wanted
    above, last = os.path.split(wanted)
    return os.path.join(above, f"{number}-{last}")


def _copy(source: str, target: str, link: bool) -> None:
    """Copy a file, or a folder of frames; links are followed."""
    if os.path.isdir(source):
        for name in sorted(os.listdir(source)):
            _copy(os.path.join(source, name), os.path.join(target, name), link)
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if link:
        with suppress(OSError):
            os.link(os.path.realpath(source), target)
            return
    shutil.copyfile(source, target)


def _by_content(samples: Samples) -> NDArray[np.int64]:
    """An order that only depends on what the files hold (and, of equal ones, on their number)."""
    digests = [_digest(os.path.join(samples.root, path)) for path in samples.paths]
    return np.array(sorted(range(len(digests)), key=lambda n: (digests[n], n)), np.int64)


def _digest(path: str) -> bytes:
    digest = hashlib.sha256(b"headstart")
    for file in _files(path):
        with open(file, "rb") as stream:
            while part := stream.read(1 << 20):
                digest.update(part)
    return digest.digest()


def _files(path: str) -> Iterator[str]:
    if not os.path.isdir(path):
        yield path
        return
    for name in sorted(os.listdir(path)):
        yield from _files(os.path.join(path, name))


def _copy_test(samples: Samples, order: NDArray[np.int64], folder: str) -> list[str]:
    os.makedirs(folder)
    digits = max(6, len(str(len(order))))
    names = []
    for number, row in enumerate(order):
        source = os.path.join(samples.root, samples.paths[int(row)])
        ending = "" if os.path.isdir(source) else f".{extension(source)}"
        names.append(f"{number:0{digits}d}{ending}")
        target = os.path.join(folder, names[-1])
        _copy(source, target, link=False)
        for file in (*_files(target), target):
            os.utime(file, (_MOMENT, _MOMENT))
    return names


def _from_records(path: str, folder: str, link: bool) -> tuple[Public, NDArray[np.uint8]]:
    dataset = open_dataset(path)
    task = dataset.task
    if task.test is None:
        raise BadDataset(f"{path!r} has no test records.")
    truth = dataset.solution()
    if truth is None:
        raise BadDataset(f"{path!r} has no solution: put {task.name}.solution beside {task.name}.data.")
    inner = os.path.join(folder, f"{task.name}.data")
    for split in (TRAIN, TEST):
        os.makedirs(os.path.join(inner, split))
        opened = dataset.splits[split]
        told = split == TEST and bool(opened.index.counts().any())
        for shard in opened.index.files:
            target = os.path.join(inner, split, os.path.basename(shard))
            if told:
                _erase(dataset, shard, target)
            else:
                _copy(shard, target, link and split == TRAIN)
        above = os.path.dirname(opened.index.files[0])
        shutil.copyfile(os.path.join(above, FILE), os.path.join(inner, split, FILE))
    public = Public(
        folder, task.name, "autodl", task.kind, task.labels, task.classes, (), len(truth), len(task.train)
    )
    return public, truth


def _erase(dataset: AutoDL, shard: str, target: str) -> None:
    """Copy a file of test records without the labels that are in it."""

    def blank() -> Iterator[bytes]:
        with open(shard, "rb") as file:
            for place in records.walk(file, shard):
                yield serialise(parse(records.read(file, shard, place)), told=False)

    try:
        records.write(target, blank())
    except (records.Corrupt, Malformed, Unsupported) as error:
        raise BadDataset(f"the labels in {shard!r} cannot be taken out: {error}.") from None
