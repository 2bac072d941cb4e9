"""Where lists of labelled files lie. Reading them is in labels.py, which is loaded only where there is one."""

from __future__ import annotations

import os
from collections.abc import Sequence

LISTS = ("labels", "annotations", "metadata", "train")
ENDINGS = (".csv", ".tsv")


def is_list(path: str | os.PathLike[str]) -> bool:
    """Whether a path names a list rather than a folder."""
    return os.fspath(path).lower().endswith(ENDINGS) and os.path.isfile(path)


def find_lists(root: str, splits: Sequence[str]) -> list[str]:
    """The lists of a folder: its own `labels.csv`, or those in its folders for training; [] where there are none."""
    own = _list_in(root)
    if own is not None:
        return [own]
    folders = [os.path.join(root, name) for name in sorted(os.listdir(root)) if name.lower() in splits]
    found = [_list_in(folder) for folder in folders if os.path.isdir(folder)]
    return [one for one in found if one is not None]


def _list_in(folder: str) -> str | None:
    try:
        names = {name.lower(): name for name in os.listdir(folder)}
    except OSError:
        return None
    for stem in LISTS:
        for ending in ENDINGS:
            if stem + ending in names:
                return os.path.join(folder, names[stem + ending])
    return None
