"""An exported file: the scores of the model it came from, a description of itself, or a clear refusal."""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from headstart import model as models
from headstart.backbones.cached import Entry, encode
from headstart.backbones.motion import motion
from headstart.backbones.table import Backbone, File, read_weights
from headstart.cli import export as verb
from headstart.errors import BadInput, HeadstartError
from headstart.export.builder import Builder
from headstart.export.check import largest_difference, opened, pictures, refuse
from headstart.export.file import export
from headstart.export.graph import build
from headstart.export.heads import unit as unit_nodes
from headstart.export.motion import motion as motion_nodes
from headstart.heads.ensemble import Ensemble, Member
from headstart.heads.kernel import Kernel, unit
from headstart.model import Model
from headstart.words.task import Samples, Task

LINEAR, WIDE = Kernel("linear"), Kernel("rbf", 0.7, 0.9)
CLASSES = ("ant", "bee", "caf\udce9")  # the last one is no UTF-8
FEW = ("pixels@64/rgb16", "lite0_cut@32/d4", "lite0_cut@32/d10", "lite0_cut@64/d10")
OVER_TIME = ("pixels@32/rgb16", "lite0_cut@32x4/d4", "lite0_cut@32x4/d10+std", "lite0_cut@32x4/d10+change")
DIM = {"rgb16": 768, "d4": 960, "d7": 1920, "d10": 2688, "head": 1280, "d10+std": 2688, "d10+change": 8064}
DIM |= {"flow": 768, "edges": 512}


def made(
    blocks: tuple[str, ...] = FEW[1:2],
    heads: tuple[tuple[str, Kernel], ...] = (("ridge", LINEAR),),
    landmarks: int = 12,
    classes: tuple[str, ...] = CLASSES,
    **about: Any,
) -> Model:
    """A model with landmarks and weights drawn at random, as a run would publish them."""
    rng = np.random.default_rng(3)
    fixed = {
        block: unit(rng.gamma(1, 1, (landmarks, DIM[block.split("/")[1]])))
        .astype(np.float16)
        .astype(np.float32)
        for block in blocks
    }
    members = []
    for number, (head, kernel) in enumerate(heads):
        own = landmarks - number  # members may use fewer landmarks than there are
        weights = rng.normal(0, 3, (own, len(classes))).astype(np.float32)
        if head == "neighbours":
            weights = np.eye(len(classes), dtype=np.float32)[rng.integers(0, len(classes), own)]
        offset = rng.normal(0, 1, len(classes)).astype(np.float32)
        some = blocks if number % 2 == 0 else blocks[:1]
        members.append(Member(head, some, kernel, own, weights, offset, 0.5 + number, 0.9))
    labels = about.pop("labels", "single")
    ensemble = Ensemble(tuple(members), fixed, labels, about.pop("temperature", 1.0))
    basis = Model(classes, "image", labels, "fp32", 0.875, 40, ensemble)
    return replace(basis, **about)


def saved(model: Model, folder: Path) -> Path:
    """A run folder with this model."""
    task = Task("toy", model.kind, model.labels, model.classes, Samples("", []))
    models.save(folder / "model", task, model.precision, model.evidence, 40, model.ensemble, model.thresholds)
    return folder


def content(model: Model) -> bytes:
    result: bytes = build(model).SerializeToString()
    return result


@cache
def plain() -> tuple[Model, bytes]:
    model = made()
    return model, content(model)


ALL_HEADS = (("ridge", LINEAR), ("lda", WIDE), ("means", WIDE), ("neighbours", LINEAR), ("neighbours", WIDE))


@pytest.mark.parametrize("labels", ["single", "multi"])
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_every_head_kernel_and_kind_of_labels_says_what_the_model_says(
    labels: str, temperature: float
) -> None:
    model = made(heads=ALL_HEADS, labels=labels, temperature=temperature)
    assert largest_difference(content(model), model) < 1e-5


