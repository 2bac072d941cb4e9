"""The portfolio: every row becomes a classifier that can be trained, from the weights that the recipe names."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

if any(importlib.util.find_spec(name) is None for name in ("torch", "torchvision", "timm", "onnx")):
    pytest.skip("needs headstart[torch]", allow_module_level=True)

import numpy as np
import torch

from headstart.errors import BadInput, BadWeights
from headstart.meta.similarity.mlp import drawn
from headstart.transfer import timm_model, torchvision_model
from headstart.transfer.classifier import Classifier
from headstart.transfer.classifier_graph import export
from headstart.transfer.cuts import CUTS
from headstart.transfer.networks import NETWORKS, Row, build, check
from headstart.words.recipe import Recipe

OWN = [row.name for row in NETWORKS.values() if row.source in ("own", "bundled")]
QUICK = ["mobilenetv2_035", "mobilenetv3_small_050", "efficientnet_b0_030", "densenet121_025", "resnet18"]
QUICK += ["squeezenet", "shufflenet_v2_050", "lite1"]
REST = sorted(NETWORKS.keys() - set(QUICK) - set(OWN))
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in REST]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Other tests want the cores too, and threads that wait for a core are slow."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def random(name: str, **fields: object) -> Recipe:
    pixels = max(32, NETWORKS[name].pixels[0])
    return Recipe(name, pixels, weights="random", **fields)  # type: ignore[arg-type]


def pictures(recipe: Recipe, count: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (count, recipe.pixels, recipe.pixels, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def same(a: Classifier, b: Classifier) -> bool:
    other = b.state_dict()
    return all(torch.equal(value, other[name]) for name, value in a.state_dict().items())


def test_the_table_covers_the_families() -> None:
    assert {row.family for row in NETWORKS.values()} == {*CUTS, "small"}
    for name, row in NETWORKS.items():
        assert name == row.name and not any(c in name for c in "@/ ")
        assert row.pixels == tuple(sorted(row.pixels)) and {96, 128, 224} <= set(row.pixels)
        assert row.pretrained == (row.licence != "") and (row.source != "own" or not row.pretrained)
    numbers = {"small": 1e5, "small_wide": 4e5}
    for name, count in numbers.items():
        assert sum(p.numel() for p in build(random(name), 10, seed=0).parameters()) == pytest.approx(
            count, rel=0.1
        )


@pytest.mark.parametrize("name", [*OWN, *QUICK, *SLOW])
def test_every_network_can_be_trained_and_cut(name: str) -> None:
    recipe = random(name, norm_momentum=0.25)
    module = build(recipe, 4, seed=0)
    x = pictures(recipe)
    torch.nn.functional.cross_entropy(module(x), torch.arange(3)).backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in module.parameters())
    norms = [layer for layer in module.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    assert all(norm.momentum == 0.25 for norm in norms) and (norms or name == "squeezenet")
    in_blocks = {id(p) for block in module.blocks() for p in block.parameters()}
    assert in_blocks == {id(p) for p in module.network.parameters()} and len(module.blocks()) >= 5
    module.eval()
    with torch.inference_mode():
        assert module.features(x).shape == (3, module.network.dim)
        for last in (0, 2):
            module.train_last(last)
            assert torch.allclose(module.top(module.bottom(x)), module(x), atol=1e-5)


def test_the_papers_networks_have_the_sizes_that_it_tells_of() -> None:
    """MobileNet is nearly ten times smaller than Inception v3 and can be scaled down; ResNet18 and an MLP: 12 M."""

    def numbers(name: str) -> int:
        with torch.device("meta"):  # nothing is drawn
            module = build(Recipe(name, 128, weights="random"), 20, seed=0)
        return sum(p.numel() for p in module.network.parameters())

    mobile = [numbers(f"mobilenetv2_{width}") for width in ("100", "050", "035")]
    assert mobile == sorted(mobile, reverse=True) and mobile[0] > 5 * mobile[2]
    assert 8 < numbers("inception_v3") / mobile[0] < 12
    perceptron = drawn((5 * 512, 256, 20), np.random.default_rng(0))
    own = sum(array.size for array in (*perceptron.weights, *perceptron.biases))
    assert numbers("resnet18") + own == pytest.approx(12e6, rel=0.05)


@pytest.mark.parametrize("name", ["small", "lite0", "resnet18", "efficientnet_b0_030", "squeezenet"])
def test_random_weights_follow_from_the_seed_and_leave_torch_alone(name: str) -> None:
    before = torch.random.get_rng_state()
    first, again, other = (build(random(name), 4, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same(first, again) and not same(first, other)


def test_timm_and_torchvision_networks_give_what_they_give_uncut(tmp_path: Path) -> None:
    timm = timm_model.timm_itself()
    for name in ("mobilenetv2_035", "mobilenetv3_small_050", "resnet18", "densenet121", "inception_v3"):
        with torch.random.fork_rng(devices=[]):
            model = timm.create_model(NETWORKS[name].architecture, pretrained=False, num_classes=7)
        torch.save(model.state_dict(), tmp_path / "weights.pth")
        recipe = Recipe(name, 96, weights=f"file:{tmp_path / 'weights.pth'}")
        module, x = build(recipe, 4, seed=0).eval(), pictures(recipe, 2)
        model.reset_classifier(0)
        with torch.inference_mode():
            planes = module.network.planes(x.unsqueeze(1))[:, 0]
            expected = model.eval()(planes)
            torch.testing.assert_close(module.features(x), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["squeezenet", "shufflenet_v2_050"])
def test_weights_for_torchvision_from_a_file(name: str, tmp_path: Path) -> None:
    models = torchvision_model._models()
    model = models.get_model(NETWORKS[name].architecture, weights=None, num_classes=7).eval()
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    recipe = Recipe(name, 64, weights=f"file:{tmp_path / 'weights.pth'}")
    module, x = build(recipe, 4, seed=0).eval(), pictures(recipe, 2)
    classifier = model.classifier[1] if name == "squeezenet" else model.fc
    seen: list[torch.Tensor] = []
    classifier.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        model(module.network.planes(x.unsqueeze(1))[:, 0])
        expected = seen[0].mean((2, 3)) if seen[0].dim() == 4 else seen[0]
        torch.testing.assert_close(module.features(x), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["small", "lite0", "resnet18", "squeezenet"])
def test_a_trained_classifier_is_a_start_for_another_task(name: str, tmp_path: Path) -> None:
    trained = build(random(name), 4, seed=3)
    torch.save(trained.state_dict(), tmp_path / "trained.pth")
    recipe = Recipe(name, 32, weights=f"file:{tmp_path / 'trained.pth'}", aggregation="gru", frames=2)
    module, x = build(recipe, 9, seed=0).eval(), pictures(recipe)
    with torch.inference_mode():
        expected = trained.eval().features(x)
        torch.testing.assert_close(module.features(x)[:, : module.network.dim], expected)


def test_weights_that_do_not_fit_or_are_not_there_are_said(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save(build(random("small"), 4, seed=0).state_dict(), path)
    with pytest.raises(BadWeights, match=r"other.pth.*small_wide.* do not fit"):
        build(Recipe("small_wide", 32, weights=f"file:{path}"), 4, seed=0)
    with pytest.raises(BadWeights, match=r"do not fit"):
        build(Recipe("squeezenet", 32, weights=f"file:{path}"), 4, seed=0)
    path.write_bytes(b"nothing")
    with pytest.raises(BadWeights, match="cannot be read"):
        build(Recipe("lite0", 32, weights=f"file:{path}"), 4, seed=0)
    with pytest.raises(BadInput, match="no weights file"):
        build(Recipe("resnet18", 32, weights=f"file:{tmp_path / 'none.pth'}"), 4, seed=0)


def test_without_a_connection_the_hub_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for variable in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")  # nothing listens there
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(
        BadWeights, match=r"squeezenet1_1 are not on this machine.*cannot be reached.*file:PATH"
    ):
        build(Recipe("squeezenet", 32), 4, seed=0)


def test_what_does_not_go_together_is_said_before_anything_is_loaded() -> None:
    with pytest.raises(BadInput, match=r"'smal'.*is it small"):
        check(Recipe("smal", 32))
    with pytest.raises(BadInput, match="there are small"):
        check(Recipe("xyzzy", 32))
    with pytest.raises(BadInput, match=r"inception_v3 takes squares of 96, 128, 224 px, not of 32"):
        check(Recipe("inception_v3", 32))
    with pytest.raises(
        BadWeights, match=r'no pretrained weights for the network small: set "weights" to "random"'
    ):
        check(Recipe("small", 32))
    with pytest.raises(BadInput, match=r'clip_small sees.*"aggregation" must be "features", not "gru"'):
        check(Recipe("clip_small", 32, weights="random", frames=4, aggregation="gru"))
    row = check(Recipe("lite0", 64))
    assert isinstance(row, Row) and row.source == "bundled"


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "lite1", "squeezenet"])
def test_networks_from_elsewhere_are_exported_too(name: str) -> None:
    graph = export(build(random(name), 4, seed=0), 32, 1)
    assert len(graph) > 100_000
