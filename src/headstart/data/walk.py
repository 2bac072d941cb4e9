"""Listing folders: quickly, in natural order, in bounded memory, and never round in a circle."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from headstart.data.kinds import FILMS, IMAGES, extension, is_film
from headstart.data.listing import natural_order
from headstart.words.task import Skipped

JUNK = frozenset(
    {"thumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "system volume information", "@eadir"}
)
LISTED = 10_000  # skipped files named one by one; a million text files beside the images are only counted

Inode = tuple[int, int]


@dataclass(frozen=True)
class Inside:
    """The names of what lies directly in one folder, in natural order."""

    files: list[str]
    folders: list[str]


class Walk:
    """Lists folders below a root and keeps account of what it skips. Its paths are relative to the root.

    extensions: in lower case, without the dot; a file with another one is skipped.
    Hidden files and folders and the litter of desktops and cameras are passed over in silence.
    """

    def __init__(self, root: str, extensions: frozenset[str]) -> None:
        self.root = root
        self.extensions = extensions
        self.skipped: list[Skipped] = []
        self.unlisted = 0
        self.films = 0  # files that are videos by their extension, among all that were listed

    def skip(self, path: str, reason: str) -> None:
        if len(self.skipped) < LISTED:
            self.skipped.append(Skipped(path, reason))
        else:
            self.unlisted += 1

    def all_skipped(self) -> tuple[Skipped, ...]:
        if not self.unlisted:
            return tuple(self.skipped)
        return (*self.skipped, Skipped(".", f"and {self.unlisted} more files or folders were skipped"))

    def files(self, folder: str, seen: set[Inode]) -> Iterator[str]:
        """Every file below a folder: its own first, then those of its sub-folders, each in natural order.

        seen: folders that are not listed again (links that lead back); it grows.
        """
        pending = [folder]  # not recursion: folders can be nested deeper than Python's stack
        while pending:
            place = pending.pop()
            if self.enter(place, seen):
                lead = f"{place}/" if place else ""
                inside = self.inside(place)
                for name in inside.files:
                    yield lead + name
                pending += [lead + name for name in reversed(inside.folders)]

    def enter(self, folder: str, seen: set[Inode]) -> bool:
        """Whether this folder is new, and from now on it is seen; one that is not is listed as skipped."""
        try:
            status = os.stat(self._full(folder))
        except OSError as error:
            self.skip(folder, f"cannot be read: {why(error)}")
            return False
        inode = (status.st_dev, status.st_ino)
        if inode in seen:
            self.skip(folder, "a link to a folder that is listed already")
            return False
        seen.add(inode)
        return True

    def inside(self, folder: str) -> Inside:
        lead = f"{folder}/" if folder else ""
        files: list[str] = []
        folders: list[str] = []
        try:
            with os.scandir(self._full(folder)) as entries:
                for entry in entries:  # keep names, not entries: an entry takes four times the memory
                    self._sort_in(entry, lead, files, folders)
        except OSError as error:
            self.skip(folder, f"cannot be listed: {why(error)}")
        return Inside(natural_order(files), natural_order(folders))

    def _sort_in(self, entry: os.DirEntry[str], lead: str, files: list[str], folders: list[str]) -> None:
        name = entry.name
        if name[0] == "." or name.lower() in JUNK:
            return
        try:
            if entry.is_dir():  # asks the disk about links only, as does is_file
                folders.append(name)
            elif (ending := name.rpartition(".")[2].lower()) not in self.extensions:
                self.skip(lead + name, self._foreign(name))
            elif entry.is_file():
                files.append(name)
                self.films += ending in FILMS
            else:
                self.skip(lead + name, "a broken link" if entry.is_symlink() else "not a regular file")
        except OSError as error:
            self.skip(lead + name, f"cannot be read: {why(error)}")

    def _foreign(self, name: str) -> str:
        """Why a file of another extension is left out."""
        if self.extensions <= IMAGES:
            return "a video among images" if is_film(name) else "not an image by its extension"
        if self.extensions <= FILMS:
            return "an image among videos" if extension(name) in IMAGES else "not a video by its extension"
        return "no image and no video by its extension"

    def _full(self, folder: str) -> str:
        return f"{self.root}/{folder}" if folder else self.root


def why(error: Exception) -> str:
    """What the system says, in lower case and without its number."""
    return (getattr(error, "strerror", None) or str(error)).lower()
