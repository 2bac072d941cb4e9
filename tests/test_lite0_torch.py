"""The bundled network in torch says what the bundled graph says, before and after it is settled."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

if any(importlib.util.find_spec(name) is None for name in ("torch", "onnx")):
    pytest.skip("needs headstart[torch]", allow_module_level=True)

import torch

from headstart.backbones import table
from headstart.backbones.session import open_session
from headstart.errors import BadWeights
from headstart.transfer.classifier import Classifier
from headstart.transfer.lite0 import lite0

NORM = torch.nn.BatchNorm2d


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Other tests want the cores too, and threads that wait for a core are slow."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def pictures(count: int, pixels: int, seed: int = 0) -> NDArray[np.uint8]:
    rng = np.random.default_rng([seed, pixels])
    patches = np.kron(rng.integers(0, 256, (count, 4, 4, 3)), np.ones((1, pixels // 4, pixels // 4, 1)))
    return (0.7 * patches + 0.3 * rng.integers(0, 256, patches.shape)).astype(np.uint8)


def classifier() -> Classifier:
    return Classifier(lite0(), "logits", 3).eval()


def features(module: Classifier, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    with torch.inference_mode():
        return np.asarray(module.features(torch.from_numpy(images)))


def norms(module: Classifier) -> list[torch.nn.BatchNorm2d]:
    return [layer for layer in module.modules() if isinstance(layer, NORM)]


@pytest.mark.parametrize("pixels", [32, 64, 96, 128])
def test_it_gives_the_head_of_the_bundled_graph(pixels: int) -> None:
    images = pictures(4, pixels)
    expected = open_session("lite0", "fp32")(images)["head"]
    assert expected.max() > 1
    np.testing.assert_allclose(features(classifier(), images), expected, atol=1e-3)


def test_settling_changes_nothing_in_eval_mode_and_nearly_nothing_in_train_mode() -> None:
    module, images = classifier(), pictures(24, 64)
    before = features(module, images)
    other = features(module, pictures(4, 96, seed=1))
    module.settle(torch.from_numpy(images).split(10))
    assert not module.training
    np.testing.assert_allclose(features(module, images), before, atol=1e-3)
    np.testing.assert_allclose(features(module, pictures(4, 96, seed=1)), other, atol=1e-3)
    assert all(float(norm.running_var.max()) != 1.0 for norm in norms(module))
    module.train()
    np.testing.assert_allclose(features(module, images), before, atol=0.02)


def test_unsettled_it_is_another_function_in_train_mode() -> None:
    module, images = classifier(), pictures(24, 64)
    before = features(module, images)
    module.train()
    assert np.abs(features(module, images) - before).max() > 0.5


def test_settled_statistics_are_those_of_the_pictures() -> None:
    module, images = classifier(), torch.from_numpy(pictures(8, 32))
    module.settle([images])
    with torch.inference_mode():
        x = module.network.parts[0].convolution(
            torch.nn.functional.pad(module.network.planes(images[:, None])[:, 0], (0, 1, 0, 1))
        )
    first = norms(module)[0]
    torch.testing.assert_close(first.running_mean, x.mean((0, 2, 3)), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(first.running_var, x.var((0, 2, 3), correction=0), atol=1e-5, rtol=1e-3)


def test_settling_nothing_or_twice_or_random_weights_does_no_harm() -> None:
    module, images = classifier(), pictures(8, 32)
    before = features(module, images)
    module.settle([])
    module.settle([torch.from_numpy(images)])
    module.settle([torch.from_numpy(pictures(8, 32, seed=3))])
    np.testing.assert_allclose(features(module, images), before, atol=1e-3)
    fresh = Classifier(lite0(random=True), "logits", 3)
    fresh.settle([torch.from_numpy(images)])
    assert all(bool((norm.running_mean == 0).all()) for norm in norms(fresh)) and fresh.training


def test_a_step_of_training_moves_every_block_and_lowers_the_loss() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module, images = classifier(), torch.from_numpy(pictures(12, 32))
        truth = torch.arange(12) % 3
        module.settle([images])
        module.train()
        optimiser = torch.optim.Adam(module.parameters(), 0.001)
        losses = []
        for _ in range(4):
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(module(images), truth)
            loss.backward()
            assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in module.parameters())
            optimiser.step()
            losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]


def test_damaged_weights_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lite0-fp16.onnx").write_bytes(b"not a graph")
    monkeypatch.setattr(table, "WEIGHTS", tmp_path)
    with pytest.raises(BadWeights, match="damaged"):
        lite0()
