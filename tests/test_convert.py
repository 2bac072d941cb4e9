"""From folders to AutoDL datasets and back: what is stored, in which order, with which labels."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from autodl_samples import damage, jpeg_dataset, pixels, png, png_dataset, records_of
from clips import encode, moving
from headstart.challenge.contents import Form
from headstart.challenge.convert import convert
from headstart.challenge.labelled import labelled
from headstart.cli import convert as verb
from headstart.data.autodl import records
from headstart.data.autodl.dataset import AutoDL, open_dataset
from headstart.data.autodl.donors import is_donated
from headstart.data.autodl.writer import Sample, write_dataset
from headstart.data.images import decode
from headstart.data.scan import scan
from headstart.errors import BadDataset, BadInput


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    verb.arguments(parser)
    return verb.run(parser.parse_args(list(map(str, arguments))))


def tree(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def folder(root: Path, train: int = 12, test: int = 6, split: bool = True) -> Path:
    for n in range(train + test):
        part = "test" if n < test else "train"
        place = root / (part if split else "") / ("cat" if n % 2 else "dog")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{n}.png").write_bytes(png(n))
    return root


def contents(data: AutoDL, split: str) -> list[tuple[bytes, tuple[int, ...]]]:
    """Image bytes and labels of every record; those of the test split from the solution."""
    solution = data.solution()
    result = []
    for number in range(len(data.splits[split].index)):
        example = data.example(f"autodl:{split}:{number:06d}")
        labels = example.labels.index
        if split == "test":
            assert labels == () and solution is not None
            labels = tuple(np.flatnonzero(solution[number]).tolist())
        result.append((example.images[0], labels))
    return result


def test_a_folder_becomes_a_dataset_with_a_solution(tmp_path: Path) -> None:
    done = convert(folder(tmp_path / "pets"), tmp_path / "pets.data")
    assert (done.train, done.test, done.classes, done.solved, done.labels) == (12, 6, 2, True, "single")
    data = open_dataset(tmp_path / "pets.data")
    assert data.task.classes == ("cat", "dog")
    wanted = {(png(n), (1 - n % 2,)) for n in range(18)}
    found = contents(data, "test"), contents(data, "train")
    assert set(found[0]) | set(found[1]) == wanted and set(found[0]) == {
        (png(n), (1 - n % 2,)) for n in range(6)
    }
    assert [labels for _, labels in found[1]] != sorted(
        labels for _, labels in found[1]
    )  # mixed, not by class
    assert data.metadata.matrix.rows == data.metadata.matrix.columns == 32


def test_there_and_back_gives_the_same_files(tmp_path: Path) -> None:
    convert(folder(tmp_path / "pets"), tmp_path / "pets.data", seed=5)
    convert(tmp_path / "pets.data", tmp_path / "again")
    before, after = scan(tmp_path / "pets"), scan(tmp_path / "again")
    assert before.classes == after.classes and len(before.train) == len(after.train)
    for one in ("train/cat", "train/dog", "test/cat", "test/dog"):
        files = [sorted(tree(tmp_path / root / one).values()) for root in ("pets", "again")]
        assert files[0] == files[1]


@pytest.mark.parametrize("make", [png_dataset, jpeg_dataset])
@pytest.mark.parametrize("form", ["folder", "donors"])
def test_a_dataset_survives_every_form(tmp_path: Path, make: Any, form: str) -> None:
    data = make(tmp_path)
    convert(data, tmp_path / "files", form)  # type: ignore[arg-type]
    convert(tmp_path / "files", tmp_path / "again.data")
    before, after = open_dataset(data), open_dataset(tmp_path / "again.data")
    assert before.task.classes == after.task.classes
    for split in ("train", "test"):
        assert sorted(contents(before, split)) == sorted(contents(after, split))


def test_several_labels_go_through_a_list(tmp_path: Path) -> None:
    labels = [[], [0], [1, 2], [0, 1, 2], [2]]
    made = [Sample([png(n)], each, (32, 32)) for n, each in enumerate(labels)]
    write_dataset(str(tmp_path / "m.data"), {"red": 0, "big; round": 1, "old": 2}, made, made[1:4])
    done = convert(tmp_path / "m.data", tmp_path / "files")
    assert done.labels == "multi" and done.solved
    text = (tmp_path / "files" / "labels.csv").read_text()
    assert "train/000003.png,red;big, round;old,train" in text.replace('"', "")
    convert(tmp_path / "files", tmp_path / "n.data")
    after = open_dataset(tmp_path / "n.data")
    assert after.task.labels == "multi" and after.task.classes == ("big, round", "old", "red")
    order = [2, 0, 1]  # classes of a list are in natural order
    wanted = sorted((png(n), tuple(sorted(order[one] for one in each))) for n, each in enumerate(labels))
    assert sorted(contents(after, "train")) == wanted
    assert sorted(contents(after, "test")) == sorted(
        (png(n), tuple(sorted(order[one] for one in labels[n]))) for n in (1, 2, 3)
    )


def test_the_donors_form_is_read(tmp_path: Path) -> None:
    root = tmp_path / "given"
    root.mkdir()
    for n in range(6):
        (root / f"{n}.png").write_bytes(png(n))
    rows = ["FileName,Labels,subset", "0.png,0 2,train", "1.png,1,train", "2.png,,train", "3.png,2,test"]
    rows += ["4.png,0 1 2,test", "5.png,x,train", "missing.png,1,train"]
    (root / "labels.csv").write_text("\n".join(rows))
    (root / "label.name").write_text("sun\nsea\nsand\n")
    (root / "private.info").write_text("{}")
    assert is_donated(str(root)) and not is_donated(str(tmp_path))
    done = convert(root, tmp_path / "given.data")
    assert (done.train, done.test, done.labels) == (3, 2, "multi")
    reasons = {one.path: one.reason for one in done.skipped}
    assert "no numbers" in reasons["5.png"] and "no such file" in reasons["missing.png"]
    data = open_dataset(tmp_path / "given.data")
    assert data.task.classes == ("sun", "sea", "sand")
    assert sorted(contents(data, "test")) == sorted([(png(3), (2,)), (png(4), (0, 1, 2))])
    assert sorted(contents(data, "train")) == sorted([(png(0), (0, 2)), (png(1), (1,)), (png(2), ())])


def test_what_another_reader_would_see_otherwise_is_written_anew(tmp_path: Path) -> None:
    root = tmp_path / "odd"
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
    colour = Image.fromarray(pixels(1, 40, 30))
    exif = Image.Exif()
    exif[0x0112] = 6
    colour.save(root / "a" / "turned.jpg", exif=exif)
    colour.save(root / "a" / "plain.jpg")
    colour.save(root / "a" / "web.webp", lossless=True)
    clear = colour.convert("RGBA")
    clear.putalpha(100)
    clear.save(root / "b" / "clear.png")
    Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40) * 50).save(root / "b" / "deep.png")
    colour.convert("CMYK").save(root / "b" / "print.tif")
    done = convert(root, tmp_path / "odd.data", test_share=0.34)
    assert done.train + done.test == 6
    data = open_dataset(tmp_path / "odd.data")
    images = [image for split in ("train", "test") for image, _ in contents(data, split)]
    jpegs = [image for image in images if image.startswith(b"\xff\xd8")]
    assert jpegs == [(root / "a" / "plain.jpg").read_bytes()]
    assert all(image.startswith(b"\x89PNG") for image in images if image not in jpegs)
    found = np.stack([np.asarray(square, int) for square in _squares(data)])
    for path in sorted(root.rglob("*.*")):  # our own reader sees the same in the file and in the record
        apart = np.abs(found - np.asarray(decode(str(path), 20), int)).mean(axis=(1, 2, 3)).min()
        assert apart < 1, path  # turning before and after squeezing may differ in rounding


def _squares(data: AutoDL) -> list[Any]:
    return [data(name, 20) for split in (data.task.train, data.task.test) if split for name in split.paths]


def test_dense_and_squeezed_forms(tmp_path: Path) -> None:
    convert(folder(tmp_path / "pets"), tmp_path / "d.data", form=Form(dense=True))
    data = open_dataset(tmp_path / "d.data")
    assert data.metadata.matrix.format == "DENSE" and data.metadata.matrix.rows == 32
    wanted = {pixels(n).tobytes() for n in range(6, 18)}
    found = {np.asarray(data(name, 32)).tobytes() for name in data.task.train.paths}
    assert found == wanted
    convert(tmp_path / "d.data", tmp_path / "files")
    names = [p for p in (tmp_path / "files" / "train").rglob("*.png")]
    assert {np.asarray(Image.open(p)).tobytes() for p in names} == wanted
    convert(tmp_path / "pets", tmp_path / "s.data", form=Form(pixels=8))
    assert open_dataset(tmp_path / "s.data").metadata.matrix.columns == 8


def test_clips_as_folders_of_frames_and_as_animations(tmp_path: Path) -> None:
    root = tmp_path / "clips"
    for n in range(8):
        place = root / ("up" if n % 2 else "down") / f"clip{n}"
        place.mkdir(parents=True)
        for t in range(4 + n % 3):
            (place / f"{t:03d}.png").write_bytes(png(100 * n + t))
    done = convert(root, tmp_path / "clips.data")
    assert done.kind == "video" and done.train + done.test == 8
    data = open_dataset(tmp_path / "clips.data")
    found = {data.example(name).images for name in data.task.train.paths}
    whole = {tuple(png(100 * n + t) for t in range(4 + n % 3)) for n in range(8)}
    assert found < whole and len(found) == done.train
    convert(tmp_path / "clips.data", tmp_path / "again")
    assert scan(tmp_path / "again").kind == "video"

    animated = tmp_path / "moving"
    for n in range(4):
        (animated / str(n % 2)).mkdir(parents=True, exist_ok=True)
        frames = [Image.fromarray(pixels(9 * n + t)) for t in range(6)]
        frames[0].save(animated / str(n % 2) / f"{n}.gif", save_all=True, append_images=frames[1:])
    done = convert(animated, tmp_path / "moving.data", test_share=0.5, form=Form(frames=4))
    assert done.kind == "video" and open_dataset(tmp_path / "moving.data").metadata.sequence_size == 4


def test_video_files_become_frames(tmp_path: Path) -> None:
    pytest.importorskip("av")
    root = tmp_path / "films"
    for n in range(4):
        (root / str(n % 2)).mkdir(parents=True, exist_ok=True)
        encode(root / str(n % 2) / f"{n}.mp4", moving("left", seed=n))
    done = convert(root, tmp_path / "films.data", test_share=0.5, form=Form(frames=3))
    data = open_dataset(tmp_path / "films.data")
    assert done.kind == "video" and data.metadata.sequence_size == 3
    assert data.example("autodl:train:000000").images[0].startswith(b"\xff\xd8")


def test_a_share_is_split_off_where_there_is_no_test(tmp_path: Path) -> None:
    root = folder(tmp_path / "pets", train=20, test=0, split=False)
    done = convert(root, tmp_path / "a.data", test_share=0.25, seed=1)
    assert (done.train, done.test) == (14, 6) or (done.train, done.test) == (16, 4)
    assert any("split off" in note for note in done.notes)
    convert(root, tmp_path / "b.data", test_share=0.25, seed=1)
    one, two = (contents(open_dataset(tmp_path / f"{name}.data"), "test") for name in "ab")
    assert one == two
    with pytest.raises(BadInput, match="between 0 and 1"):
        convert(root, tmp_path / "c.data", test_share=1.5)


def test_an_unlabelled_test_split_gives_no_solution(tmp_path: Path) -> None:
    root = folder(tmp_path / "pets", test=0)
    (root / "test").mkdir()
    for n in range(3):
        (root / "test" / f"{n}.png").write_bytes(png(100 + n))
    done = convert(root, tmp_path / "pets.data")
    assert not done.solved and done.test == 3 and not (tmp_path / "pets.solution").exists()
    data = open_dataset(tmp_path / "pets.data")
    assert data.solution() is None
    done = convert(tmp_path / "pets.data", tmp_path / "again")
    assert not done.solved and sorted(os.listdir(tmp_path / "again" / "test")) == [
        f"00000{n}.png" for n in range(3)
    ]


def test_labels_of_a_test_split_are_found_in_lists(tmp_path: Path) -> None:
    root = tmp_path / "listed"
    (root / "train").mkdir(parents=True)
    (root / "test").mkdir()
    for split, numbers in (("train", range(6)), ("test", range(6, 9))):
        rows = ["path,labels"]
        for n in numbers:
            (root / split / f"{n}.png").write_bytes(png(n))
            rows.append(f"{n}.png,{'a;b' if n % 3 else 'b'}")
        (root / split / "labels.csv").write_text("\n".join(rows))
    found = labelled(str(root))
    assert found.answers is not None and found.answers.tolist() == [[0, 1], [1, 1], [1, 1]]
    assert scan(root).test is not None and scan(root).test.targets is None  # type: ignore[union-attr]


def test_damage_raises_or_is_skipped_and_listed(tmp_path: Path) -> None:
    root = folder(tmp_path / "pets")
    (root / "train" / "cat" / "cut.png").write_bytes(png(3)[:-300])
    with pytest.raises(BadDataset, match=r"cut\.png': .*truncated|damaged"):
        convert(root, tmp_path / "pets.data")
    assert not (tmp_path / "pets.data").exists() and sorted(os.listdir(tmp_path)) == ["pets"]
    done = convert(root, tmp_path / "pets.data", corrupt="skip")
    assert done.train == 12 and [os.path.basename(one.path) for one in done.skipped] == ["cut.png"]

    path = records_of(tmp_path / "pets.data")
    with path.open("rb") as file:
        places = list(records.walk(file, str(path)))
    damage(path, places[3].end - 20)
    with pytest.raises(BadDataset, match=f"autodl:train:000003: .*byte {places[3].offset}"):
        convert(tmp_path / "pets.data", tmp_path / "files")
    assert not (tmp_path / "files").exists()
    done = convert(tmp_path / "pets.data", tmp_path / "files", corrupt="skip")
    assert done.train == 11 and [one.path for one in done.skipped] == ["autodl:train:000003"]


def test_names_that_no_folder_can_have(tmp_path: Path) -> None:
    names = {"../up": 0, "a/b": 1, "A:b": 2, ".": 3}
    made = [Sample([png(n)], [n % 4], (32, 32)) for n in range(8)]
    write_dataset(str(tmp_path / "x.data"), names, made, made[:4])
    done = convert(tmp_path / "x.data", tmp_path / "files")
    assert any("changed" in note for note in done.notes)
    assert sorted(os.listdir(tmp_path / "files" / "train")) == ["3", "A_b_2", "_up", "a_b"]


def test_wrong_wishes_are_refused(tmp_path: Path) -> None:
    root, data = folder(tmp_path / "pets"), png_dataset(tmp_path)
    with pytest.raises(BadInput, match=r"call it NAME\.data"):
        convert(root, tmp_path / "pets2")
    with pytest.raises(BadInput, match="already"):
        convert(data, tmp_path / "x.data", "autodl")
    with pytest.raises(BadInput, match="AutoDL form only"):
        convert(root, tmp_path / "x", "donors")
    with pytest.raises(BadInput, match="exists"):
        convert(data, root)
    with pytest.raises(BadInput, match="does not exist"):
        convert(root, tmp_path / "none" / "x.data")
    with pytest.raises(BadDataset, match="does not exist"):
        convert(tmp_path / "none", tmp_path / "x.data")
    clips = [Sample([png(n), png(n + 1)], [n % 2], (32, 32)) for n in range(4)]
    write_dataset(str(tmp_path / "v.data"), 2, clips)
    with pytest.raises(BadInput, match="files of videos"):
        convert(tmp_path / "v.data", tmp_path / "x", "donors")


def test_the_verb_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = folder(tmp_path / "pets")
    (root / "train" / "cat" / "cut.png").write_bytes(b"nothing")
    assert run(root, tmp_path / "pets.data", "--skip-corrupt") == 0
    printed = capsys.readouterr()
    assert "12 training and 6 test images" in printed.out and "cut.png" in printed.err
    assert run(tmp_path / "pets.data", tmp_path / "files", "--json") == 0
    about = json.loads(capsys.readouterr().out)
    assert about["train"] == 12 and about["form"] == "folder" and about["skipped"] == []
    for wrong in (("--pixels", 0), ("--frames", 0), ("--seed", -1)):
        with pytest.raises(BadInput, match="--"):
            run(root, tmp_path / "y.data", *wrong)
