"""A task as a folder of ours: `train/CLASS/file` and `test/CLASS/file`, or a `labels.csv` for several labels."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import numpy as np

from headstart.challenge.unpack import safe_names
from headstart.data.walk import why
from headstart.errors import BadInput
from headstart.words.task import Samples, Task


@contextmanager
def new_folder(target: str) -> Iterator[str]:
    """A folder to be filled, which takes the name `target` when that is done; else nothing is left. Raises BadInput."""
    if os.path.lexists(target):
        raise BadInput(f"{target!r} exists: give another name, or remove it first.")
    partial = f"{os.path.abspath(target)}.part-{os.getpid()}"
    try:
        os.makedirs(partial)
        yield partial
        os.rename(partial, target)
    except OSError as error:
        raise BadInput(f"{target!r} cannot be written: {why(error)}.") from None
    finally:
        with suppress(OSError):
            shutil.rmtree(partial)


def place(task: Task, target: str) -> None:
    """Put the files of a task into a new folder: hard links where the disk allows, else copies. Raises BadInput."""
    with new_folder(target) as folder:
        rows: list[tuple[str, str, str]] = []
        for split, samples in (("train", task.train), ("test", task.test)):
            if samples is not None:
                rows += _place_split(task, split, samples, folder)
        if task.labels == "multi":
            with open(os.path.join(folder, "labels.csv"), "w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(["path", "labels", "split"])
                writer.writerows(rows)


def _place_split(task: Task, split: str, samples: Samples, folder: str) -> Iterable[tuple[str, str, str]]:
    folders = safe_names(task.classes)
    rows = []
    for number, path in enumerate(samples.paths):
        inside = split
        targets = samples.targets
        if targets is not None and task.labels == "single":
            inside = os.path.join(split, folders[int(targets[number])])
        name = f"{number:06d}_{os.path.basename(path)}"
        os.makedirs(os.path.join(folder, inside), exist_ok=True)
        _link(os.path.join(samples.root, path), os.path.join(folder, inside, name))
        if targets is not None and task.labels == "multi":
            given = [task.classes[column].replace(";", ",") for column in np.flatnonzero(targets[number])]
            rows.append((f"{inside}/{name}", ";".join(given), split))
    return rows


def _link(source: str, target: str) -> None:
    if os.path.isdir(source):
        shutil.copytree(source, target, copy_function=_link_file)
    else:
        _link_file(source, target)


def _link_file(source: str, target: str) -> None:
    try:
        os.link(os.path.realpath(source), target)
    except OSError:
        shutil.copyfile(source, target)
