"""From a folder or a list to a Task: which classes there are, which files belong to each.

Only where it is open whether files are pictures or clips are a few of them looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from headstart.data.kinds import (
    ALL,
    ANIMATED,
    FILMS,
    IMAGES,
    are_clip_folders,
    as_clips,
    extension,
    frames_of,
    is_film,
    some,
)
from headstart.data.listing import PathList, natural_order
from headstart.data.lists import find_lists, is_list
from headstart.data.videos import is_animated
from headstart.data.walk import Inode, Inside, Walk, why
from headstart.errors import BadDataset
from headstart.words.task import Kind, LabelKind, Samples, Skipped, Task

TRAIN, VALIDATION, TEST = "train", ("val", "valid", "validation"), "test"
LOOSE = "lies beside the class folders, so it has no label"


def scan(
    path: str | os.PathLike[str],
    name: str | None = None,
    kind: Kind | None = None,
    labels: LabelKind | None = None,
) -> Task:
    """The task that a folder or a list (CSV) states.

    A folder has one sub-folder per class, however deep the files lie in it, or a `labels.csv` (labels.py).
    Where it holds `train/` and `test/` (or `val/`), training is on `train/` and `val/`, and `test/` becomes
    `Task.test` with its own root and no targets: they are not read. Classes and files are in natural order.
    Targets are int32 [n], or uint8 [n, classes] where files may have several labels. Paths are relative to
    `Samples.root` and use `/`. What cannot be used is in `Task.skipped`, with paths relative to the folder.
    kind, labels: instead of what is found; with kind "video" sub-folders of pictures are clips.
    Raises BadDataset where there are not at least two classes with a file.
    """
    if is_list(path):
        return _from_lists(
            os.path.dirname(os.path.abspath(os.fspath(path))), [os.fspath(path)], name, kind, labels
        )
    root = _folder(path)
    if lists := find_lists(root, (TRAIN, *VALIDATION)):
        return _from_lists(root, lists, name, kind, labels)
    if labels == "multi":
        raise BadDataset(
            f"{root!r} has no labels.csv, and class folders give each file one label: list the files."
        )
    found = _listed(root, kind)
    if len(found.counts) < 2:
        raise BadDataset(_too_few(root, found))
    test = _test_split(found) if found.splits else None
    targets = np.repeat(np.arange(len(found.counts), dtype=np.int32), list(found.counts.values()))
    notes = [found.why, "one label per file, by folder"]
    if found.splits:
        notes.append(
            f"trained on {' and '.join(found.splits)}/" + (f", {TEST}/ is predicted" if test else "")
        )
    return Task(
        name or _title(root),
        found.kind,
        "single",
        tuple(found.counts),
        Samples(root, found.listing, targets),
        test,
        found.walk.all_skipped(),
        tuple(filter(None, notes)),
    )


def scan_unlabelled(
    path: str | os.PathLike[str], kind: Kind = "image"
) -> tuple[Samples, tuple[Skipped, ...]]:
    """All pictures (or clips) below a folder in natural order, without labels; and what was skipped.

    Raises BadDataset where there is no folder or no such file in it.
    """
    root = _folder(path)
    walk = Walk(root, IMAGES if kind == "image" else ALL)
    files: Iterator[str] = walk.files("", set())
    if kind == "video":
        if are_clip_folders([root]):
            return Samples(os.path.dirname(root), [os.path.basename(root)]), ()
        files = _clips(root, files)
    listing = PathList(files)
    if not listing:
        what = "image" if kind == "image" else "video"
        raise BadDataset(f"{root!r} holds no {what} (files that count: {_extensions(kind)}).")
    return Samples(root, listing), walk.all_skipped()


@dataclass(frozen=True)
class _Listing:
    """What was found below a folder: files (or clips) class by class, and how many each class has."""

    walk: Walk
    top: Inside
    splits: tuple[str, ...]
    counts: dict[str, int]
    listing: PathList
    kind: Kind
    why: str


def _listed(root: str, kind: Kind | None) -> _Listing:
    """The files by class, once the kind is known; where it is not, of both kinds, and then of the one found."""
    if kind is not None:
        return _list(
            root, kind, IMAGES if kind == "image" else ALL, f"{kind}s, as asked for", kind == "video"
        )
    found = _list(root, "image", ALL, "", False)
    films = sum(map(is_film, found.listing)) if found.walk.films else 0
    if films and 2 * films >= len(found.listing):
        whole = films == len(found.listing)
        why = "videos, by their extensions"
        return _list(root, "video", FILMS, why, False) if not whole else _of_kind(found, "video", why)
    if films:
        return _list(root, "image", IMAGES, "images, by most extensions", False)
    looked_at = [os.path.join(root, path) for path in some(found.listing)]
    # Moving PNGs are rare, and looking costs more than for the others.
    moving = [p for p in looked_at if extension(p) in ANIMATED]
    if looked_at and len(moving) == len(looked_at) and 2 * sum(map(is_animated, moving)) > len(looked_at):
        return _of_kind(found, "video", "videos: the pictures are animated")
    if _in_clip_folders(found, looked_at):
        return _list(root, "video", ALL, "videos: every sub-folder is one, as numbered frames", True)
    return _of_kind(found, "image", "")


def _of_kind(found: _Listing, kind: Kind, why: str) -> _Listing:
    return _Listing(found.walk, found.top, found.splits, found.counts, found.listing, kind, why)


def _in_clip_folders(found: _Listing, looked_at: list[str]) -> bool:
    """Whether files lie in sub-folders of the class folders that are clips."""
    deep = found.walk.root.count(os.sep) + (4 if found.splits else 3)  # root/(split/)class/clip/frame
    folders = [os.path.dirname(path) for path in looked_at]
    return all(path.count(os.sep) >= deep for path in looked_at) and are_clip_folders(folders)


def _list(root: str, kind: Kind, extensions: frozenset[str], why: str, join: bool) -> _Listing:
    walk = Walk(root, extensions)
    top = walk.inside("")
    splits = _splits(top, root)
    for file in top.files:
        walk.skip(file, LOOSE)
    counts, listing = _list_classes(walk, _class_folders(walk, top, splits), splits, join)
    return _Listing(walk, top, splits, counts, listing, kind, why)


def _title(root: str) -> str:
    """The folder's name; of `birds/train` it is `birds` that tells something."""
    above, last = os.path.split(root)
    return (os.path.basename(above) if last.lower() in (TRAIN, "training") else "") or last or "images"


