"""What `inspect` found in a folder of samples, and its JSON.

`Inspection.to_json` gives one object whose keys are stable (new ones may be added):

    name, path, kind, labels  the task: kind image or video, labels single or multi
    checked      how closely each file was looked at: "headers", "decoded", or "names" (not opened, but for equals)
    splits       list of {name: train or test, root, files, usable}
    classes      list of {name, files, bad}: usable training files and the others, in class order
    imbalance    {largest, smallest: class names, ratio: of their files, single: classes with one usable file,
                 empty: classes without any}; ratio is null and the names are empty where no file is usable
    per_sample   multi-label only, else null: {fewest, mean, most: classes of a usable file, none: files without any}
    sizes        null where nothing was measured, else {measured, width, height: [smallest, median, largest],
                 different, common: list of [width, height, files], most frequent first}, in pixels, as shown
    duplicates   {within_class, across_classes, across_splits}: each {groups, files, listed}
    left_out     {count, reasons: list of [reason, files], listed: list of {path, reason}}
    notes        sentences on how kind, labels and splits were found

Duplicates are usable files of exactly equal content. within_class: training files of one class, `files` = how many
could go; across_classes: training files with different labels, `files` = all of them; across_splits: `files` = test
files that equal a training file. Counts are complete; `listed` holds at most 100 groups of at most 20 paths (the
first and the last among them), and at most 10 000 files that are left out. Paths are relative to `path`, those of
another test folder begin with its name.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Literal

from headstart.words.task import Kind, LabelKind, Skipped

Checked = Literal["names", "headers", "decoded"]


@dataclass(frozen=True)
class Split:
    """A split: where it lies and how many of its files are usable."""

    name: str
    root: str
    files: int
    usable: int


@dataclass(frozen=True)
class ClassCount:
    """A class, its usable training files and those that are not."""

    name: str
    files: int
    bad: int


@dataclass(frozen=True)
class Imbalance:
    """The largest and the smallest class that has usable files, and the ratio of their sizes."""

    largest: str
    smallest: str
    ratio: float | None
    single: tuple[str, ...]
    empty: tuple[str, ...]


@dataclass(frozen=True)
class PerSample:
    """How many classes a file of a multi-label task belongs to; none: files that belong to no class."""

    fewest: int
    mean: float
    most: int
    none: int


@dataclass(frozen=True)
class Sizes:
    """Sizes in pixels: (smallest, median, largest) of each side, and the most frequent (width, height, files)."""

    measured: int
    width: tuple[int, int, int]
    height: tuple[int, int, int]
    different: int
    common: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Equal:
    """Groups of files of equal content; what `files` counts is said in the module's text."""

    groups: int
    files: int
    listed: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Duplicates:
    """Equal files by where they stand to each other; a group may be in several of these."""

    within_class: Equal
    across_classes: Equal
    across_splits: Equal


@dataclass(frozen=True)
class LeftOut:
    """Files that cannot be used: all are counted, not all are listed."""

    count: int
    reasons: tuple[tuple[str, int], ...]
    listed: tuple[Skipped, ...]


@dataclass(frozen=True)
class Inspection:
    """What was found; the module's text says what each part means."""

    name: str
    path: str
    kind: Kind
    labels: LabelKind
    checked: Checked
    splits: tuple[Split, ...]
    classes: tuple[ClassCount, ...]
    imbalance: Imbalance
    per_sample: PerSample | None
    sizes: Sizes | None
    duplicates: Duplicates
    left_out: LeftOut
    notes: tuple[str, ...]

    def to_json(self) -> str:
        """One JSON object in ASCII; its keys are in the module's text."""
        return json.dumps(dataclasses.asdict(self))
