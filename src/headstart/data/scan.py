"""From a folder to a Task: which classes there are, which files belong to each. No file is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from headstart.data.listing import PathList, natural_order
from headstart.data.walk import Inode, Inside, Walk, why
from headstart.errors import BadDataset
from headstart.words.task import Samples, Skipped, Task

IMAGES = frozenset(["jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "tif", "tiff", "gif", "ppm"])
TRAIN, VALIDATION, TEST = "train", ("val", "valid", "validation"), "test"
LOOSE = "lies beside the class folders, so it has no label"


def scan(path: str | os.PathLike[str], name: str | None = None) -> Task:
    """The task that a folder of images states: one sub-folder per class, however deep the files lie in it.

    Where the folder holds `train/` and `test/` (or `val/`) whose sub-folders are the classes, training is on
    `train/` and `val/`, and `test/` becomes `Task.test` with its own root and no targets: they are not read.
    Classes and files are in natural order. Targets are int32 [n]. Paths are relative to `Samples.root`
    and use `/`. What cannot be used is in `Task.skipped`, with paths relative to the folder.
    Raises BadDataset where there are not at least two classes with an image.
    """
    root = _folder(path)
    walk = Walk(root, IMAGES)
    top = walk.inside("")
    splits = _splits(top, root)
    for file in top.files:
        walk.skip(file, LOOSE)
    counts, listing = _list_classes(walk, _class_folders(walk, top, splits), splits)
    if len(counts) < 2:
        raise BadDataset(_too_few(root, counts, bool(splits), walk))
    test = _test_split(walk, top) if splits else None
    targets = np.repeat(np.arange(len(counts), dtype=np.int32), list(counts.values()))
    title = name or _title(root)
    train = Samples(root, listing, targets)
    return Task(title, "image", "single", tuple(counts), train, test, walk.all_skipped())


def scan_unlabelled(path: str | os.PathLike[str]) -> tuple[Samples, tuple[Skipped, ...]]:
    """All images below a folder in natural order, without labels; and what was skipped.

    Raises BadDataset where there is no folder or no image in it.
    """
    root = _folder(path)
    walk = Walk(root, IMAGES)
    listing = PathList(walk.files("", set()))
    if not listing:
        raise BadDataset(f"{root!r} holds no image (files that count: {_extensions()}).")
    return Samples(root, listing), walk.all_skipped()


def _title(root: str) -> str:
    """The folder's name; of `birds/train` it is `birds` that tells something."""
    above, last = os.path.split(root)
    return (os.path.basename(above) if last.lower() in (TRAIN, "training") else "") or last or "images"


def _folder(path: str | os.PathLike[str]) -> str:
    """The absolute path of a folder that can be listed, or BadDataset."""
    given = os.fspath(path)
    way_out = "give the folder that holds one sub-folder per class"
    try:
        root = os.path.abspath(given)
        with os.scandir(root):
            return root
    except FileNotFoundError:
        raise BadDataset(f"{given!r} does not exist: {way_out}.") from None
    except NotADirectoryError:
        raise BadDataset(f"{given!r} is a file: {way_out}.") from None
    except (OSError, ValueError) as error:
        raise BadDataset(f"{given!r} cannot be read ({why(error)}): check its permissions.") from None


def _splits(top: Inside, root: str) -> tuple[str, ...]:
    """The folders to train on, where the dataset comes in splits; else nothing.

    `train/` beside `test/` or `val/`, or alone, if it holds folders rather than images:
    a class may be called `train`, too.
    """
    named = {folder.lower(): folder for folder in top.folders}
    validation = [named[word] for word in VALIDATION if word in named]
    if TRAIN not in named or not (TEST in named or validation or len(named) == 1):
        return ()
    inside = Walk(root, IMAGES).inside(named[TRAIN])
    return (named[TRAIN], *validation) if len(inside.folders) > len(inside.files) else ()


def _class_folders(walk: Walk, top: Inside, splits: tuple[str, ...]) -> dict[str, list[str]]:
    """For each class in natural order, the folders that hold its files."""
    if not splits:
        return {label: [label] for label in top.folders}
    for folder in top.folders:
        if folder not in splits and folder.lower() != TEST:
            walk.skip(folder, "a folder beside those of the splits")
    folders: dict[str, list[str]] = {}
    for split in splits:
        inside = walk.inside(split)
        for name in inside.files:
            walk.skip(f"{split}/{name}", LOOSE)
        for name in inside.folders:
            folders.setdefault(name, []).append(f"{split}/{name}")
    return {label: folders[label] for label in natural_order(folders)}


def _list_classes(
    walk: Walk, folders: dict[str, list[str]], splits: tuple[str, ...]
) -> tuple[dict[str, int], PathList]:
    """How many files each class has, of those that have any; and all files, class by class."""
    counts: dict[str, int] = {}
    above: set[Inode] = set()
    for folder in ("", *splits):
        walk.enter(folder, above)

    def paths() -> Iterator[str]:
        for label, places in folders.items():
            seen = set(above)  # no folder counts twice in a class; two classes may link to the same one
            number = 0
            for place in places:
                for path in walk.files(place, seen):
                    number += 1
                    yield path
            if number:
                counts[label] = number
            else:
                walk.skip(places[0], "a class folder without an image")

    listing = PathList(paths())
    return counts, listing


def _test_split(walk: Walk, top: Inside) -> Samples | None:
    for folder in top.folders:
        if folder.lower() == TEST:
            lead = len(folder) + 1
            listing = PathList(path[lead:] for path in walk.files(folder, set()))
            return Samples(f"{walk.root}/{folder}", listing) if listing else None
    return None


def _too_few(root: str, counts: dict[str, int], splits: bool, walk: Walk) -> str:
    loose = sum(skipped.reason == LOOSE for skipped in walk.skipped)
    if counts:
        ((label, images),) = counts.items()
        found = f"a single class ({label!r}, {images} image{'s' * (images != 1)})"
    elif loose:
        found = f"{loose} image{'s' * (loose != 1)} but no class folder with an image"
    else:
        found = "no image in any class folder" if walk.skipped else "nothing"
    layout = "train/CLASS/picture.jpg" if splits else "CLASS/picture.jpg"
    return (
        f"{root!r} holds {found}, and at least two classes are needed: put the images of each class "
        f"into a folder of its own, as {layout} (files that count: {_extensions()})."
    )


def _extensions() -> str:
    return ", ".join(sorted(IMAGES))
