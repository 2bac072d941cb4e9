"""Any network of timm as a backbone: exported once, then run like the bundled one, without torch."""

from __future__ import annotations

import hashlib
import importlib.util
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import cached
from headstart.backbones.row import Backbone, File
from headstart.errors import BadInput, BadWeights, HeadstartError
from headstart.store.atomic import failure, write_atomically

if TYPE_CHECKING:
    from headstart.transfer.feature_network import FeatureNetwork
    from headstart.transfer.timm_model import Loaded

_SIZES = (32, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448)
_STEP = 32
_FALLBACK = 224  # px: for networks of one size that is no multiple of 32, and can be resized
_NEEDED = ("torch", "torchvision", "timm", "onnx")
_LARGEST = float(np.finfo(np.float16).max)  # features are stored in half precision
_TOO_LARGE = 450_000_000  # parameters: an ONNX file in one piece ends at 2 GB


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
    from headstart.transfer.timm_model import load

    loaded = load(bare, weights, random)
    row, graph = _export(bare, loaded)
    _write(bare, cached.Entry(row, source, checksum), graph)
    return row


def _there(bare: str, source: str, checksum: str) -> Backbone | None:
    """The row of a whole entry that fits what is asked for; what is damaged is made again."""
    try:
        entry = cached.entry(cached.PREFIX + bare)
        cached.read(entry.row, entry.row.files["fp32"])
    except HeadstartError:
        return None
    fits = (
        entry.source != "random"
        if source == "hub"
        else (entry.source, entry.source_sha256) == (source, checksum)
    )
    return entry.row if fits else None


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


def _export(bare: str, loaded: Loaded) -> tuple[Backbone, bytes]:
    """The row and the graph, for squares of any size where the network allows that, else for one."""
    from headstart.transfer.onnx_graph import HALF, error, halved

    if sum(parameter.numel() for parameter in loaded.model.parameters()) > _TOO_LARGE:
        raise BadInput(f"timm:{bare} is too large to be exported in one file: choose a smaller network")
    least = _least(loaded)
    made = _dynamic(bare, loaded, least) if least else None
    pixels = tuple(size for size in _SIZES if least and size >= least)
    if made is None:
        pixels = (_one_size(bare, loaded),)
        made = _fixed(bare, loaded, pixels[0])
    network, graph, pictures = made
    small = halved(graph)
    if error(small, network, pictures) <= HALF:
        graph = small
    outputs = _outputs(network, pictures[0][:1])
    return _row(bare, loaded, outputs, pixels, made_for_one=len(pixels) == 1, graph=graph), graph


def _row(
    bare: str,
    loaded: Loaded,
    outputs: tuple[tuple[str, int], ...],
    pixels: tuple[int, ...],
    made_for_one: bool,
    graph: bytes,
) -> Backbone:
    checksum = hashlib.sha256(graph).hexdigest()
    file = File(f"{bare}-{checksum[:12]}.onnx", checksum, round(len(graph) / 1e6, 2))
    return Backbone(
        cached.PREFIX + bare,
        outputs,
        pixels,
        pixels[0] if made_for_one else _STEP,
        {"fp32": file},
        loaded.licence,
        loaded.origin,
        made_for_one,
        f"{loaded.digest}-{cached.FORMAT}",
    )


_Made = tuple["FeatureNetwork", bytes, list[NDArray[np.uint8]]]


def _least(loaded: Loaded) -> int | None:
    """The smallest side that the network takes, if it also takes the next one: else it is made for one size."""
    for size in _SIZES[:8]:
        if _takes(loaded, size):
            return size if _takes(loaded, size + _STEP) else None
    return None


def _takes(loaded: Loaded, size: int) -> bool:
    import torch

    try:
        with torch.inference_mode():
            loaded.model(torch.zeros(1, 3, size, size))
    except (RuntimeError, AssertionError, ValueError):
        return False
    return True


