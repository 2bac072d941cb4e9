"""Networks that were prepared on this machine: a graph per set of weights, and a row that describes it.

`FOLDER/NAME.json` holds the row and its own checksum; it names `FOLDER/NAME-<checksum>.onnx`. The row is written last,
so that what it names is there. Names are those of timm, without the prefix `timm:` that they have in a configuration.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.backbones.row import Backbone, File
from headstart.errors import BadInput, BadWeights

PREFIX = "timm:"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
FORMAT = 1  # another number where the layout of an entry, or what is exported, changes
_AGAIN = "damaged or of another version: fit with --backbone {name} to make it again"
_CHECKSUM = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """A row, and where its weights came from: "hub", "file" (with the file's checksum) or "random"."""

    row: Backbone
    source: str
    source_sha256: str = ""


def folder() -> Path:
    """Where prepared networks are kept: HEADSTART_CACHE, or the user's folder for caches on this system."""
    own = os.environ.get("HEADSTART_CACHE")
    if own:
        return Path(own).expanduser()
    if sys.platform == "win32":
        return (
            Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "headstart" / "cache"
        )
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "headstart"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headstart"


def stem(name: str) -> str:
    """`timm:resnet18` without its prefix. Raises BadInput for what cannot be such a name."""
    bare = name.removeprefix(PREFIX)
    if not _NAME.fullmatch(bare):
        raise BadInput(
            f"{name!r} cannot be a network of timm: after {PREFIX} comes its name, of letters, digits, _ . and -"
        )
    return bare


def find(name: str) -> Backbone:
    """The row of a prepared network. Raises BadInput where there is none, BadWeights where it is damaged."""
    return entry(name).row


def entry(name: str) -> Entry:
    """As `find`, with where the weights came from."""
    path = folder() / f"{stem(name)}.json"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(
            f"the network {name} has not been prepared on this machine ({path.parent} does not hold it): fit with "
            f"--backbone {name} once, connected to the internet or with a weights file (--weights FILE)"
        ) from None
    except OSError as error:
        raise BadWeights(f"the entry {path} of the cache cannot be read: {error.strerror}") from error
    try:
        found = _decode(json.loads(content))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        found = None
    if found is None or found.row.name != PREFIX + stem(name):
        raise BadWeights(f"the entry {path} of the cache is {_AGAIN.format(name=name)}")
    return found


def read(row: Backbone, file: File) -> bytes:
    """The checked graph of a prepared network. Raises BadWeights where it is missing or damaged."""
    path = folder() / file.name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadWeights(
            f"the weights {path} cannot be read: {error.strerror}; fit with --backbone {row.name} makes them again"
        ) from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise BadWeights(f"the weights {path} are {_AGAIN.format(name=row.name)}")
    return content


def encode(made: Entry) -> bytes:
    """The content of an entry's JSON file; `entry` reads it back."""
    row = dataclasses.asdict(dataclasses.replace(made.row, files={}))
    row["files"] = {precision: dataclasses.asdict(file) for precision, file in made.row.files.items()}
    body = {"format": FORMAT, "row": row, "source": made.source, "source_sha256": made.source_sha256}
    return json.dumps({**body, "sha256": _checksum(body)}, indent=1, sort_keys=True).encode()


def _decode(content: Any) -> Entry | None:
    """None for an entry that is not whole or of another format."""
    told = content.pop("sha256")
    if content["format"] != FORMAT or told != _checksum(content):
        return None
    row: dict[str, Any] = content["row"]
    files = {precision: File(**file) for precision, file in row["files"].items()}
    if not all(_NAME.fullmatch(file.name) and _CHECKSUM.fullmatch(file.sha256) for file in files.values()):
        return None
    outputs = tuple((name, dim) for name, dim in row["outputs"])
    about = {**row, "outputs": outputs, "pixels": tuple(row["pixels"]), "files": files}
    return Entry(Backbone(**about), content["source"], content["source_sha256"])


def _checksum(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
