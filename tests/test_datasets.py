"""Datasets of the table made ready: from downloads in their own layouts, from TensorFlow Datasets, offline."""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autodl_samples import png, png_dataset
from headstart.challenge.labelled import labelled
from headstart.challenge.layouts import task_of
from headstart.challenge.prepare import prepare
from headstart.cli import datasets as verb
from headstart.data.autodl.dataset import open_dataset
from headstart.data.catalogue import find
from headstart.data.scan import scan
from headstart.errors import BadInput
from tfds_child import drawn

PYTHON = os.environ.get("HEADSTART_TFDS", sys.executable if find_spec("tensorflow_datasets") else "")
SOURCE = Path(__file__).parents[1] / "src"


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true", default=False)
    verb.arguments(parser)
    return verb.run(parser.parse_args(list(map(str, arguments))))


def video(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"not looked into: " + path.name.encode())


def test_the_table_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 44 and all(len(line) <= 80 for line in lines)
    assert any(
        line.split() == ["coil_100", "image", "6202", "998", "72", "single", "tfds", "*"] for line in lines
    )
    assert run("list", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["datasets"]) == 42
    assert run("--json", "list") == 0
    assert len(json.loads(capsys.readouterr().out)["datasets"]) == 42


def test_a_row_is_shown_with_its_slips(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "Munster") == 0
    text = capsys.readouterr().out
    assert "60000 training and 10000 test" in text and "made from MNIST" in text and "hold both out" in text
    assert run("show", "chucky", "--json") == 0
    assert json.loads(capsys.readouterr().out)["origin"] == "CIFAR-100"
    with pytest.raises(BadInput, match="no dataset 'nothing'"):
        run("show", "nothing")


def test_without_the_extra_one_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(BadInput, match=r"pip install 'headstart\[tfds\]'"):
        prepare(find("mnist"), tmp_path)
    with pytest.raises(
        BadInput, match="UCF101 is not in TensorFlow Datasets: download it from its authors' site"
    ):
        prepare(find("ucf101"), tmp_path)
    assert os.listdir(tmp_path) == []


def test_ucf101_by_its_lists(tmp_path: Path) -> None:
    root = tmp_path / "ucf"
    (root / "ucfTrainTestlist").mkdir(parents=True)
    for name, label, n in (
        ("a", "Archery", 1),
        ("b", "Archery", 2),
        ("c", "Bowling", 1),
        ("d", "Bowling", 3),
    ):
        video(root / "UCF-101" / label / f"v_{label}_g0{n}_{name}.avi")
    (root / "ucfTrainTestlist" / "trainlist01.txt").write_text(
        "Archery/v_Archery_g01_a.avi 1\nBowling/v_Bowling_g01_c.avi 2\nBowling/v_Bowling_g09_x.avi 2\n"
    )
    (root / "ucfTrainTestlist" / "testlist01.txt").write_text(
        "Archery/v_Archery_g02_b.avi\nBowling/v_Bowling_g03_d.avi\n"
    )
    task = task_of(find("ucf101"), str(root))
    assert task.kind == "video" and task.classes == ("Archery", "Bowling")
    assert list(task.train.paths) == [
        "UCF-101/Archery/v_Archery_g01_a.avi",
        "UCF-101/Bowling/v_Bowling_g01_c.avi",
    ]
    assert task.test is not None and task.test.targets is not None and task.test.targets.tolist() == [0, 1]
    assert [one.path for one in task.skipped] == ["v_Bowling_g09_x"]

    done = prepare(find("ucf101"), tmp_path / "out", downloaded=root)
    assert (done.train, done.test, done.solved) == (2, 2, True)
    found = scan(tmp_path / "out" / "ucf101")
    assert found.kind == "video" and found.classes == ("Archery", "Bowling") and len(found.train) == 2
    placed = tmp_path / "out" / "ucf101" / "train" / "Archery" / "000000_v_Archery_g01_a.avi"
    assert placed.read_bytes() == b"not looked into: v_Archery_g01_a.avi"
    with pytest.raises(BadInput, match="exists"):
        prepare(find("ucf101"), tmp_path / "out", downloaded=root)