@pytest.mark.parametrize("head", ALL_HEADS)
def test_each_member_alone(head: tuple[str, Kernel]) -> None:
    model = made(heads=(head,))
    assert largest_difference(content(model), model) < 1e-5


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_several_backbones_sizes_and_outputs(precision: Any) -> None:
    model = made(FEW, ALL_HEADS[:2], precision=precision)
    assert largest_difference(content(model), model) < 1e-5


def test_fewer_landmarks_than_neighbours_that_vote() -> None:
    model = made(heads=(("neighbours", LINEAR),), landmarks=3)
    assert largest_difference(content(model), model) < 1e-5


def test_scores_of_a_batch_are_those_of_its_pictures() -> None:
    session = opened(plain()[1])
    images = np.random.default_rng(0).integers(0, 256, (5, 50, 40, 3), np.uint8)
    together = session.run(["scores"], {"image": images})[0]
    alone = [session.run(["scores"], {"image": image[None]})[0][0] for image in images]
    assert together.shape == (5, 3) and together.dtype == np.float32
    assert np.allclose(together, alone, atol=1e-6)
    assert np.allclose(together.sum(axis=1), 1, atol=1e-5)


def test_features_are_rounded_to_half_precision_as_the_cache_does() -> None:
    """onnxruntime must not take the two casts for none."""
    graph = Builder()
    graph.node("Identity", unit_nodes(graph, graph.cast("image", "float")), name="unit")
    model = graph.model({"image": ["n", 5]}, {"unit": ("float", ["n", 5])})
    model.graph.input[0].type.tensor_type.elem_type = 1
    values = np.random.default_rng(0).uniform(0, 3, (400, 5)).astype(np.float32)
    values[0] = 0
    found = opened(model.SerializeToString()).run(None, {"image": values})[0]
    expected = unit(values.astype(np.float16).astype(np.float32))
    assert np.abs(found - expected).max() < 3e-7 < np.abs(found - unit(values)).max()


def test_weights_of_a_network_at_two_sizes_are_stored_once() -> None:
    one = len(content(made(FEW[3:], landmarks=1)))
    two = len(content(made(FEW[2:], landmarks=1)))
    assert two - one < 150_000 < one  # 1.2 MB of weights; what is added are nodes


def test_networks_end_where_nothing_more_is_read() -> None:
    assert len(content(made(("lite0@32/d4",), landmarks=1))) < 700_000  # of 6.7 MB


def test_the_file_describes_itself(tmp_path: Path) -> None:
    session = opened(plain()[1])
    about = session.get_modelmeta().custom_metadata_map
    assert tuple(json.loads(about["classes"])) == CLASSES
    assert (about["kind"], about["labels"], about["evidence"]) == ("image", "single", "0.875")
    assert json.loads(about["blocks"]) == list(FEW[1:2])
    assert "uint8 [n, height, width, 3]" in about["input"] and "reducing_gap=1.1" in about["preprocessing"]
    (image,), (scores,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.type, image.shape) == ("image", "tensor(uint8)", ["n", "height", "width", 3])
    assert (scores.name, scores.type, scores.shape) == ("scores", "tensor(float)", ["n", 3])


def test_thresholds_of_a_multi_label_model_are_told() -> None:
    thresholds = np.array([0.25, 0.5, 0.75], np.float32)
    session = opened(content(made(labels="multi", thresholds=thresholds)))
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["thresholds"]) == [0.25, 0.5, 0.75] and about["labels"] == "multi"


def test_a_video_model_takes_the_frames_of_one_clip() -> None:
    model = made(OVER_TIME, ALL_HEADS[:3], kind="video")
    session = opened(content(model))
    assert session.get_outputs()[0].shape == [1, 3] and len(session.get_inputs()) == 1
    assert "at most 4 frames" in session.get_modelmeta().custom_metadata_map["input"]
    rng = np.random.default_rng(0)
    for frames in (1, 2, 3, 4):
        clip = rng.integers(0, 256, (frames + 1, 40, 30, 3), np.uint8)
        said, _ = model.posteriors([clip])
        assert np.abs(session.run(None, {"image": clip[:-1]})[0] - said).max() < 1e-5
    assert largest_difference(content(model), model) < 1e-5


