"""The network of eq. (1): shapes, blocks, cutting, and the graph that it becomes."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

if any(importlib.util.find_spec(name) is None for name in ("torch", "onnx")):
    pytest.skip("needs headstart[torch]", allow_module_level=True)

import numpy as np
import onnxruntime
import torch

from headstart.errors import BadWeights
from headstart.transfer.classifier import Classifier
from headstart.transfer.classifier_graph import export
from headstart.transfer.networks import build
from headstart.words.recipe import Aggregation, Recipe

HOW: tuple[Aggregation, ...] = ("logits", "features", "convolution", "gru")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Other tests want the cores too, and threads that wait for a core are slow."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def made(
    network: str = "small", how: Aggregation = "logits", frames: int = 1, **fields: object
) -> Classifier:
    weights = "pretrained" if network == "lite0" else "random"
    recipe = Recipe(network, 32, weights=weights, frames=frames, aggregation=how, **fields)  # type: ignore[arg-type]
    return build(recipe, 5, seed=0)


def clips(b: int = 4, m: int = 3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (b, m, 32, 32, 3), dtype=torch.uint8, generator=generator)


def lively(module: Classifier) -> Classifier:
    """In eval mode, with norms that are none of them the identity."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        for layer in module.modules():
            if isinstance(layer, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
                layer.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
                layer.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
                layer.bias.data.normal_(0, 0.1)
    return module.eval()


@pytest.mark.parametrize("how", HOW)
def test_pictures_and_clips_bytes_and_numbers_become_logits(how: Aggregation) -> None:
    module, x = lively(made(how=how, frames=3)), clips()
    with torch.inference_mode():
        out = module(x)
        assert out.shape == (4, 5) and out.dtype == torch.float32 and bool(out.isfinite().all())
        assert torch.allclose(module(x.float()), out, atol=1e-5)
        assert torch.allclose(module(x[:, 0]), module(x[:, :1]), atol=1e-5)
        assert torch.allclose(module(x[2:3]), out[2:3], atol=1e-4)
        assert torch.allclose(module.linear(module.features(x)), out, atol=1e-5)


def test_the_logits_of_a_clip_are_the_mean_of_those_of_its_frames() -> None:
    module, x = lively(made(frames=3)), clips()
    with torch.inference_mode():
        each = torch.stack([module(x[:, i]) for i in range(3)]).mean(0)
        assert torch.allclose(module(x), each, atol=1e-5)
        assert torch.allclose(module(x.flip(1)), module(x), atol=1e-5)


def test_a_joint_network_sees_which_way_things_move() -> None:
    module, x = lively(made("clip_small", frames=3)), clips()
    with torch.inference_mode():
        assert module(x).shape == (4, 5)
        assert not torch.allclose(module(x.flip(1)), module(x), atol=1e-2)
        assert module.bottom(x).shape == (4, 1, 5, 32, 32)
    assert lively(made("clip_small"))(clips(m=1)).shape == (4, 5)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("network", ["small", "lite0"])
@pytest.mark.parametrize("last", [None, 0, 1, 2, 99])
def test_top_of_bottom_is_the_whole(network: str, how: Aggregation, last: int | None) -> None:
    module, x = lively(made(network, how, frames=2)), clips(2, 2)
    module.train_last(last)
    with torch.inference_mode():
        below = module.bottom(x)
        assert below.shape[:2] == (2, 2) and not below.requires_grad
        assert torch.allclose(module.top(below), module(x), atol=1e-5)
    if last == 0:
        assert below.shape == (2, 2, module.network.dim)


def test_blocks_that_are_not_trained_stay_as_they_are() -> None:
    module = made("small", "convolution", frames=3)
    module.train_last(2)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    assert all(not block.training for block in module.blocks()[:3])
    module.eval()
    module.train()
    assert [block.training for block in module.blocks()] == [False] * 3 + [True] * 2
    assert module.aggregation.training and module.linear.training
    optimiser = torch.optim.SGD([p for p in module.parameters() if p.requires_grad], 0.1)
    torch.nn.functional.cross_entropy(module(clips()), torch.arange(4)).backward()
    optimiser.step()
    after = module.state_dict()
    frozen = [name for name in after if name.startswith(tuple(f"network.parts.{i}." for i in range(3)))]
    assert frozen and all(torch.equal(after[name], before[name]) for name in frozen)
    moved = [name for name in after if name not in frozen and not torch.equal(after[name], before[name])]
    assert {name.split(".")[0] for name in moved} == {"network", "aggregation", "linear"}
    module.train_last(None)
    assert all(p.requires_grad for p in module.parameters()) and all(b.training for b in module.blocks())


def test_training_on_the_activations_is_training_on_the_pixels() -> None:
    module, x = made("small", dropout=0.0), clips(m=1)
    module.train_last(2)
    truth = torch.arange(4)
    torch.nn.functional.cross_entropy(module.top(module.bottom(x)), truth).backward()
    through_top = [p.grad.clone() for p in module.parameters() if p.grad is not None]
    module.zero_grad()
    torch.nn.functional.cross_entropy(module(x), truth).backward()
    whole = [p.grad for p in module.parameters() if p.grad is not None]
    assert len(whole) == len(through_top)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(whole, through_top, strict=True))


def run(graph: bytes, images: torch.Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["logits"], {"image": images.numpy()})[0])


@pytest.mark.parametrize(
    ("network", "how", "frames"),
    [
        ("small", "logits", 1),
        ("small", "features", 3),
        ("small", "convolution", 3),
        ("small", "gru", 3),
        ("clip_small", "logits", 4),
        ("lite0", "logits", 1),
        ("lite0", "gru", 2),
    ],
)
def test_the_graph_gives_what_the_network_gives(network: str, how: Aggregation, frames: int) -> None:
    module = lively(made(network, how, frames)).train()
    graph = export(module, 32, frames)
    assert module.training and all(p.requires_grad for p in module.parameters())
    module.eval()
    for count in (1, 2, 7):  # it was exported with another number of samples
        x = clips(count, frames, seed=count)
        x = x if frames > 1 else x[:, 0]
        with torch.inference_mode():
            expected = module(x).numpy()
        found = run(graph, x)
        assert found.dtype == np.float32 and found.shape == (count, 5)
        np.testing.assert_allclose(found, expected, atol=0.01 * np.abs(expected).max() + 1e-3)


def test_weights_are_stored_in_half_precision() -> None:
    module = made("small_wide")
    numbers = sum(p.numel() for p in module.parameters())
    assert len(export(module, 32, 1)) < 2.2 * numbers + 10_000


def test_weights_that_are_not_finite_are_not_exported() -> None:
    module = made()
    module.linear.bias.data[0] = float("nan")
    with pytest.raises(BadWeights, match="not finite"):
        export(module, 32, 1)