def test_hmdb51_by_its_lists(tmp_path: Path) -> None:
    lists = tmp_path / "testTrainMulti_7030_splits"
    lists.mkdir()
    for label in ("wave", "sit_up"):
        for n in range(3):
            video(tmp_path / "videos" / label / f"{label} clip {n}.avi")
        uses = "".join(f"{label} clip {n}.avi {use} \n" for n, use in enumerate((1, 2, 0)))
        (lists / f"{label}_test_split1.txt").write_text(uses)
        (lists / f"{label}_test_split2.txt").write_text(uses.replace(" 1 ", " 2 "))
    task = task_of(find("hmdb51"), str(tmp_path))
    assert task.classes == ("sit_up", "wave") and len(task.train) == 2
    assert task.test is not None and list(task.test.paths) == [
        "videos/sit_up/sit_up clip 1.avi",
        "videos/wave/wave clip 1.avi",
    ]


def test_something_something_by_its_lists(tmp_path: Path) -> None:
    for n in range(4):
        video(tmp_path / "20bn-something-something-v2" / f"{n}.webm")
    entries = [
        {
            "id": str(n),
            "label": "pushing a cup",
            "template": f"{'Pushing' if n % 2 else 'Moving'} [something]",
        }
        for n in range(4)
    ]
    (tmp_path / "something-something-v2-train.json").write_text(json.dumps(entries[:2]))
    (tmp_path / "something-something-v2-validation.json").write_text(json.dumps(entries[2:]))
    (tmp_path / "something-something-v2-labels.json").write_text(json.dumps({"Pushing something": "0"}))
    task = task_of(find("something something v2"), str(tmp_path))
    assert task.classes == ("Moving something", "Pushing something")
    assert task.test is not None and list(task.test.paths) == [
        f"20bn-something-something-v2/{n}.webm" for n in (2, 3)
    ]


