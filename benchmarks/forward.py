"""Forward pass: our graphs beside the plainly exported one and torch, interleaved in one run, images per CPU second.

    python -m benchmarks.forward --weights efficientnet-lite0-57934424.pth [--package WHEEL_OR_FOLDER]

plain fp32: the same network exported as most people would (float NCHW input, normalisation in numpy, no folded
half precision). torch: eager, channels_last, one thread, from the package efficientnet-lite-pytorch.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.backbones.checkpoint import read_checkpoint
from headstart.backbones.export import build
from headstart.backbones.session import open_session

SIZES = ((64, 32), (128, 8), (224, 4))
Images = NDArray[np.uint8]
Runner = Callable[[Images], object]


def plain(checkpoint: Path) -> Runner:
    """The fp32 graph fed with floats that were normalised outside."""
    import onnxruntime
    from onnx import TensorProto, helper

    model = build(read_checkpoint(checkpoint), half=False)
    graph = model.graph
    del graph.node[:2]  # the transpose of bytes and the normalisation
    graph.node[0].input[0] = "image"
    graph.input[0].CopyFrom(helper.make_tensor_value_info("image", TensorProto.FLOAT, ["b", 3, "h", "w"]))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session: Any = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )

    def run(images: Images) -> object:
        x = ((images.astype(np.float32) - 127) / 128).transpose(0, 3, 1, 2)
        return session.run(["head"], {"image": np.ascontiguousarray(x)})

    return run


def torch_eager(checkpoint: Path, package: str) -> Runner:
    """The original network."""
    sys.path.insert(0, package)
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    torch.set_num_threads(1)
    network = EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(torch.load(checkpoint, weights_only=True))
    network = network.to(memory_format=torch.channels_last)

    def run(images: Images) -> object:
        with torch.inference_mode():
            x = torch.from_numpy(images).permute(0, 3, 1, 2).float().sub_(127).div_(128)
            return network.extract_features(x.contiguous(memory_format=torch.channels_last)).mean((2, 3))

    return run


def rate(run: Runner, images: Images, seconds: float = 0.25) -> float:
    """Images per CPU second."""
    run(images)
    started, count = time.process_time(), 0
    while time.process_time() - started < seconds:
        run(images)
        count += len(images)
    return count / (time.process_time() - started)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--package", default="")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    runners: dict[str, Runner] = {
        "int8": open_session("lite0", "int8"),
        "fp32 (stored in half)": open_session("lite0", "fp32"),
        "plain fp32 export": plain(options.weights),
        "cut, int8": open_session("lite0_cut", "int8"),
        "torch eager": torch_eager(options.weights, options.package),
    }
    print("| | " + " | ".join(f"{pixels} px" for pixels, _ in SIZES) + " |\n|---|" + "--:|" * len(SIZES))
    found: dict[str, list[str]] = {name: [] for name in runners}
    for pixels, batch in SIZES:
        images = np.random.default_rng(0).integers(0, 256, (batch, pixels, pixels, 3), np.uint8)
        rounds = [{name: rate(run, images) for name, run in runners.items()} for _ in range(options.rounds)]
        for name in runners:
            ratios = [r[name] / r["plain fp32 export"] for r in rounds]
            middle = np.median([r[name] for r in rounds])
            found[name].append(f"{middle:.0f} ({np.median(ratios):.2f}; {min(ratios):.2f}–{max(ratios):.2f})")
    for name, cells in found.items():
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