def _dynamic(bare: str, loaded: Loaded, least: int) -> _Made | None:
    """An export for all sizes; None where what was exported at one size is wrong at others."""
    from headstart.transfer.onnx_graph import EXACT, error

    network = _network(bare, loaded, least + 2 * _STEP)
    pictures = [_pictures(3, size) for size in (least, least + 3 * _STEP)]
    try:
        graph = _graph(network, least + 2 * _STEP, dynamic=True)
        return (network, graph, pictures) if error(graph, network, pictures) <= EXACT else None
    except HeadstartError:
        raise
    except Exception:  # of the exporter or of onnxruntime: the network is then exported for one size
        return None


def _fixed(bare: str, loaded: Loaded, size: int) -> _Made:
    from headstart.transfer.onnx_graph import EXACT, error

    pictures = [_pictures(3, size)]
    try:
        network = _network(bare, loaded, size)
        graph = _graph(network, size, dynamic=False)
        off = error(graph, network, pictures)
    except HeadstartError:
        raise
    except Exception as failed:  # the exporter raises what it likes
        reason = (str(failed).strip().splitlines() or [type(failed).__name__])[0][:120].rstrip(".")
        raise BadWeights(f"timm:{bare} cannot be exported ({reason}): choose another network") from failed
    if off > EXACT:
        raise BadWeights(
            f"timm:{bare} was exported, but the features differ by {off:.1g} of their length from those of the "
            "original: choose another network, or other weights"
        )
    return network, graph, pictures


def _one_size(bare: str, loaded: Loaded) -> int:
    """The side of a network that takes one size only, a multiple of 32; resized where it allows that."""
    if loaded.pixels % _STEP == 0 and _takes(loaded, loaded.pixels):
        return loaded.pixels
    with suppress(Exception):  # it has no such method, or the size is none for it
        loaded.model.set_input_size(img_size=_FALLBACK)
    if not _takes(loaded, _FALLBACK):
        raise BadInput(
            f"timm:{bare} takes pictures of {loaded.pixels} px only, which is no multiple of {_STEP}: choose a "
            "network for another size"
        )
    return _FALLBACK


def _network(bare: str, loaded: Loaded, size: int) -> FeatureNetwork:
    """The network with its inner stages chosen and the blocks known that can be negative."""
    import torch

    from headstart.transfer.feature_network import FeatureNetwork, choose_stages, look

    network = FeatureNetwork(loaded.model, loaded.mean, loaded.std).eval()
    images = torch.from_numpy(_pictures(8, size))
    network.taps = choose_stages(network, images[:2])
    network.signed, largest = look(network, images)
    if not largest <= _LARGEST:
        raise BadWeights(
            f"timm:{bare} gives numbers up to {largest:.1g} with these weights, too large to be kept in half "
            "precision: use other weights"
        )
    return network


def _graph(network: FeatureNetwork, size: int, dynamic: bool) -> bytes:
    import torch

    from headstart.transfer.onnx_graph import export

    return export(network, torch.from_numpy(_pictures(2, size)), dynamic)


def _outputs(network: FeatureNetwork, images: NDArray[np.uint8]) -> tuple[tuple[str, int], ...]:
    import torch

    with torch.inference_mode():
        blocks: tuple[Any, ...] = network(torch.from_numpy(images))
    return tuple((name, int(block.shape[1])) for name, block in zip(network.names, blocks, strict=True))


def _pictures(count: int, size: int) -> NDArray[np.uint8]:
    """Random pictures uint8 [count, size, size, 3]: patches of colour with noise on them."""
    rng = np.random.default_rng(size)
    patches = np.kron(rng.integers(0, 256, (count, 4, 4, 3)), np.ones((1, size // 4, size // 4, 1)))
    return (0.7 * patches + 0.3 * rng.integers(0, 256, patches.shape)).astype(np.uint8)


def _write(bare: str, entry: cached.Entry, graph: bytes) -> None:
    """The graph first: what a row names is there."""
    folder = cached.folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise failure(folder, error) from error
    write_atomically(folder / entry.row.files["fp32"].name, graph)
    write_atomically(folder / f"{bare}.json", cached.encode(entry))