def test_kinetics_by_its_lists(tmp_path: Path) -> None:
    video(tmp_path / "train" / "abseiling" / "abc_000010_000020.mp4")
    video(tmp_path / "train" / "xyz.mp4")
    video(tmp_path / "val" / "abseiling" / "q-_w_000001_000011.mp4")
    for split, rows in (
        ("train", [("abseiling", "abc", 10, 20), ("zumba", "xyz", 0, 10), ("zumba", "gone", 0, 10)]),
        ("val", [("abseiling", "q-_w", 1, 11)]),
    ):
        with (tmp_path / f"{split}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["label", "youtube_id", "time_start", "time_end", "split"])
            writer.writerows([*row, split] for row in rows)
    task = task_of(find("kinetics 400"), str(tmp_path))
    assert task.train.targets is not None and task.train.targets.tolist() == [0, 1] and len(task.skipped) == 1


def test_lists_without_videos_and_broken_lists_are_refused(tmp_path: Path) -> None:
    (tmp_path / "trainlist01.txt").write_text("A/a.avi 1\n")
    with pytest.raises(BadInput, match="none of the listed training videos is there"):
        task_of(find("ucf101"), str(tmp_path))
    (tmp_path / "something-something-v2-train.json").write_text("{")
    with pytest.raises(BadInput, match=r"lists in .* cannot be read"):
        task_of(find("ucf101"), str(tmp_path))
    with pytest.raises(BadInput, match="is no folder"):
        task_of(find("ucf101"), str(tmp_path / "none"))


def test_class_folders_get_a_test_split_as_large_as_the_papers_share(tmp_path: Path) -> None:
    for n in range(40):
        place = tmp_path / "flowers" / ("rose" if n % 2 else "tulip")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{n}.png").write_bytes(png(n))
    done = prepare(find("tf flowers"), tmp_path / "out", downloaded=tmp_path / "flowers")
    assert (done.train, done.test) == (32, 8)
    found = labelled(str(tmp_path / "out" / "tf_flowers"))
    assert found.answers is not None and found.answers.sum(axis=0).tolist() == [4, 4]
    done = prepare(find("tf flowers"), tmp_path / "out", "autodl", downloaded=tmp_path / "flowers")
    assert open_dataset(tmp_path / "out" / "tf_flowers.data").solution() is not None
    again = prepare(find("tf flowers"), tmp_path / "two", downloaded=tmp_path / "flowers")
    files = [
        sorted(p.name for p in (tmp_path / o / "tf_flowers" / "test").rglob("*.png")) for o in ("out", "two")
    ]
    assert again.test == 8 and files[0] == files[1]


def test_a_list_of_several_labels_keeps_them(tmp_path: Path) -> None:
    root = tmp_path / "some"
    root.mkdir()
    rows = ["path,labels,split"]
    for n in range(8):
        (root / f"{n}.png").write_bytes(png(n))
        rows.append(f"{n}.png,{'a;b' if n % 3 else 'b'},{'test' if n > 5 else 'train'}")
    (root / "labels.csv").write_text("\n".join(rows))
    prepare(find("decal"), tmp_path / "out", downloaded=root)
    found = labelled(str(tmp_path / "out" / "decal"))
    assert found.task.labels == "multi" and found.answers is not None
    assert found.answers.tolist() == [[0, 1], [1, 1]]


def test_an_autodl_download_becomes_a_folder(tmp_path: Path) -> None:
    (tmp_path / "Munster").mkdir()
    png_dataset(tmp_path / "Munster", "munster")
    done = prepare(find("munster"), tmp_path / "out", downloaded=tmp_path / "Munster")
    assert (done.train, done.test, done.form) == (20, 8, "folder")
    assert len(scan(tmp_path / "out" / "munster").classes) == 4
    with pytest.raises(BadInput, match="in the AutoDL form already"):
        prepare(find("munster"), tmp_path / "out", "autodl", downloaded=tmp_path / "Munster")


def test_the_verb_prepares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    png_dataset(tmp_path, "hammer")
    assert run("prepare", "hammer", tmp_path / "out", "--from", tmp_path / "hammer.data", "--json") == 0
    about = json.loads(capsys.readouterr().out)
    assert about["target"].endswith("hammer") and about["train"] == 20
    with pytest.raises(BadInput, match="--seed"):
        run("prepare", "hammer", tmp_path, "--seed", -1)


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON, reason="no TensorFlow Datasets: HEADSTART_TFDS names an interpreter with it")
def test_data_sources_of_tensorflow_datasets_are_read_without_tensorflow(tmp_path: Path) -> None:
    child = Path(__file__).parent / "tfds_child.py"
    environment = {**os.environ, "PYTHONPATH": f"{SOURCE}{os.pathsep}{child.parent}"}
    for form in ("folder", "autodl"):
        done = subprocess.run(
            [PYTHON, str(child), str(tmp_path), form],
            capture_output=True, text=True, timeout=300, check=False, env=environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        about = json.loads(done.stdout.splitlines()[-1])
        assert (about["train"], about["test"], about["tensorflow"]) == (32, 8, False)
        assert any("drawn at random" in note for note in about["notes"])
    files = sorted((tmp_path / "folder" / "binary_alphadigits").rglob("*.png"))
    found = {np.asarray(Image.open(path)).tobytes() for path in files}
    assert found == {(drawn(n) * np.uint8(255)).tobytes() for n in range(40)}
    data = open_dataset(tmp_path / "autodl")
    assert len(data.task.classes) == 36 and len(data.task.train) == 32
    assert data.metadata.matrix.rows == 20 and data.solution() is not None


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON, reason="no TensorFlow Datasets: HEADSTART_TFDS names an interpreter with it")
def test_offline_ends_in_one_clear_sentence(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom headstart.challenge.prepare import prepare\n"
        "from headstart.data.catalogue import find\nfrom headstart.errors import BadInput\n"
        "try:\n    prepare(find('mnist'), Path(sys.argv[1]), data_dir=sys.argv[1] + '/data')\n"
        "except BadInput as error:\n    print('SAID', error)\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "https_proxy": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    done = subprocess.run(
        [PYTHON, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environment,
    )
    said = [line for line in done.stdout.splitlines() if line.startswith("SAID")]
    assert len(said) == 1 and "--from" in said[0], done.stdout + done.stderr[-2000:]
    assert not (tmp_path / "mnist").exists()
