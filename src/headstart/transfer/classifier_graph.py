"""A trained classifier as an ONNX graph: pixels in, logits out."""

from __future__ import annotations

import copy
import io
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.errors import BadWeights
from headstart.transfer.classifier import Classifier
from headstart.transfer.onnx_graph import halved, unprinted
from headstart.transfer.timm_model import quiet

_OPSET = 17
_EXACT, _HALF = 1e-3, 1e-2  # relative error allowed to the export, and to rounding weights to half precision
_CHECKED = 3  # samples
INPUT, OUTPUT = "image", "logits"


def export(classifier: Classifier, pixels: int, frames: int) -> bytes:
    """The graph: input `image` uint8 [b, pixels, pixels, 3], or [b, frames, pixels, pixels, 3] where frames is above
    1; output `logits` float32 [b, classes], of the classifier in eval mode with the weights that it has now.

    Weights are stored in half precision where that does little harm. The classifier is left as it is; it may be on
    any device. Raises BadWeights where the network cannot be exported, or where the graph differs from it.
    """
    trained = copy.deepcopy(classifier).cpu().float().eval().requires_grad_(False)
    some = _pictures(_CHECKED, pixels, frames)
    with torch.inference_mode():
        exact = trained(torch.from_numpy(some)).numpy()
    if not np.isfinite(exact).all():
        raise BadWeights(
            "the trained network gives numbers that are not finite: train it again at a lower rate"
        )
    try:
        graph = _traced(trained, some[:2])
        off = _error(graph, some, exact)
    except Exception as failed:  # the exporter and onnxruntime raise what they like
        reason = (str(failed).strip().splitlines() or [type(failed).__name__])[0][:120].rstrip(".")
        raise BadWeights(
            f"the trained network cannot be exported ({reason}): choose another network"
        ) from failed
    if off > _EXACT:
        raise BadWeights(
            f"the trained network was exported, but its logits are off by {off:.1g} of their length"
        )
    small = halved(graph)
    return small if _error(small, some, exact) <= _HALF else graph


def _traced(trained: Classifier, images: NDArray[np.uint8]) -> bytes:
    """By the exporter that follows one forward pass: only the number of samples stays open."""
    out: Any = io.BytesIO()
    with quiet(), unprinted(), torch.no_grad():
        torch.onnx.export(
            trained,
            (torch.from_numpy(images),),
            out,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "b"}, OUTPUT: {0: "b"}},
            opset_version=_OPSET,
            dynamo=False,
        )
    return bytes(out.getvalue())


def _error(graph: bytes, images: NDArray[np.uint8], exact: NDArray[np.float32]) -> float:
    """The length of the difference over that of the logits, at worst; also for one sample alone."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session: Any = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch, logits in ((images, exact), (images[:1], exact[:1])):
        (found,) = session.run([OUTPUT], {INPUT: batch})
        if found.shape != logits.shape or not np.isfinite(found).all():
            return float("inf")
        length = np.maximum(np.linalg.norm(logits, axis=1), np.finfo(np.float32).tiny)
        worst = max(worst, float((np.linalg.norm(found - logits, axis=1) / length).max()))
    return worst


def _pictures(count: int, pixels: int, frames: int) -> NDArray[np.uint8]:
    """Patches of colour with noise on them; the frames of a clip move to the side."""
    rng = np.random.default_rng(pixels)
    cells = max(1, pixels // 4)
    patches = np.kron(rng.integers(0, 256, (count, 4, 4, 3)), np.ones((1, cells, cells, 1)))
    pad = ((0, 0), (0, pixels - patches.shape[1]), (0, pixels - patches.shape[2]), (0, 0))
    patches = np.pad(patches, pad, mode="edge")
    pictures = (0.7 * patches + 0.3 * rng.integers(0, 256, patches.shape)).astype(np.uint8)
    if frames == 1:
        return pictures
    return np.stack([np.roll(pictures, 2 * frame, axis=2) for frame in range(frames)], axis=1)
