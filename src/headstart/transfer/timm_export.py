"""Any network of timm as a backbone: exported once, then run like the bundled one, without torch."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.backbones import cached
from headstart.backbones.row import Backbone, File
from headstart.errors import BadInput, HeadstartError
from headstart.store.atomic import failure, write_atomically

if TYPE_CHECKING:
    from headstart.transfer.feature_graph import FeatureGraph
    from headstart.transfer.timm_model import Loaded

_NEEDED = ("torch", "torchvision", "timm", "onnx")


def prepare(name: str, weights: Path | None = None, random: bool = False) -> Backbone:
    """The row of `timm:NAME`; where the cache does not hold it yet, the network is fetched and exported there.

    weights: a local state dict (.safetensors, .pth) in place of the hub's. random: random weights, for tests.
    An entry that is there is taken as it is when no weights are named, or when it was made from that very file.
    Raises BadInput for a name that timm does not know and for missing packages, BadWeights where weights cannot be had
    or do not fit, DiskFull.
    """
    if weights is not None and random:
        raise BadInput("weights are either read from a file or random, not both")
    bare = cached.stem(name)
    checksum = "" if weights is None else _file_checksum(weights)
    source = "random" if random else "hub" if weights is None else "file"
    there = _there(bare, source, checksum)
    if there is not None:
        return there
    _require(bare)
    folder = _folder()
    from headstart.transfer.feature_graph import feature_graph
    from headstart.transfer.timm_model import load

    loaded = load(bare, weights, random)
    made = feature_graph(loaded)
    row = _row(bare, loaded, made)
    write_atomically(folder / row.files["fp32"].name, made.graph)  # first: what a row names is there
    write_atomically(folder / f"{bare}.json", cached.encode(cached.Entry(row, source, checksum)))
    return row


def _there(bare: str, source: str, checksum: str) -> Backbone | None:
    """The row of a whole entry that fits what is asked for; what is damaged is made again."""
    try:
        entry = cached.entry(cached.PREFIX + bare)
        cached.read(entry.row, entry.row.files["fp32"])
    except HeadstartError:
        return None
    if source == "hub":
        return None if entry.source == "random" else entry.row
    return entry.row if (entry.source, entry.source_sha256) == (source, checksum) else None


def _file_checksum(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"the weights file {str(path)!r} cannot be read: {error.strerror}") from error


def _require(bare: str) -> None:
    missing = [package for package in _NEEDED if importlib.util.find_spec(package) is None]
    if missing:
        raise BadInput(
            f"the network timm:{bare} needs {', '.join(missing)} once, to be exported: install it with "
            "pip install 'headstart[torch]'"
        )


def _folder() -> Path:
    """The folder of the cache, made before the work starts: one that cannot be made ends it at once."""
    folder = cached.folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise failure(folder, error) from error
    return folder


def _row(bare: str, loaded: Loaded, made: FeatureGraph) -> Backbone:
    from headstart.transfer.feature_graph import STEP

    checksum = hashlib.sha256(made.graph).hexdigest()
    file = File(f"{bare}-{checksum[:12]}.onnx", checksum, round(len(made.graph) / 1e6, 2))
    return Backbone(
        loaded.name,
        made.outputs,
        made.pixels,
        made.pixels[0] if made.fixed else STEP,
        {"fp32": file},
        loaded.licence,
        loaded.origin,
        made.fixed,
        f"{loaded.digest}-{cached.FORMAT}",
    )
