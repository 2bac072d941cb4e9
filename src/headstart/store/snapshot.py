"""The published model: a folder whose `model.json` always names a whole and verified set of tensors.

`model.json` is renamed into place last and ends with a checksum over all bytes before it; it holds the name,
size and checksum of the tensor file. That frame stays the same in every version of the format.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.errors import BadModel, HeadstartError
from headstart.store import tensors as safetensors
from headstart.store.atomic import failure, write_atomically

FORMAT_VERSION = 1
MODEL_FILE = "model.json"

_MAGIC = b'{\n "format": "headstart model",'
_GUARD = b',\n "sha256": "%s"\n}\n'
_GUARD_BYTES = len(_GUARD) - 2 + 64
_TENSOR_FILE = re.compile(r"tensors-[0-9a-f]{12}\.safetensors")
_WAY_OUT = "run `headstart fit` again on the same folder, or copy the model anew"


def publish(folder: Path, document: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
    """Replace the model in `folder` (made where needed) in one step; one process publishes at a time.

    document: what JSON can hold, without NaN (ValueError); tensors: see `tensors.encode`.
    The tensor file before this one stays, for readers that hold the old `model.json`; older ones go.
    Raises DiskFull; the model published before then stands.
    """
    pieces = safetensors.encode(tensors)
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    name = f"tensors-{digest.hexdigest()[:12]}.safetensors"
    size = sum(len(piece) for piece in pieces)
    entry = {"file": name, "sha256": digest.hexdigest(), "bytes": size}
    sealed = _seal({"version": FORMAT_VERSION, "tensors": entry, "document": dict(document)})
    previous = _current_file(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise failure(folder, error) from error
    try:
        write_atomically(folder / name, lambda file: file.writelines(pieces))
        write_atomically(folder / MODEL_FILE, sealed)
    except HeadstartError:
        if name != previous:
            _remove(folder / name)
        raise
    _prune(folder, {name, previous})


def read(folder: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The document and the tensors (read-only) of the newest model in `folder`, also while one is published.

    Raises BadModel, naming the file: none there, damaged (checksums), or of a newer format.
    """
    seen: bytes | None = None
    while True:
        raw = _bytes(folder, MODEL_FILE)
        try:
            content = _unseal(raw, folder / MODEL_FILE)
            return content["document"], _tensors(folder, content["tensors"])
        except BadModel:
            if raw == seen:  # else a newer model may have replaced the files between the two reads
                raise
            seen = raw


def _bytes(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadModel(f"{folder} holds no model of headstart: there is no {name} in it") from error
    except OSError as error:
        raise BadModel(f"{folder / name} cannot be read: {error.strerror}") from error


def _damaged(path: Path, what: str) -> BadModel:
    return BadModel(f"{path} is damaged: {what}; {_WAY_OUT}")


def _tensors(folder: Path, entry: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    raw = _bytes(folder, entry["file"])
    path = folder / entry["file"]
    if len(raw) != entry["bytes"]:
        raise _damaged(path, f"it has {len(raw)} bytes instead of {entry['bytes']}")
    if hashlib.sha256(raw).hexdigest() != entry["sha256"]:
        raise _damaged(path, "checksum differs")
    arrays, _ = safetensors.decode(np.frombuffer(raw, np.uint8), str(path))
    return arrays


def _seal(content: Mapping[str, Any]) -> bytes:
    text = json.dumps({"format": "headstart model", **content}, indent=1, allow_nan=False)
    body = text.removesuffix("\n}").encode("ascii")
    return body + _guard(body)


def _guard(body: bytes) -> bytes:
    return _GUARD % hashlib.sha256(body).hexdigest().encode()


def _unseal(raw: bytes, path: Path) -> dict[str, Any]:
    if not raw.startswith(_MAGIC):
        raise BadModel(f"{path} is no model of headstart, or is damaged at its start; {_WAY_OUT}")
    body = raw[:-_GUARD_BYTES]
    if raw != body + _guard(body):
        raise _damaged(path, "checksum differs")
    try:
        content: dict[str, Any] = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "it is no JSON") from error
    version = content.get("version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise BadModel(
            f"{path} is of model format {version} and this headstart reads formats up to {FORMAT_VERSION}: "
            "install a newer headstart"
        )
    if not _is_well_formed(content):
        raise _damaged(path, "an entry is missing or of the wrong type")
    return content


def _is_well_formed(content: Mapping[str, Any]) -> bool:
    entry = content.get("tensors")
    return (
        content.get("version") == FORMAT_VERSION
        and isinstance(content.get("document"), dict)
        and isinstance(entry, dict)
        and isinstance(entry.get("file"), str)
        and _TENSOR_FILE.fullmatch(entry["file"]) is not None  # a name in this folder, never a path
        and isinstance(entry.get("sha256"), str)
        and isinstance(entry.get("bytes"), int)
    )


def _current_file(folder: Path) -> str | None:
    """The tensor file of the model that stands, None where there is none or it is damaged."""
    with suppress(BadModel):
        file: str = _unseal(_bytes(folder, MODEL_FILE), folder / MODEL_FILE)["tensors"]["file"]
        return file
    return None


def _prune(folder: Path, keep: set[str | None]) -> None:
    for path in folder.glob("tensors-*.safetensors"):
        if path.name not in keep:
            _remove(path)


def _remove(path: Path) -> None:
    with suppress(OSError):  # a file that a reader holds open on Windows goes next time
        path.unlink()
