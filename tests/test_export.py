"""The recipe's graph, built from random weights: its arithmetic holds for any."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from headstart.backbones.export import STAGES, build, folded, quantised

onnx = pytest.importorskip("onnx")
Weights = dict[str, NDArray[Any]]


def random_weights() -> Weights:
    """Every tensor of the original by its name, with numbers that keep activations in range."""
    rng = np.random.default_rng(3)
    weights: Weights = {}

    def layer(convolution: str, norm: str, shape: tuple[int, ...]) -> None:
        out, inside = shape[0], int(np.prod(shape[1:]))
        weights[f"{convolution}.weight"] = rng.normal(0, inside**-0.5, shape).astype(np.float32)
        weights[f"{norm}.weight"] = rng.uniform(0.8, 1.5, out).astype(np.float32)
        weights[f"{norm}.bias"] = rng.normal(0.3, 0.3, out).astype(np.float32)
        weights[f"{norm}.running_mean"] = rng.normal(0, 0.1, out).astype(np.float32)
        weights[f"{norm}.running_var"] = rng.uniform(0.5, 1.5, out).astype(np.float32)

    layer("_conv_stem", "_bn0", (32, 3, 3, 3))
    block, width = 0, 32
    for side, _, expansion, out, repeats in STAGES:
        for _ in range(repeats):
            name, wide = f"_blocks.{block}.", width * expansion
            if expansion > 1:
                layer(f"{name}_expand_conv", f"{name}_bn0", (wide, width, 1, 1))
            layer(f"{name}_depthwise_conv", f"{name}_bn1", (wide, 1, side, side))
            layer(f"{name}_project_conv", f"{name}_bn2", (out, wide, 1, 1))
            block, width = block + 1, out
    layer("_conv_head", "_bn1", (1280, width, 1, 1))
    return weights


@pytest.fixture(scope="module")
def weights() -> Weights:
    return random_weights()


def pictures(count: int, height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (count, height, width, 3), np.uint8)


def run(model: Any, names: list[str] | None, images: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    found: list[NDArray[np.float32]] = session.run(names, {"image": images})
    return found


def test_a_folded_convolution_equals_convolution_and_norm(weights: Weights) -> None:
    kernel, bias = folded(weights, "_conv_head", "_bn1")
    x = np.random.default_rng(0).normal(size=320)
    plain = weights["_conv_head.weight"][:, :, 0, 0] @ x
    spread = np.sqrt(weights["_bn1.running_var"] + 1e-3)
    expected = (plain - weights["_bn1.running_mean"]) / spread * weights["_bn1.weight"] + weights["_bn1.bias"]
    np.testing.assert_allclose(kernel[:, :, 0, 0] @ x + bias, expected, atol=1e-5)
    assert kernel.dtype == bias.dtype == np.float32


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96), (224, 160)])
def test_cells_are_the_means_of_the_quarters_of_the_map(weights: Weights, height: int, width: int) -> None:
    model = build(weights, half=False)
    maps = {"d4": "b4", "d7": "b7", "d10": "b10"}
    for block in maps.values():  # the maps themselves, as further outputs
        value = onnx.helper.make_tensor_value_info(f"{block}.depthwise.relu6", onnx.TensorProto.FLOAT, None)
        model.graph.output.append(value)
    names = [*maps, *(f"{block}.depthwise.relu6" for block in maps.values())]
    found = run(model, names, pictures(2, height, width))
    for grid, whole in zip(found[:3], found[3:], strict=True):
        n, channels, rows, columns = whole.shape
        cells = whole.reshape(n, channels, 2, rows // 2, 2, columns // 2).mean((3, 5))
        np.testing.assert_allclose(grid, cells.transpose(0, 2, 3, 1).reshape(n, -1), atol=1e-5)
        np.testing.assert_allclose(grid.reshape(n, 4, -1).mean(1), whole.mean((2, 3)), atol=1e-5)


def test_half_precision_storage_halves_the_file_and_changes_little(weights: Weights) -> None:
    single, half = build(weights, half=False), build(weights)
    assert half.ByteSize() < 0.52 * single.ByteSize()
    images = pictures(2, 64, 64)
    for a, b in zip(run(single, None, images), run(half, None, images), strict=True):
        np.testing.assert_allclose(a, b, atol=0.05)


def test_the_cut_graph_ends_at_the_last_grid(weights: Weights) -> None:
    whole, cut = build(weights, half=False), build(weights, cut=True, half=False)
    assert [value.name for value in cut.graph.output] == ["d4", "d7", "d10"]
    assert cut.ByteSize() < 0.25 * whole.ByteSize()
    images = pictures(2, 64, 64)
    names = ["d4", "d7", "d10"]
    for a, b in zip(run(whole, names, images), run(cut, names, images), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_int8_is_small_and_near(weights: Weights, tmp_path: Path) -> None:
    def some() -> Iterator[NDArray[np.uint8]]:
        for pixels in (64, 96):
            yield pictures(1, pixels, pixels)

    full, small = tmp_path / "full.onnx", tmp_path / "small.onnx"
    model = build(weights, cut=True, half=False)
    onnx.save(model, full)
    quantised(full, small, some())
    assert small.stat().st_size < 0.4 * full.stat().st_size
    images = pictures(4, 64, 64)
    for a, b in zip(run(model, None, images), run(onnx.load(small), None, images), strict=True):
        cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        assert cosine.min() > 0.97
