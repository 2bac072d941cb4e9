"""Networks that were prepared on this machine: found, checked, and run without torch."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.backbones import cached
from headstart.backbones.row import Backbone, File
from headstart.backbones.session import open_session
from headstart.backbones.table import BACKBONES, digest, find, read_weights
from headstart.errors import BadConfig, BadInput, BadWeights

NAME = "timm:means"


def graph() -> bytes:
    """A network that gives the mean of each colour."""
    from onnx import TensorProto, helper

    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["b", "h", "w", 3])
    head = helper.make_tensor_value_info("head", TensorProto.FLOAT, ["b", 3])
    nodes = [
        helper.make_node("Cast", ["image"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["x"], ["head"], axes=[1, 2], keepdims=0),
    ]
    made = helper.make_graph(nodes, "means", [image], [head])
    opset = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(made, opset_imports=opset, ir_version=8).SerializeToString())


def row(content: bytes, **other: Any) -> Backbone:
    checksum = hashlib.sha256(content).hexdigest()
    file = File(f"means-{checksum[:12]}.onnx", checksum, 0.0)
    made = Backbone(NAME, (("head", 3),), (64, 96), 32, {"fp32": file}, "MIT", "a test", False, "feed")
    return dataclasses.replace(made, **other)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds one prepared network."""
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    content = graph()
    made = row(content)
    (tmp_path / made.files["fp32"].name).write_bytes(content)
    (tmp_path / "means.json").write_bytes(cached.encode(cached.Entry(made, "hub")))
    return tmp_path


def test_a_prepared_network_is_found_and_runs(folder: Path) -> None:
    found = find(NAME)
    assert found == row(graph()) and cached.entry(NAME).source == "hub"
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
    for precision in ("fp32", "int8"):  # it has no int8: fp32 serves
        values = open_session(NAME, precision)(images)
        np.testing.assert_allclose(values["head"], images.mean((1, 2)), rtol=1e-5)
        assert read_weights(NAME, precision) == graph()
    assert digest(NAME, "int8") == digest(NAME, "fp32") == found.digest("fp32")
    assert open_session(NAME, "fp32")(images[:0]) == {}


def test_the_digest_follows_the_weights_and_not_the_file() -> None:
    """Exported again from the same weights, by another version of the exporter say, features stay what they are."""
    first, again = row(b"first"), row(b"again")
    assert first.digest("fp32") == again.digest("fp32")
    others = [{"weights": "f00d"}, {"outputs": (("head", 4),)}, {"fixed": True}]
    assert len({row(b"first", **other).digest("fp32") for other in [{}, *others]}) == 4
    assert BACKBONES["lite0"].digest("int8") == BACKBONES["lite0"].files["int8"].sha256


def test_every_damage_of_the_entry_is_refused(folder: Path) -> None:
    path = folder / "means.json"
    whole = path.read_bytes()
    content = json.loads(whole)
    content["row"]["outputs"] = [["head", 4]]
    other = cached.encode(cached.Entry(row(graph(), name="timm:other"), "hub"))
    for damaged in (b"", b"[]", b"{}", b"\xff", whole[:-9], json.dumps(content).encode(), other, b"[" * 9999):
        path.write_bytes(damaged)
        with pytest.raises(BadWeights, match="damaged") as error:
            find(NAME)
        assert str(path) in str(error.value) and NAME in str(error.value)


@given(st.data())
def test_no_changed_byte_of_an_entry_goes_unseen(data: st.DataObject) -> None:
    whole = cached.encode(cached.Entry(row(graph()), "file", "ab"))
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[place] ^= data.draw(st.integers(1, 255))
    try:
        found = cached._decode(json.loads(bytes(changed)))
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    assert found is None or found == cached._decode(json.loads(whole))  # white space may change


def test_damaged_and_missing_graphs_are_refused(folder: Path) -> None:
    path = folder / find(NAME).files["fp32"].name
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(BadWeights, match=r"damaged.*--backbone timm:means"):
        open_session(NAME, "fp32")
    path.unlink()
    with pytest.raises(BadWeights, match=r"cannot be read.*--backbone timm:means"):
        open_session(NAME, "fp32")


def test_what_was_not_prepared_is_named_with_the_ways_out(folder: Path) -> None:
    with pytest.raises(
        BadInput, match=r"timm:resnet18 has not been prepared.*--backbone timm:resnet18.*--weights"
    ):
        find("timm:resnet18")
    with pytest.raises(BadInput, match=r"there are lite0.*timm:NAME"):
        find("resnet18")
    for name in (
        "timm:",
        "timm:../means",
        "timm:a/b",
        "timm:.hidden",
        "timm:a b",
        "timm:timm:means",
        "timm:hf-hub:x",
    ):
        with pytest.raises(BadInput, match="cannot be a network of timm"):
            find(name)


def test_an_unreadable_entry_is_refused(folder: Path) -> None:
    (folder / "means.json").unlink()
    (folder / "means.json").mkdir()
    with pytest.raises((BadWeights, BadInput)):
        find(NAME)


def test_an_entry_cannot_name_a_file_elsewhere(folder: Path) -> None:
    made = row(graph())
    for name in ("../means.onnx", "/etc/passwd", "a\\b"):
        out = dataclasses.replace(made, files={"fp32": dataclasses.replace(made.files["fp32"], name=name)})
        (folder / "means.json").write_bytes(cached.encode(cached.Entry(out, "hub")))
        with pytest.raises(BadWeights, match="damaged"):
            find(NAME)


def test_sizes_are_checked_with_what_is_taken() -> None:
    free, fixed = row(b""), row(b"", pixels=(224,), step=224, fixed=True)
    free.check(64), free.check(160), fixed.check(224)
    for made, pixels, words in (
        (free, 70, "multiple of 32"),
        (free, 32, "64 pixels or more"),
        (fixed, 448, "takes pictures of 224 px only"),
    ):
        with pytest.raises(BadConfig, match=words) as error:
            made.check(pixels)
        assert NAME in str(error.value) and str(pixels) in str(error.value)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the folder of Linux")
def test_the_folder_follows_the_users_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.delenv("HEADSTART_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cached.folder() == Path("/home/ada/.cache/headstart")
    monkeypatch.setenv("XDG_CACHE_HOME", "/fast")
    assert cached.folder() == Path("/fast/headstart")
    monkeypatch.setenv("HEADSTART_CACHE", "~/own")
    assert cached.folder() == Path("/home/ada/own")


def test_what_is_prepared_needs_no_torch(folder: Path) -> None:
    script = (
        "import sys; from headstart.transfer.timm_export import prepare\n"
        "from headstart.backbones.session import open_session\n"
        f"row = prepare({NAME!r}); open_session(row.name, 'int8')\n"
        "print(row.name, *(m for m in ('torch', 'timm', 'onnx') if m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "HEADSTART_CACHE": str(folder)},
    )
    assert done.stdout.split() == [NAME], done.stderr
