"""From a network of timm to the graph that is kept: for which sizes, with which blocks, and is it the same."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.errors import BadInput, BadWeights
from headstart.transfer.feature_network import FeatureNetwork, choose_stages, look
from headstart.transfer.onnx_graph import error, expected, export, halved
from headstart.transfer.timm_model import Loaded

EXACT, HALF = 1e-3, 1e-2  # relative error allowed to the export, and to rounding weights to half precision
STEP = 32
_SIZES = (32, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448)
_FALLBACK = 224  # px: for networks of one size that is no multiple of 32, and can be resized
_TOO_LARGE = 450_000_000  # parameters: an ONNX file in one piece ends at 2 GB


@dataclass(frozen=True)
class FeatureGraph:
    """An ONNX graph, its outputs (name, numbers), the sides of squares that it takes; fixed: only those."""

    graph: bytes
    outputs: tuple[tuple[str, int], ...]
    pixels: tuple[int, ...]
    fixed: bool


def feature_graph(loaded: Loaded) -> FeatureGraph:
    """The graph for squares of any size where the network allows that, else for one.

    Raises BadInput where it takes no size that is a multiple of 32, BadWeights where it cannot be exported or differs.
    """
    if sum(parameter.numel() for parameter in loaded.model.parameters()) > _TOO_LARGE:
        raise BadInput(f"{loaded.name} is too large to be exported in one file: choose a smaller network")
    least = _least(loaded)
    if least is not None:
        with suppress(_Unlike):
            sizes = tuple(size for size in _SIZES if size >= least)
            return _made(loaded, least + 2 * STEP, (least, least + 3 * STEP), sizes)
    size = _one_size(loaded)
    try:
        return _made(loaded, size, (size,), (size,))
    except _Unlike as unlike:
        raise BadWeights(f"{loaded.name} {unlike}: choose another network") from unlike


class _Unlike(Exception):
    """No graph, or one that differs from its network, and how."""


def _made(loaded: Loaded, size: int, checked: Sequence[int], pixels: tuple[int, ...]) -> FeatureGraph:
    """Exported at one size, compared at others; with weights in half precision where that does little harm."""
    network = _network(loaded, size)
    pictures = [random_pictures(3, side) for side in checked]
    exact = expected(network, pictures)
    fixed = len(pixels) == 1
    try:
        graph = export(network, torch.from_numpy(random_pictures(2, size)), dynamic=not fixed)
        off = error(graph, pictures, exact)
    except Exception as failed:  # the exporter and onnxruntime raise what they like
        reason = (str(failed).strip().splitlines() or [type(failed).__name__])[0][:120].rstrip(".")
        raise _Unlike(f"cannot be exported ({reason})") from failed
    if off > EXACT:
        raise _Unlike(f"was exported, but its features are off by {off:.1g} of their length")
    small = halved(graph)
    kept = small if error(small, pictures, exact) <= HALF else graph
    outputs = tuple((name, block.shape[1]) for name, block in zip(network.names, exact[0], strict=True))
    return FeatureGraph(kept, outputs, pixels, fixed)


def _network(loaded: Loaded, size: int) -> FeatureNetwork:
    """The network with its inner stages chosen and the blocks known that can be negative."""
    network = FeatureNetwork(loaded.model, loaded.mean, loaded.std).eval()
    images = torch.from_numpy(random_pictures(8, size))
    network.taps = choose_stages(network, images[:2])
    try:
        network.signed, network.scales = look(network, images)
    except ValueError as error:
        raise BadWeights(
            f"{loaded.name} gives no finite numbers with these weights: use other weights"
        ) from error
    return network


def _least(loaded: Loaded) -> int | None:
    """The smallest side that the network takes, if it also takes the next one: else it is made for one size."""
    for size in _SIZES[:8]:
        if _takes(loaded, size):
            return size if _takes(loaded, size + STEP) else None
    return None


def _takes(loaded: Loaded, size: int) -> bool:
    try:
        with torch.inference_mode():
            loaded.model(torch.zeros(1, 3, size, size))
    except (RuntimeError, AssertionError, ValueError):
        return False
    return True


def _one_size(loaded: Loaded) -> int:
    """The side of a network that takes one size only, a multiple of 32; resized where it allows that."""
    if loaded.pixels % STEP == 0 and _takes(loaded, loaded.pixels):
        return loaded.pixels
    with suppress(Exception):  # it has no such method, or the size is none for it
        loaded.model.set_input_size(img_size=_FALLBACK)
    if not _takes(loaded, _FALLBACK):
        raise BadInput(
            f"{loaded.name} takes pictures of {loaded.pixels} px only, which is no multiple of {STEP}: choose a "
            "network for another size"
        )
    return _FALLBACK


def random_pictures(count: int, size: int) -> NDArray[np.uint8]:
    """Random pictures uint8 [count, size, size, 3]: patches of colour with noise on them."""
    rng = np.random.default_rng(size)
    patches = np.kron(rng.integers(0, 256, (count, 4, 4, 3)), np.ones((1, size // 4, size // 4, 1)))
    return (0.7 * patches + 0.3 * rng.integers(0, 256, patches.shape)).astype(np.uint8)