def _folder(path: str | os.PathLike[str]) -> str:
    """The absolute path of a folder that can be listed, or BadDataset."""
    given = os.fspath(path)
    way_out = "give the folder that holds one sub-folder per class, or a labels.csv"
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

    `train/` beside `test/` or `val/`, or alone, if it holds folders rather than files:
    a class may be called `train`, too.
    """
    named = {folder.lower(): folder for folder in top.folders}
    validation = [named[word] for word in VALIDATION if word in named]
    if TRAIN not in named or not (TEST in named or validation or len(named) == 1):
        return ()
    inside = Walk(root, ALL).inside(named[TRAIN])
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
    walk: Walk, folders: dict[str, list[str]], splits: tuple[str, ...], join: bool
) -> tuple[dict[str, int], PathList]:
    """How many samples each class has, of those that have any; and all of them, class by class.

    join: pictures in one sub-folder of a class are frames of one clip.
    """
    counts: dict[str, int] = {}
    above: set[Inode] = set()
    for folder in ("", *splits):
        walk.enter(folder, above)

    def paths() -> Iterator[str]:
        for label, places in folders.items():
            seen = set(above)  # no folder counts twice in a class; two classes may link to the same one
            number = 0
            for place in places:
                files = walk.files(place, seen)
                for path in as_clips(files, place) if join else files:
                    number += 1
                    yield path
            if number:
                counts[label] = number
            else:
                walk.skip(places[0], "a class folder without an image")

    listing = PathList(paths())
    return counts, listing


def _test_split(found: _Listing) -> Samples | None:
    walk = found.walk
    for folder in found.top.folders:
        if folder.lower() == TEST:
            lead = len(folder) + 1
            files = (path[lead:] for path in walk.files(folder, set()))
            listing = PathList(files if found.kind == "image" else _clips(f"{walk.root}/{folder}", files))
            return Samples(f"{walk.root}/{folder}", listing) if listing else None
    return None


def _clips(root: str, files: Iterator[str]) -> Iterator[str]:
    """The clips among unlabelled files: numbered pictures of a sub-folder are one, other pictures each its own."""
    last, whole = None, False
    for path in files:
        folder = path.rpartition("/")[0]
        if is_film(path) or not folder:
            yield path
            continue
        if folder != last:
            last, whole = folder, are_clip_folders([os.path.join(root, folder)])
            if whole:
                yield folder
        if not whole:
            yield path


def _from_lists(
    root: str, lists: list[str], name: str | None, kind: Kind | None, labels: LabelKind | None
) -> Task:
    """The task that CSV files state; the kind by the extensions of the files that they list."""
    from headstart.data.labels import read_lists

    found = read_lists(root, lists, labels)
    if kind is None:
        films = sum(map(is_film, found.train.paths))
        kind = "video" if films and 2 * films >= len(found.train) else "image"
        if kind == "image" and _are_frames(found.train):
            kind = "video"
    test = found.test
    if test is None and TEST in (folder.lower() for folder in os.listdir(root)) and len(lists[0]) > len(root):
        test = _listed_test(root, kind)
    return Task(
        name or _title(root), kind, found.labels, found.classes, found.train, test, found.skipped, found.notes
    )


def _are_frames(samples: Samples) -> bool:
    """Whether listed samples are folders of frames or animations."""
    looked_at = [os.path.join(samples.root, path) for path in some(samples.paths)]
    if all(map(os.path.isdir, looked_at)):
        return any(frames_of(path) for path in looked_at)
    moving = [path for path in looked_at if extension(path) in ANIMATED]
    return len(moving) == len(looked_at) and 2 * sum(map(is_animated, moving)) > len(looked_at)


def _listed_test(root: str, kind: Kind) -> Samples | None:
    """The files of `test/` beside a listed `train/`; its list is not read, for it holds labels."""
    folder = next(f for f in sorted(os.listdir(root)) if f.lower() == TEST)
    try:
        samples, _ = scan_unlabelled(os.path.join(root, folder), kind)
    except BadDataset:
        return None
    return samples


def _too_few(root: str, found: _Listing) -> str:
    loose = sum(skipped.reason == LOOSE for skipped in found.walk.skipped)
    what, article = ("image", "an") if found.kind == "image" else ("video", "a")
    if found.counts:
        ((label, files),) = found.counts.items()
        words = f"a single class ({label!r}, {files} {what}{'s' * (files != 1)})"
    elif loose:
        words = f"{loose} {what}{'s' * (loose != 1)} but no class folder with {article} {what}"
    else:
        words = f"no {what} in any class folder" if found.walk.skipped else "nothing"
    layout = "train/CLASS/picture.jpg" if found.splits else "CLASS/picture.jpg"
    return (
        f"{root!r} holds {words}, and at least two classes are needed: put the {what}s of each class "
        f"into a folder of its own, as {layout}, or list them in a labels.csv "
        f"(files that count: {_extensions(found.kind)})."
    )


def _extensions(kind: Kind) -> str:
    return ", ".join(sorted(IMAGES if kind == "image" else FILMS))
