"""What a learner sees of a task, and that the answers are not in it."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from conftest import draw
from headstart.challenge.public import make_public
from headstart.data.autodl.dataset import open_dataset
from headstart.data.autodl.examples import Labels, parse, serialise
from headstart.data.autodl.records import read_at, write
from headstart.data.autodl.writer import Sample, write_dataset
from headstart.errors import BadDataset, BadInput
from plays import make_task


def answers(out: Path) -> np.ndarray:
    with np.load(out / "answers.npz") as found:
        return found["truth"]


def make_records(root: Path, labels: list[tuple[int, ...]]) -> Path:
    draws = np.random.default_rng(0)
    samples = [Sample(draws.random((1, 4, 4, 1), np.float32), one) for one in labels]
    folder = root / "NAME"
    folder.mkdir()
    write_dataset(str(folder / "NAME.data"), 3, samples, samples[:4])
    return folder


def test_folders_of_classes(tmp_path: Path) -> None:
    task = make_task(tmp_path)
    public = make_public(str(task), str(tmp_path / "out"), 90.0)
    folder = tmp_path / "out" / "public"
    document = json.loads((folder / "task.json").read_text())
    assert document == {
        "name": "shapes", "form": "folder", "kind": "image", "labels": "single", "budget": 90.0, "n_test": 12,
        "classes": ["shape_0", "shape_1", "shape_2"], "test": [f"{n:06d}.png" for n in range(12)],
    }  # fmt: skip
    assert sorted(os.listdir(folder)) == ["task.json", "test", "train"]
    assert sorted(os.listdir(folder / "test")) == document["test"] == list(public.test)
    assert len(list((folder / "train").glob("shape_*/*.png"))) == 12
    truth = answers(tmp_path / "out")
    assert truth.dtype == np.uint8 and truth.shape == (12, 3) and (truth.sum(axis=0) == 4).all()
    for row, name in enumerate(document["test"]):  # each row is about the file of its name
        label = int(truth[row].argmax())
        content = (folder / "test" / name).read_bytes()
        assert content in {path.read_bytes() for path in (task / "test" / f"shape_{label}").iterdir()}


def test_order_times_and_inodes_tell_no_class(tmp_path: Path) -> None:
    task = make_task(tmp_path, classes=4, each=8)
    make_public(str(task), str(tmp_path / "out"), 90.0)
    files = sorted((tmp_path / "out" / "public" / "test").iterdir())
    labels = answers(tmp_path / "out").argmax(axis=1)
    assert len({path.stat().st_mtime for path in files}) == 1
    by_inode = labels[np.argsort([path.stat().st_ino for path in files])]
    for order in (labels, by_inode):
        assert (np.diff(order) != 0).sum() > 10  # sorted by class there would be three steps


def test_the_order_is_the_same_in_every_run_and_does_not_depend_on_names(tmp_path: Path) -> None:
    task = make_task(tmp_path)
    make_public(str(task), str(tmp_path / "a"), 90.0)
    for path in (task / "test" / "shape_1").iterdir():
        path.rename(path.with_name("renamed-" + path.name))
    make_public(str(task), str(tmp_path / "b"), 90.0)
    for name in os.listdir(tmp_path / "a" / "public" / "test"):
        first, second = (tmp_path / out / "public" / "test" / name for out in "ab")
        assert first.read_bytes() == second.read_bytes()
    np.testing.assert_array_equal(answers(tmp_path / "a"), answers(tmp_path / "b"))


def test_links_only_where_asked_for_and_never_of_test_files(tmp_path: Path) -> None:
    task = make_task(tmp_path)
    for link in (False, True):
        make_public(str(task), str(tmp_path / f"{link}"), 90.0, link)
        public = tmp_path / f"{link}" / "public"
        assert {path.stat().st_nlink for path in (public / "test").iterdir()} == {1}
    assert {path.stat().st_nlink for path in (public / "train").rglob("*.png")} == {2}


@pytest.mark.parametrize("several", [False, True])
def test_lists(tmp_path: Path, several: bool) -> None:
    task = tmp_path / "listed"
    told = {}
    for split in ("train", "test"):
        (task / split / "files").mkdir(parents=True)
        rows = [("path", "labels" if several else "label")]
        for number in range(8):
            draw(number % 2, number + (split == "test") * 50, 16).save(
                task / split / "files" / f"{number}.png"
            )
            label = "red;blue" if several and number % 3 == 0 else ("red", "blue")[number % 2]
            rows.append((f"files/{number}.png", label))
            told[(task / split / "files" / f"{number}.png").read_bytes()] = set(label.split(";"))
        with open(task / split / "labels.csv", "w", newline="") as file:
            csv.writer(file).writerows(rows)
    public = make_public(str(task), str(tmp_path / "out"), 90.0)
    assert public.labels == ("multi" if several else "single") and public.classes == ("blue", "red")
    folder = tmp_path / "out" / "public"
    assert not list((folder / "test").glob("*.csv"))
    for row, name in zip(answers(tmp_path / "out"), public.test, strict=True):
        assert {public.classes[k] for k in np.flatnonzero(row)} == told[(folder / "test" / name).read_bytes()]
    from headstart.data.scan import scan

    again = scan(folder / "train")
    assert again.labels == public.labels and again.classes == public.classes and len(again.train) == 8


def test_clips_as_folders_of_frames(tmp_path: Path) -> None:
    task = tmp_path / "clips"
    for split in ("train", "test"):
        for label in range(2):
            for clip in range(2):
                folder = task / split / f"c{label}" / f"clip{clip}"
                folder.mkdir(parents=True)
                for frame in range(4):
                    draw(label, 10 * clip + frame + 100 * (split == "test"), 16).save(
                        folder / f"{frame:03d}.png"
                    )
    public = make_public(str(task), str(tmp_path / "out"), 90.0)
    assert public.kind == "video" and public.test == ("000000", "000001", "000002", "000003")
    assert len(list((tmp_path / "out" / "public" / "test" / "000002").iterdir())) == 4


def test_records(tmp_path: Path) -> None:
    folder = make_records(tmp_path, [(0,), (1,), (2,), (1,), (0,)])
    public = make_public(str(folder), str(tmp_path / "out"), 90.0)
    inside = tmp_path / "out" / "public"
    assert public.form == "autodl" and public.test == () and public.n_test == 4
    assert not list(inside.rglob("*.solution"))
    np.testing.assert_array_equal(answers(tmp_path / "out").argmax(axis=1), [0, 1, 2, 1])
    seen = open_dataset(inside / "NAME.data")
    assert seen.solution() is None and seen.task.classes == public.classes


def test_labels_in_test_records_are_taken_out(tmp_path: Path) -> None:
    folder = make_records(tmp_path, [(0,), (1,), (2,), (1,), (0,)])
    opened = open_dataset(folder).splits["test"].index
    (shard,) = opened.files
    told = []
    for number in range(len(opened)):
        example = parse(read_at(*opened.place(number)))
        told.append(serialise(type(example)(Labels((number % 3,), (1.0,)), example.images, example.numbers)))
    write(shard, told)
    assert open_dataset(folder).splits["test"].index.counts().any()
    make_public(str(folder), str(tmp_path / "out"), 90.0)
    seen = open_dataset(tmp_path / "out" / "public" / "NAME.data").splits["test"].index
    assert len(seen) == 4 and not seen.counts().any()


def test_what_is_no_task(tmp_path: Path) -> None:
    task = make_task(tmp_path)
    (task / "test" / "odd").mkdir()
    draw(0, 5).save(task / "test" / "odd" / "1.png")
    with pytest.raises(BadDataset, match="no labels for every file"):
        make_public(str(task), str(tmp_path / "a"), 90.0)
    shutil.rmtree(task / "test")
    with pytest.raises(BadDataset, match="no test split"):
        make_public(str(task), str(tmp_path / "b"), 90.0)
    folder = make_records(tmp_path, [(0,), (1,), (2,), (1,)])
    (folder / "NAME.solution").unlink()
    with pytest.raises(BadDataset, match="no solution"):
        make_public(str(folder), str(tmp_path / "c"), 90.0)
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be laid out"):
        make_public(str(make_task(tmp_path, name="other")), str(tmp_path / "file"), 90.0)


def test_names_fit_the_challenge(tmp_path: Path) -> None:
    task = make_task(tmp_path, name="a.b c/x".replace("/", "-"))
    public = make_public(str(task), str(tmp_path / "out"), 90.0)
    assert public.name == "a_b_c-x"
