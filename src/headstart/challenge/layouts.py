"""Datasets as people download them: which of their files are for training, which for the test, and what they show.

Known are the lists that come with UCF101, HMDB51 and JHMDB, something-something and Kinetics; whatever else is
there must be class folders, a list, or one of the challenge's own forms.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from headstart.challenge.labelled import labelled
from headstart.data.catalogue import Row
from headstart.data.kinds import FILMS, extension
from headstart.data.listing import PathList, natural_order
from headstart.data.walk import why
from headstart.errors import BadDataset
from headstart.words.task import Samples, Skipped, Task

_DEEP = 3  # folders below the download in which lists are looked for
_LISTED = 200  # missing files that are named


@dataclass(frozen=True)
class _Clip:
    """A listed video: its file name without folder and extension, its class, whether it is for the test."""

    stem: str
    label: str
    test: bool


def task_of(row: Row, folder: str) -> Task:
    """The task that a downloaded dataset states, with the targets of its test split. Raises BadDataset."""
    if not os.path.isdir(folder):
        raise BadDataset(f"{folder!r} is no folder: give the one into which {row.name} was downloaded.")
    try:
        clips = list(_listed(folder))
    except (OSError, ValueError, csv.Error, KeyError, TypeError, AttributeError) as error:
        raise BadDataset(f"the lists in {folder!r} cannot be read ({why(error)}).") from None
    if clips:
        return _of_clips(row, folder, clips)
    found = labelled(folder, row.kind).task
    return replace(found, name=row.key)


def _lists(folder: str) -> Iterator[tuple[str, str]]:
    """(name, path) of the files that could be lists, in natural order."""
    for above, folders, names in os.walk(folder):
        if os.path.relpath(above, folder).count(os.sep) >= _DEEP - 1:
            folders.clear()
        folders[:] = natural_order(folders)
        for name in natural_order(names):
            if extension(name) in ("txt", "json", "csv"):
                yield name, os.path.join(above, name)


def _listed(folder: str) -> Iterator[_Clip]:
    lists = list(_lists(folder))
    by_name = {name.lower(): path for name, path in lists}
    for split in ("train", "test"):  # UCF101
        if f"{split}list01.txt" in by_name:
            yield from _ucf(by_name[f"{split}list01.txt"], split == "test")
    for name, path in lists:  # HMDB51, JHMDB
        if match := re.fullmatch(r"(.+)_test_split1\.txt", name):
            yield from _hmdb(path, match[1])
    yield from _something(by_name)
    for split, names in (
        ("train", ["train.csv"]),
        ("test", ["val.csv", "validate.csv", "test.csv"]),
    ):  # Kinetics
        for name in [name for name in names if name in by_name][:1]:
            yield from _kinetics(by_name[name], split == "test")


def _ucf(path: str, test: bool) -> Iterator[_Clip]:
    """Lines such as `ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1`."""
    for line in _lines(path):
        label, _, name = line.split()[0].partition("/")
        yield _Clip(_stem(name), label, test)


def _hmdb(path: str, label: str) -> Iterator[_Clip]:
    """Lines such as `name.avi 1`: 1 is for training, 2 for the test, 0 for neither."""
    for line in _lines(path):
        name, _, use = line.rpartition(" ")
        if use in ("1", "2"):
            yield _Clip(_stem(name.strip()), label, use == "2")


def _something(by_name: dict[str, str]) -> Iterator[_Clip]:
    """JSON lists of {"id", "template"}; the template's brackets are no part of the class."""
    for split, words in (("train", ("train",)), ("test", ("validation",))):
        for word in words:
            path = by_name.get(f"something-something-v2-{word}.json") or by_name.get(f"{word}.json")
            if path is None:
                continue
            with open(path, encoding="utf-8") as file:
                for entry in json.load(file):
                    label = str(entry["template"]).replace("[", "").replace("]", "")
                    yield _Clip(str(entry["id"]), label, split == "test")


def _kinetics(path: str, test: bool) -> Iterator[_Clip]:
    """Rows with label, youtube_id, time_start, time_end; files are called `ID_000001_000011.mp4` or `ID.mp4`."""
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row.get("youtube_id") and row.get("label"):
                start, end = (int(float(row[key] or 0)) for key in ("time_start", "time_end"))
                yield _Clip(f"{row['youtube_id']}_{start:06d}_{end:06d}", row["label"], test)


def _lines(path: str) -> list[str]:
    with open(path, encoding="utf-8", errors="replace") as file:
        return [line.strip() for line in file if line.strip()]


def _stem(name: str) -> str:
    return os.path.basename(name).rpartition(".")[0] or name


def _of_clips(row: Row, folder: str, clips: Sequence[_Clip]) -> Task:
    """The task of listed videos, wherever below the folder they lie; those that are missing are skipped."""
    where = _videos(folder)
    classes = natural_order({clip.label for clip in clips})
    number = {label: place for place, label in enumerate(classes)}
    found: dict[bool, list[tuple[str, int]]] = {False: [], True: []}
    missing: list[str] = []
    for clip in clips:
        path = where.get(clip.stem) or where.get(re.sub(r"_\d{6}_\d{6}$", "", clip.stem))
        if path is None:
            missing.append(clip.stem)
        else:
            found[clip.test].append((path, number[clip.label]))
    if not found[False] or not found[True]:
        split = "test" if found[False] else "training"
        raise BadDataset(
            f"{folder!r} has lists of {row.name}, but none of the listed {split} videos is there."
        )
    skipped = [Skipped(stem, "listed, but there is no such video") for stem in missing[:_LISTED]]
    if len(missing) > _LISTED:
        skipped.append(Skipped(".", f"and {len(missing) - _LISTED} more videos are missing"))
    train, test = (
        Samples(folder, PathList(path for path, _ in some), np.array([label for _, label in some], np.int32))
        for some in (found[False], found[True])
    )
    note = (
        "split and classes by the lists that come with the dataset (the first split where there are several)"
    )
    return Task(row.key, "video", "single", tuple(classes), train, test, tuple(skipped), (note,))


def _videos(folder: str) -> dict[str, str]:
    """Path below the folder of each video, by its name without extension."""
    found: dict[str, str] = {}
    for above, _, names in os.walk(folder):
        for name in names:
            if extension(name) in FILMS:
                found[_stem(name)] = os.path.relpath(os.path.join(above, name), folder).replace(os.sep, "/")
    return found
