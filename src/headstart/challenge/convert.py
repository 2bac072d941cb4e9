"""From a folder of samples to the form of the AutoDL challenge, and back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from headstart.challenge.contents import Form, sample
from headstart.challenge.labelled import labelled, split_off
from headstart.challenge.unpack import Layout, unpack
from headstart.data.autodl.dataset import open_dataset
from headstart.data.autodl.index import OnCorrupt
from headstart.data.autodl.layout import DATA, is_autodl
from headstart.data.autodl.writer import Sample, write_dataset
from headstart.errors import BadDataset, BadInput
from headstart.words.task import Kind, LabelKind, Samples, Skipped, Task

As = Literal["autodl", "folder", "donors"]


@dataclass(frozen=True)
class Conversion:
    """What was written. solved: whether the labels of the test split are known and written too.

    skipped: what could not be used and was left out. notes: what was found or decided on the way.
    """

    source: str
    target: str
    form: As
    kind: Kind
    labels: LabelKind
    classes: int
    train: int
    test: int
    solved: bool
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    as_: As | None = None,
    *,
    corrupt: OnCorrupt = "raise",
    kind: Kind | None = None,
    label_kind: LabelKind | None = None,
    test_share: float = 0.2,
    seed: int = 0,
    form: Form | None = None,
) -> Conversion:
    """Write the samples of `source` in another form to `target`, which must not exist.

    source: a folder as for `fit` (also with a labelled `test/`), a list, the donors' form, or an AutoDL dataset.
    as_: the form to be written; by default AutoDL where `source` is a folder, and a folder where it is AutoDL.
    corrupt: "raise" at what is damaged, or "skip" and list it. test_share, seed: where there is no test split, this
    share of each class is split off. form: of the content of AutoDL samples. Raises BadInput.
    """
    given, wanted = os.fspath(source), os.fspath(target)
    if is_autodl(given):
        if as_ == "autodl":
            raise BadInput(f"{given!r} is an AutoDL dataset already: choose the form folder or donors.")
        return _from_autodl(given, wanted, as_ or "folder", corrupt, kind, label_kind)
    if as_ not in (None, "autodl"):
        raise BadInput(f"{given!r} is a folder of files: it can be converted to the AutoDL form only.")
    return to_autodl(
        labelled(given, kind, label_kind).task,
        wanted,
        corrupt=corrupt,
        share=test_share,
        seed=seed,
        form=form,
    )


def to_autodl(
    task: Task,
    target: str,
    *,
    corrupt: OnCorrupt = "raise",
    share: float = 0.2,
    seed: int = 0,
    form: Form | None = None,
) -> Conversion:
    """Write a task of files as an AutoDL dataset; its test split may have targets. Raises BadInput."""
    target = target.rstrip("/" + os.sep)
    if not target.endswith(DATA):
        raise BadInput(f"{target!r} is no name of an AutoDL dataset: call it NAME{DATA}.")
    if task.test is None:
        task = split_off(task, share, seed)
    assert task.test is not None
    work = _ToRecords(task, corrupt, form or Form())
    solved = task.test.targets is not None
    above = os.path.dirname(os.path.abspath(target))
    if not os.path.isdir(above):
        raise BadInput(f"{above!r} does not exist: make it first, or give another target.")
    names = {name: place for place, name in enumerate(task.classes)}
    train, test = write_dataset(
        target, names, work.samples(task.train, seed), work.samples(task.test, seed + 1), solved=solved
    )
    notes = task.notes if solved else (*task.notes, "the labels of the test split are not known: no solution")
    return Conversion(
        task.train.root, target, "autodl", task.kind, task.labels, len(names), train, test, solved,
        (*task.skipped, *work.skipped), notes,
    )  # fmt: skip


@dataclass
class _ToRecords:
    """Files of a task as samples, one after the other."""

    task: Task
    corrupt: OnCorrupt
    form: Form
    skipped: list[Skipped] = field(default_factory=list)

    def samples(self, split: Samples, seed: int) -> Iterator[Sample]:
        """In random order: learners read records from the front, and the order of test records must tell nothing."""
        order = np.random.default_rng(seed).permutation(len(split))
        columns = replace(self.task, train=split).indicator() if split.targets is not None else None
        for row in order:
            path = os.path.join(split.root, split.paths[int(row)])
            labels = np.flatnonzero(columns[row]).tolist() if columns is not None else []
            found = sample(path, self.task.kind, labels, self.form)
            if not isinstance(found, Skipped):
                yield found
            elif self.corrupt == "raise":
                raise BadDataset(f"{path!r}: {found.reason}: mend or remove it, or skip what is damaged.")
            else:
                self.skipped.append(found)


def _from_autodl(
    source: str, target: str, form: As, corrupt: OnCorrupt, kind: Kind | None, label_kind: LabelKind | None
) -> Conversion:
    dataset = open_dataset(source, corrupt, kind, label_kind)
    written = unpack(dataset, target, Layout(form), corrupt)
    task = dataset.task
    notes = (*task.notes, *written.notes)
    return Conversion(
        source, target, form, task.kind, written.labels, len(task.classes), written.train, written.test,
        written.solved, (*task.skipped, *written.skipped), notes,
    )  # fmt: skip