def test_motion_asks_for_the_frames_that_follow() -> None:
    model = made(("motion@64x4/flow", "motion@64x4/edges", "pixels@32/rgb16"), ALL_HEADS[:2], kind="video")
    session = opened(content(model))
    assert [entry.name for entry in session.get_inputs()] == ["image", "after"]
    assert "0.1 seconds later" in session.get_modelmeta().custom_metadata_map["input"]
    assert largest_difference(content(model), model) < 1e-5


def prepared(folder: Path, opset: int) -> None:
    """A network as if made by `fit --backbone timm:toy`: the bundled one, said to be of another operator set."""
    import onnx

    network = onnx.load_model_from_string(read_weights("lite0_cut", "fp32"))
    network.opset_import[0].version = opset
    graph = network.SerializeToString()
    file = File("toy-1.onnx", hashlib.sha256(graph).hexdigest(), 1.0)
    row = Backbone("timm:toy", (("d4", 960),), (32,), 32, {"fp32": file}, "none", "a test", weights="0" * 64)
    (folder / file.name).write_bytes(graph)
    (folder / "toy.json").write_bytes(encode(Entry(row, "random")))


@pytest.mark.parametrize("opset", [17, 16])
def test_a_prepared_network_is_joined_if_its_operators_are_of_the_same_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opset: int
) -> None:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    prepared(tmp_path, opset)
    model = made(("timm:toy@32/d4",))
    if opset == 17:
        assert largest_difference(content(model), model) < 1e-5
    else:
        with pytest.raises(BadInput, match="the network timm:toy has operators"):
            build(model)


