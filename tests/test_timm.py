"""Networks of timm: exported once, equal to the original, and refused in one sentence where that cannot be."""

from __future__ import annotations

import http.server
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from headstart.backbones import cached
from headstart.backbones.session import open_session
from headstart.backbones.table import digest, find
from headstart.errors import BadConfig, BadInput, BadWeights
from headstart.transfer.timm_export import prepare

NEEDED = ("torch", "torchvision", "timm", "onnx", "safetensors")
pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDED), reason="needs headstart[torch]"
)
PROBE = "resnet18"  # a name with weights on the hub


@pytest.fixture(scope="module")
def timm() -> Iterator[Any]:
    """timm, with torch held to one thread: other tests want the cores too."""
    import torch

    from headstart.transfer.timm_model import timm_itself

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield timm_itself()
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of each test's own."""
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def exported(timm: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the weights `own.pth` of a test_resnet and, in `cache`, the entry made from them."""
    place = tmp_path_factory.mktemp("exported")
    saved(timm, "test_resnet", place / "own.pth")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADSTART_CACHE", str(place / "cache"))
        prepare("timm:test_resnet", place / "own.pth")
    return place


@pytest.fixture
def own(exported: Path, tmp_path: Path) -> Path:
    """The weights of `exported`, with its entry copied into the cache of this test."""
    shutil.copytree(exported / "cache", tmp_path / "cache")
    return exported / "own.pth"


def pictures(count: int, pixels: int) -> NDArray[np.uint8]:
    """Patches of colour with noise on them."""
    from headstart.transfer.feature_graph import random_pictures

    return random_pictures(count, pixels)


def network(timm: Any, name: str, **options: Any) -> Any:
    """A random network whose norms are none of them the identity, so that a mistake in one shows."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = timm.create_model(name, **options)
        for layer in model.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.weight.data.uniform_(0.5, 1.5)
                layer.bias.data.normal_(0, 0.1)
                layer.running_mean.normal_(0, 0.1)
                layer.running_var.uniform_(0.5, 1.5)
    return model.eval()


def saved(timm: Any, name: str, path: Path, **options: Any) -> Any:
    import torch

    model = network(timm, name, **options)
    torch.save(model.state_dict(), path)
    return model


def expected_head(model: Any, images: np.ndarray) -> np.ndarray:
    """What the classifier gets, by timm's own preparation of pictures."""
    import torch

    mean, std = (torch.tensor(model.pretrained_cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    x = (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - mean) / std
    with torch.inference_mode():
        return np.asarray(model.forward_head(model.forward_features(x), pre_logits=True))


def test_a_network_of_any_size_gives_what_the_original_gives(timm: Any, own: Path) -> None:
    model, row = network(timm, "test_resnet"), prepare("timm:test_resnet", own)
    assert row == find("timm:test_resnet") and not row.fixed and row.step == 32 and row.pixels[0] == 32
    assert row.licence == "that of its weights file" and "own.pth" in row.origin
    session = open_session(row.name, "int8")
    for pixels in (32, 96, 224):
        images = pictures(3, pixels)
        found, exact = session(images), expected_head(model, images)
        assert {name: values.shape for name, values in found.items()} == {
            n: (3, dim) for n, dim in row.outputs
        }
        assert all((values >= 0).all() and values.dtype == np.float32 for values in found.values())
        assert np.linalg.norm(found["head"] - exact) < 0.01 * np.linalg.norm(
            exact
        )  # weights in half precision
    assert [name for name, _ in row.outputs] == ["d2", "d3", "d4", "head"]  # the mean of d5 is the head


def test_inner_stages_are_means_over_quarters(timm: Any, own: Path) -> None:
    import torch

    model, row = network(timm, "test_resnet"), prepare("test_resnet")
    images = pictures(2, 96)  # d4 is 6 x 6 there, the last stage 3 x 3
    mean, std = (torch.tensor(model.pretrained_cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    x = (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - mean) / std
    with torch.inference_mode():
        maps = model.forward_intermediates(x, intermediates_only=True)
        quarters = torch.nn.functional.adaptive_avg_pool2d(maps[3], 2).flatten(2).transpose(1, 2).flatten(1)
    found = open_session(row.name, "fp32")(images)["d4"]
    assert np.linalg.norm(found - quarters.numpy()) < 0.01 * np.linalg.norm(found)


def test_odd_maps_share_their_middle() -> None:
    import torch

    from headstart.transfer.feature_network import grid

    for height, width in ((1, 1), (3, 3), (5, 4), (8, 7)):
        x = torch.rand(2, 3, height, width)
        expected = torch.nn.functional.adaptive_avg_pool2d(x, 2).flatten(2).transpose(1, 2).flatten(1)
        torch.testing.assert_close(grid(x), expected)


def test_negative_features_are_split_and_nothing_is_lost(timm: Any, tmp_path: Path) -> None:
    model = saved(timm, "test_efficientnet", tmp_path / "own.pth")  # SiLU
    row = prepare("timm:test_efficientnet", tmp_path / "own.pth")
    images = pictures(2, 64)
    found, exact = open_session(row.name, "fp32")(images)["head"], expected_head(model, images)
    assert found.shape[1] == 2 * exact.shape[1] and (found >= 0).all() and (exact < 0).any()
    positive, negative = np.split(found, 2, axis=1)
    assert np.linalg.norm(positive - negative - exact) < 0.01 * np.linalg.norm(exact)
    assert (np.minimum(positive, negative) == 0).all()


@pytest.mark.parametrize("factor", [1e-7, 1e7])
def test_numbers_that_half_precision_cannot_hold_are_scaled(timm: Any, tmp_path: Path, factor: float) -> None:
    import torch

    state = network(timm, "test_resnet").state_dict()
    for name in state:
        if name.startswith("layer4") and name.endswith(
            ("bn2.weight", "bn2.bias", "downsample.2.weight", "downsample.2.bias")
        ):
            state[name] = state[name] * factor
    model = network(timm, "test_resnet")
    model.load_state_dict(state)
    torch.save(state, tmp_path / "own.pth")
    row = prepare("test_resnet", tmp_path / "own.pth")
    images = pictures(2, 96)
    exact = expected_head(model, images)
    assert not 0.01 < exact.max() < 10_000
    found = open_session(row.name, "fp32")(images)["head"].astype(np.float16).astype(np.float32)
    unit_found, unit_exact = (x / np.linalg.norm(x) for x in (found, exact))
    assert np.linalg.norm(unit_found - unit_exact) < 0.01


def test_a_network_of_one_size_says_so(timm: Any) -> None:
    row = prepare("timm:test_vit", random=True)
    assert row.fixed and row.pixels == (160,) and "random" in row.origin
    assert open_session(row.name, "fp32")(pictures(2, 160))["head"].shape == (2, dict(row.outputs)["head"])
    with pytest.raises(BadConfig, match="test_vit takes pictures of 160 px only, not of 320"):
        row.check(320)
    with pytest.raises(BadInput, match="160 px only"):
        open_session(row.name, "fp32")(pictures(1, 64))


def test_an_entry_is_made_once(own: Path, folder: Path) -> None:
    written = sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir())
    started = time.perf_counter()
    assert prepare("timm:test_resnet", own) == prepare("test_resnet") == find("timm:test_resnet")
    assert time.perf_counter() - started < 0.5
    assert sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir()) == written


def test_a_damaged_graph_is_made_again(own: Path, folder: Path) -> None:
    row = find("timm:test_resnet")
    (folder / row.files["fp32"].name).write_bytes(b"damaged")
    again = prepare("test_resnet", own)
    assert again.outputs == row.outputs and again.digest("fp32") == row.digest("fp32")
    assert open_session(row.name, "fp32")(pictures(1, 64))["head"].any()


def test_a_damaged_row_is_made_again_from_a_file_with_the_same_backbone(own: Path, folder: Path) -> None:
    import torch

    identity = digest("timm:test_resnet", "fp32")
    (folder / "test_resnet.json").write_text("{}")
    state = torch.load(own, weights_only=True)
    state["fc.weight"] = torch.zeros(7, state["fc.weight"].shape[1])  # another classifier: it is cut anyway
    torch.save(state, folder / "other.pth")
    assert prepare("test_resnet", folder / "other.pth").digest("fp32") == identity


def test_other_weights_replace_the_entry(own: Path) -> None:
    before = digest("timm:test_resnet", "fp32")
    row = prepare("test_resnet", random=True)
    assert row == find("timm:test_resnet") and row.digest("fp32") != before
    assert cached.entry(row.name).source == "random" and "random" in row.origin and "random" in row.licence


def test_files_of_every_sort_are_read(timm: Any, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    from headstart.transfer.weights_file import read_state

    state = network(timm, "test_resnet").state_dict()
    save_file(state, tmp_path / "a.safetensors")
    torch.save(
        {"epoch": 3, "state_dict": {f"module.{key}": value for key, value in state.items()}},
        tmp_path / "b.tar",
    )
    torch.save({"model": state}, tmp_path / "c.pth")
    for name in ("a.safetensors", "b.tar", "c.pth"):
        found = read_state(tmp_path / name)
        assert found.keys() == state.keys() and all(bool((found[key] == state[key]).all()) for key in state)


def test_files_that_do_not_fit_are_refused(timm: Any, tmp_path: Path, folder: Path) -> None:
    import torch

    state = network(timm, "test_resnet").state_dict()
    name = next(iter(state))
    path = tmp_path / "own.pth"
    for content, words in (
        ({k: v for k, v in state.items() if k != name}, f"{name} is missing;"),
        (
            {**state, "extra.weight": state[name], "extra.bias": state[name]},
            "extra.weight is unknown, and 1 more",
        ),
        ({**state, name: state[name][:1]}, f"{name} has the shape"),
        ({**state, name: state[name] * float("nan")}, "no finite numbers"),
        ([1, 2], "holds no state dict"),
        ({}, "holds no state dict"),
    ):
        torch.save(content, path)
        with pytest.raises(BadWeights, match=words):
            prepare("test_resnet", path)
    for damaged in (b"", b"PK\x03\x04 no weights", path.read_bytes()[:-40]):
        path.write_bytes(damaged)
        with pytest.raises(BadWeights, match=r"own\.pth.*cannot be read"):
            prepare("test_resnet", path)
    with pytest.raises(BadInput, match=r"none\.pth"):
        prepare("test_resnet", tmp_path / "none.pth")
    with pytest.raises(BadInput, match="not both"):
        prepare("test_resnet", path, random=True)
    assert not list(folder.glob("*"))


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.environ["HEADSTART_CACHE"] + ".evil",)


def test_code_in_a_weights_file_is_never_run(timm: Any, tmp_path: Path, folder: Path) -> None:
    import torch

    torch.save({"conv1.weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(BadWeights, match=r"evil\.pth.*cannot be read"):
        prepare("test_resnet", tmp_path / "evil.pth")
    assert not Path(f"{folder}.evil").exists()


def test_unknown_names_are_refused_with_near_ones(timm: Any) -> None:
    with pytest.raises(BadInput, match=r"no network 'resnet_18': is it .*resnet18"):
        prepare("timm:resnet_18")
    with pytest.raises(BadInput, match=r"no 'resnet18\.foo': it has resnet18\.a1_in1k"):
        prepare("timm:resnet18.foo")
    with pytest.raises(BadInput, match="cannot be a network of timm"):
        prepare("hf-hub:someone/network")


def test_a_network_without_weights_is_never_random(timm: Any) -> None:
    bare = next(name for name in timm.list_models() if not timm.get_pretrained_cfg(name).has_weights)
    with pytest.raises(BadWeights, match=rf"no pretrained weights for timm:{bare}: .*--weights FILE"):
        prepare(bare)


def asked(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`prepare` of pretrained weights in a process of its own: the hub's client reads its settings only once."""
    script = (
        "import sys, time\nfrom headstart.errors import HeadstartError\n"
        "from headstart.transfer.timm_model import timm_itself\nfrom headstart.transfer.timm_export import prepare\n"
        "timm_itself(); started = time.perf_counter()\n"
        "try: print(prepare(sys.argv[1]).origin)\n"
        "except HeadstartError as error: print(type(error).__name__, error)\n"
        "print(time.perf_counter() - started)"
    )
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script, environment.pop("NAME", PROBE)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "HF_HOME": str(tmp_path / "hub"), "no_proxy": "127.0.0.1", **environment},
    )


def one_sentence(done: subprocess.CompletedProcess[str], seconds: float) -> str:
    assert done.returncode == 0, done.stderr
    sentence, spent = done.stdout.splitlines()
    assert sentence.startswith("BadWeights") and "timm:resnet18" in sentence and "--weights FILE" in sentence
    assert done.stderr == "" and float(spent) < seconds
    return sentence


@pytest.fixture
def silent() -> Iterator[str]:
    """A host that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(params=[404, 503])
def refusing(request: pytest.FixtureRequest) -> Iterator[str]:
    """A host that has nothing, or that is down."""

    class Refuse(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(request.param)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.slow
def test_without_a_connection_there_is_one_sentence_soon(tmp_path: Path, silent: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"http://127.0.0.1:{server.getsockname()[1]}"
    for endpoint in (closed, silent):
        sentence = one_sentence(asked(tmp_path, HF_ENDPOINT=endpoint), 8)
        assert "cannot be reached" in sentence and "connect once" in sentence
    offline = one_sentence(asked(tmp_path, HF_HUB_OFFLINE="1"), 1)
    assert "HF_HUB_OFFLINE is set" in offline
    assert not list((tmp_path / "cache").glob("*"))


@pytest.mark.slow
def test_a_hub_that_refuses_ends_in_one_sentence(tmp_path: Path, refusing: str) -> None:
    one_sentence(asked(tmp_path, HF_ENDPOINT=refusing), 8)


@pytest.mark.slow
def test_pretrained_weights_that_the_hubs_cache_holds_need_no_connection(timm: Any, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    kept = tmp_path / "hub" / "hub" / "models--timm--test_resnet.r160_in1k"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("abc")
    (kept / "snapshots" / "abc").mkdir(parents=True)
    weights = kept / "snapshots" / "abc" / "model.safetensors"
    save_file(network(timm, "test_resnet").state_dict(), weights)
    done = asked(tmp_path, NAME="test_resnet", HF_HUB_OFFLINE="1")
    assert "pretrained weights test_resnet.r160_in1k of timm/test_resnet.r160_in1k" in done.stdout, (
        done.stderr
    )
    entry = cached.entry("timm:test_resnet")
    assert entry.source == "hub" and json.loads((tmp_path / "cache" / "test_resnet.json").read_text())
    own = tmp_path / "own.safetensors"
    shutil.copy(weights, own)
    assert prepare("test_resnet", own).digest("fp32") == entry.row.digest(
        "fp32"
    )  # the same weights by either way
    (tmp_path / "cache" / "test_resnet.json").unlink()
    weights.write_bytes(weights.read_bytes()[:-9])
    assert "could not be loaded" in asked(tmp_path, NAME="test_resnet", HF_HUB_OFFLINE="1").stdout


def test_a_full_disk_or_a_file_in_the_way_is_explained(timm: Any, folder: Path) -> None:
    folder.write_text("in the way")
    with pytest.raises(Exception, match="cannot be written") as error:
        prepare("test_resnet", random=True)
    assert type(error.value).__module__ == "headstart.errors"


def test_missing_packages_are_named(tmp_path: Path) -> None:
    """In an interpreter that finds numpy and nothing else."""
    import headstart

    packages = Path(np.__file__).parents[1]
    for name in ("numpy", "numpy.libs"):
        if (packages / name).is_dir():
            (tmp_path / name).symlink_to(packages / name)
    script = (
        "from headstart.errors import BadInput\nfrom headstart.transfer.timm_export import prepare\n"
        "try: prepare('resnet18')\nexcept BadInput as error: print(error)"
    )
    path = os.pathsep.join([str(Path(headstart.__file__).parents[1]), str(tmp_path)])
    done = subprocess.run(
        [sys.executable, "-S", "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert "needs torch, torchvision, timm, onnx once" in done.stdout, done.stderr
    assert "pip install 'headstart[torch]'" in done.stdout
