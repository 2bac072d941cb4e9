"""Cost tables of several machines, side by side in one folder."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from headstart.errors import BadInput
from headstart.store.atomic import write_atomically
from headstart.words.costs import CostTable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def folder() -> Path:
    """Where tables are kept: HEADSTART_CACHE/costs, or the user's folder for data on this system."""
    own = os.environ.get("HEADSTART_CACHE")
    if own:
        return Path(own).expanduser() / "costs"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(local) / "headstart" / "costs"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "headstart" / "costs"
    share = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(share) / "headstart" / "costs"


def own_name() -> str:
    """What a table of this machine is called where nothing else is asked for: the name of the machine."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", platform.node()).strip("-.") or "here"


def path_of(name: str) -> Path:
    """The file of a table in the folder. Raises BadInput for what cannot be a name."""
    if not _NAME.fullmatch(name):
        raise BadInput(f"{name!r:.60} cannot name a cost table: take letters, digits, _ . and -")
    return folder() / f"{name}.json"


def save(table: CostTable, path: Path) -> None:
    """Write a table in one step. Raises BadInput where the folder cannot be made, DiskFull."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"the folder {path.parent} for cost tables cannot be made: {error.strerror}"
        ) from error
    write_atomically(path, table.to_json().encode())


def load(which: str) -> CostTable:
    """A table by its name in the folder, or by its file: what holds a path separator or ends in .json.

    Raises BadInput that names the file, and the entry where one is wrong.
    """
    is_file = which.endswith(".json") or os.sep in which or "/" in which
    path = Path(which).expanduser() if is_file else path_of(which)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        known = ", ".join(name for name, _ in tables()) or "none"
        raise BadInput(
            f"there is no cost table {which!r:.80}: {folder()} holds {known}; `headstart calibrate` measures this "
            "machine"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the cost table {path} cannot be read: {error}") from error
    try:
        return CostTable.from_json(text)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def tables() -> Iterator[tuple[str, Path]]:
    """Names and files of the tables in the folder, in the order of their names."""
    for path in sorted(folder().glob("*.json")):
        yield path.stem, path