@cache
def motion_session() -> Any:
    graph = Builder()
    for name, value in motion_nodes(graph, "image", "after").items():
        graph.node("Identity", value, name=name)
    shape = ["m", 64, 64, 3]
    outputs = {"flow": ("float", [1, 768]), "edges": ("float", [1, 512])}
    return opened(graph.model({"image": shape, "after": shape}, outputs).SerializeToString())


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 9), st.integers(0, 99), st.sampled_from([1, 4, 16]))
def test_motion_is_that_of_the_package(frames: int, seed: int, block: int) -> None:
    """Blocks of one colour have edges along the axes and diagonals, where directions are bounds of bins."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (frames + 1, 64 // block, 64 // block, 3), np.uint8)
    clip = small.repeat(block, axis=1).repeat(block, axis=2)
    flow, edges = motion_session().run(["flow", "edges"], {"image": clip[:-1], "after": clip[1:]})
    expected = motion(clip[:-1], clip[1:])
    assert np.abs(flow[0] - expected["flow"]).max() < 1e-4
    # numpy's arctan2 is rounded by the platform: an angle within 1e-7 of a bound may fall on either side of it.
    assert (np.abs(edges[0] - expected["edges"]) > 1e-5).mean() < 0.05


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        ("lite0_cut@32x4/d10", "image"),
        ("motion@64x8/flow+std", "video"),
        ("lite0_cut@32x8/d10+skew", "video"),
    ],
)
def test_features_that_a_graph_cannot_compute_are_named(block: str, kind: Any) -> None:
    model = made()
    member = replace(model.ensemble.members[0], blocks=(block,))
    with pytest.raises(BadInput, match=block.replace("+", r"\+")):
        build(replace(model, kind=kind, ensemble=replace(model.ensemble, members=(member,))))


def test_clips_of_different_lengths_cannot_be_one_input() -> None:
    with pytest.raises(BadInput, match="4 and 8 frames"):
        build(made(("lite0_cut@32x4/d10", "lite0_cut@32x8/d10"), kind="video"))


def test_a_kernel_of_another_name_is_refused() -> None:
    with pytest.raises(BadInput, match="'cubic'"):
        build(made(heads=(("ridge", Kernel("cubic")),)))


def test_export_writes_a_file_that_plain_onnxruntime_runs(tmp_path: Path) -> None:
    model = made(FEW[1:3])
    out = tmp_path / "model.onnx"
    out.write_bytes(b"what was there before")
    written = export(model, out)
    assert written.path == out and written.size == out.stat().st_size and written.difference < 1e-5
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    Image.fromarray(pictures()[1]).save(tmp_path / "new.png")
    script = (
        "import numpy, onnxruntime, sys; from PIL import Image\n"
        f"image = numpy.asarray(Image.open({str(tmp_path / 'new.png')!r}).convert('RGB'))[None]\n"
        f"print(*onnxruntime.InferenceSession({str(out)!r}).run(['scores'], {{'image': image}})[0][0])\n"
        "assert not any(name.startswith('headstart') for name in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    said = model.predict(tmp_path / "new.png")[0].posteriors
    assert np.allclose([float(word) for word in done.stdout.split()], said, atol=1e-5)


def test_another_models_file_is_found_out() -> None:
    model, _ = plain()
    difference = largest_difference(content(made(temperature=3.0)), model)
    assert difference > 1e-4
    with pytest.raises(HeadstartError, match=r"differ from those of predict by 0\.\d+"):
        refuse(difference)


def test_scores_that_are_no_numbers_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    model = made()
    broken = replace(model.ensemble.members[0], weights=np.full((12, 3), np.nan, np.float32))
    out = tmp_path / "model.onnx"
    out.write_bytes(b"before")
    with pytest.raises(HeadstartError, match=r"nan, more than 0\.0001: nothing was written"):
        export(replace(model, ensemble=replace(model.ensemble, members=(broken,))), out)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"before"]


def test_bad_places_are_told_before_anything_is_computed(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a folder: name a file in it"):
        export(made(), tmp_path)
    with pytest.raises(BadInput, match="there is no folder"):
        export(made(), tmp_path / "missing" / "model.onnx")


def options(*words: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    verb.arguments(parser)
    return parser.parse_args([str(word) for word in words])


def test_the_verb_says_what_it_wrote_and_how_to_use_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = saved(made(), tmp_path / "run"), tmp_path / "model.onnx"
    assert verb.run(options(run, out)) == 0
    text = capsys.readouterr().out
    lines = [line[2:] for line in text.splitlines() if line.startswith("  ")]
    assert text.startswith(f"{out}: ") and "at most" in text and len(lines) == 3
    Image.fromarray(pictures()[0]).save(tmp_path / "new.png")
    names: dict[str, Any] = {}
    exec("\n".join(lines).replace("new.png", str(tmp_path / "new.png")), names)
    assert names["scores"].shape == (3,)


def test_the_verb_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, out = saved(made(), tmp_path / "run"), tmp_path / "model.onnx"
    assert verb.run(options(run, out, "--json")) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["model"] == str(out) and about["bytes"] == out.stat().st_size
    assert about["largest_difference"] < 1e-5 and about["classes"] == 3 and about["kind"] == "image"


def test_without_the_package_onnx_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    run = saved(made(), tmp_path / "run")
    script = (
        "import sys; sys.modules['onnx'] = None\n"  # as where it is not installed
        "from argparse import Namespace; from headstart.cli import export; from headstart.errors import BadInput\n"
        f"try: export.run(Namespace(run={str(run)!r}, out={str(tmp_path / 'model.onnx')!r}, json=False, form='onnx'))\n"
        "except BadInput as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == 'export needs the package onnx: pip install "headstart[export]"'
    assert not (tmp_path / "model.onnx").exists()


def test_the_pictures_of_the_check_stay_small_files(tmp_path: Path) -> None:
    """Larger ones would take predict's way over a square of 224 pixels."""
    for number, image in enumerate(pictures()):
        path = tmp_path / f"{number}.png"
        Image.fromarray(image).save(path)
        assert path.stat().st_size < 256 << 10
