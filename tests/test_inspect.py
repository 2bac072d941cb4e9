"""What `inspect` says of a folder: every number can be counted by hand here."""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands import call, complaint, only_object
from conftest import MakeFolder, Unprivileged, draw
from headstart.cli import inspect as command
from headstart.cli.drawing import ASCII, UNICODE, width
from headstart.errors import BadDataset
from headstart.inspection import BAD, GROUPS, MEMBERS, inspect
from headstart.words.task import Skipped

KEYS = [
    "name", "path", "kind", "labels", "checked", "splits", "classes", "imbalance", "per_sample", "sizes", "duplicates",
    "left_out", "notes",
]  # fmt: skip


def picture(path: Path, label: int = 0, seed: int = 0, size: tuple[int, int] = (32, 32)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(label, seed).resize(size).save(path)
    return path


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """cat: 4 good files, 2 of them equal; dog: 2, one of them equal to a cat; emu: 1; owl: none; and a test split."""
    root = tmp_path / "pets"
    one = picture(root / "train/cat/1.png")
    shutil.copy(one, root / "train/cat/2.png")
    picture(root / "train/cat/3.png", 0, 3, (40, 20))
    picture(root / "train/cat/4.jpg", 0, 4, (64, 100))
    picture(root / "train/dog/1.png", 1, 1)
    shutil.copy(root / "train/cat/3.png", root / "train/dog/2.png")
    picture(root / "train/emu/1.png", 2, 1)
    picture(root / "test/1.png", 2, 2)
    shutil.copy(one, root / "test/2.png")
    for name in ("train/owl/1.png", "train/cat/5.png", "test/3.png"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"no picture")
    (root / "train/cat/notes.txt").write_text("notes")
    return root


def test_all_that_a_folder_holds(odd: Path) -> None:
    found = inspect(odd)
    assert (found.name, found.kind, found.labels, found.checked) == ("pets", "image", "single", "headers")
    assert [(s.name, s.files, s.usable) for s in found.splits] == [("train", 9, 7), ("test", 3, 2)]
    counts = [(c.name, c.files, c.bad) for c in found.classes]
    assert counts == [("cat", 4, 1), ("dog", 2, 0), ("emu", 1, 0), ("owl", 0, 1)]
    balance = found.imbalance
    assert (balance.largest, balance.smallest, balance.ratio) == ("cat", "emu", 4.0)
    assert (balance.single, balance.empty) == (("emu",), ("owl",))
    sizes = found.sizes
    assert sizes is not None
    assert (sizes.measured, sizes.width, sizes.height) == (9, (32, 32, 64), (20, 32, 100))
    assert sizes.different == 3 and sizes.common == ((32, 32, 6), (40, 20, 2), (64, 100, 1))
    assert found.per_sample is None


def test_equal_files_within_and_across_classes_and_splits(odd: Path) -> None:
    found = inspect(odd).duplicates
    within, across, splits = found.within_class, found.across_classes, found.across_splits
    assert (within.groups, within.files, within.listed) == (1, 1, (("train/cat/1.png", "train/cat/2.png"),))
    assert (across.groups, across.files, across.listed) == (1, 2, (("train/cat/3.png", "train/dog/2.png"),))
    assert (splits.groups, splits.files) == (1, 1)
    assert splits.listed == (("train/cat/1.png", "train/cat/2.png", "test/2.png"),)


def test_bad_files_and_their_reasons(odd: Path) -> None:
    left_out = inspect(odd).left_out
    reasons = dict(left_out.reasons)
    assert left_out.count == sum(reasons.values()) == len(left_out.listed)
    assert reasons["not an image of a known format"] == 3
    listed = {item.path for item in left_out.listed if item.reason == "not an image of a known format"}
    assert listed == {"train/owl/1.png", "train/cat/5.png", "test/3.png"}
    assert "train/cat/notes.txt" in {item.path for item in left_out.listed}


def test_the_json_has_its_documented_keys_and_the_same_content(odd: Path) -> None:
    found = inspect(odd)
    said = json.loads(found.to_json())
    assert list(said) == KEYS
    assert said == json.loads(json.dumps(dataclasses.asdict(found)))
    assert said["left_out"].keys() == {"count", "reasons", "listed"}
    assert said["duplicates"]["within_class"] == {
        "groups": 1, "files": 1, "listed": [["train/cat/1.png", "train/cat/2.png"]],
    }  # fmt: skip


def test_a_file_cut_short_is_found_by_decoding(image_folder: Path) -> None:
    for name, form in (("a.png", "PNG"), ("b.jpg", "JPEG"), ("c.webp", "WEBP"), ("d.gif", "GIF")):
        path = image_folder / "shape_0" / name
        draw(0, 77, 96).save(path, form)
        path.write_bytes(path.read_bytes()[:-200])
    shallow, deep = inspect(image_folder), inspect(image_folder, decode=True)
    assert (shallow.checked, deep.checked) == ("headers", "decoded")
    assert shallow.classes[0].files > deep.classes[0].files == 4
    bad = {item.path: item.reason for item in deep.left_out.listed}
    assert bad.keys() == {f"shape_0/{name}" for name in ("a.png", "b.jpg", "c.webp", "d.gif")}
    assert bad["shape_0/b.jpg"] == "truncated JPEG: the file ends too early"


def test_another_test_folder(image_folder: Path, tmp_path: Path) -> None:
    shutil.copy(image_folder / "shape_0/0.png", picture(tmp_path / "new/deep/x.png"))
    picture(tmp_path / "new/y.png", 3, 3)
    found = inspect(image_folder, test=tmp_path / "new")
    assert [(s.name, s.files) for s in found.splits] == [("train", 12), ("test", 2)]
    assert found.splits[1].root == str(tmp_path / "new")
    assert found.duplicates.across_splits.listed == (("shape_0/0.png", "new/deep/x.png"),)


def test_the_training_folder_as_the_test_folder(image_folder: Path) -> None:
    found = inspect(image_folder, test=image_folder).duplicates.across_splits
    assert found.files == found.groups == 12 and found.listed[0] == ("shape_0/0.png", "shape_0/0.png")


def test_what_is_listed_is_bounded_and_what_is_counted_is_not(tmp_path: Path) -> None:
    for number in range(GROUPS + 5):
        for label in "ab":
            picture(tmp_path / label / f"{number}.png", 0, number, (8, 8))
    for number in range(MEMBERS + 3):
        picture(tmp_path / "a" / f"same{number}.bmp", 1, 1, (8, 8))
    found = inspect(tmp_path).duplicates
    assert found.across_classes.groups == GROUPS + 5 and found.across_classes.files == 2 * (GROUPS + 5)
    assert len(found.across_classes.listed) == GROUPS
    assert found.within_class.groups == 1 and found.within_class.files == MEMBERS + 2
    assert len(found.within_class.listed[0]) == MEMBERS
    assert found.within_class.listed[0][0] == "a/same0.bmp"
    assert found.within_class.listed[0][-1] == f"a/same{MEMBERS + 2}.bmp"


def test_more_bad_files_than_are_listed(tmp_path: Path) -> None:
    picture(tmp_path / "a/0.png")
    bad = picture(tmp_path / "b/0.png")
    bad.write_bytes(b"bad")
    for number in range(1, BAD + 2):
        (tmp_path / "b" / f"{number}.png").symlink_to(bad)
    found = inspect(tmp_path)
    assert found.left_out.count == BAD + 2 and len(found.left_out.listed) == BAD
    assert found.imbalance.empty == ("b",) and found.duplicates.within_class.groups == 0


def test_a_folder_of_bad_files_only(image_folder: Path) -> None:
    for path in image_folder.rglob("*.png"):
        path.write_bytes(b"bad")
    found = inspect(image_folder)
    assert found.sizes is None and found.imbalance.ratio is None and found.left_out.count == 12
    assert json.loads(found.to_json())["imbalance"]["largest"] == ""
    assert_fits(command.page(found, UNICODE))


def test_files_that_may_not_be_read(image_folder: Path, unprivileged: Unprivileged) -> None:
    (image_folder / "shape_1/2.png").chmod(0)
    with unprivileged():
        found = inspect(image_folder)
    assert found.left_out.listed == (Skipped("shape_1/2.png", "no permission to read it"),)


def test_a_measure_of_ones_own_and_progress(image_folder: Path) -> None:
    told: list[tuple[int, int]] = []

    def measure(path: str) -> tuple[int, int] | Skipped:
        return Skipped(path, "odd") if path.endswith("1/0.png") else (7, 9)

    found = inspect(image_folder, measure=measure, progress=lambda done, total: told.append((done, total)))
    assert found.sizes is not None and found.sizes.common == ((7, 9, 11),)
    assert found.left_out.reasons == (("odd", 1),) and told == [(12, 12)]


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), lambda p: p.write_text("x")])
def test_what_cannot_be_learnt_from_is_refused(tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path / "x")
    with pytest.raises(BadDataset, match="x"):
        inspect(tmp_path / "x")


# The command ---------------------------------------------------------------------------------------------------------


def say(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    command.arguments(parser)
    assert command.run(parser.parse_args(arguments)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def assert_fits(lines: list[str]) -> None:
    for line in lines:
        assert width(line) <= 80 and line == line.rstrip() and line.isprintable()


def test_the_page(odd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = say(capsys, str(odd))
    assert_fits(text.splitlines())
    for words in (
        "pets: images with one label each",
        "train     9 files of 4 classes; 2 of them bad",
        "test      3 files, labels not read; 1 of them bad",
        "width 32 to 64 pixels, median 32",
        "3 different sizes; most frequent 32 x 32 (6 files)",
        "largest : smallest class = 4 : 1",
        "1 class with a single file: emu",
        "1 class with no usable file: owl",
        "within a class: 1 file could go, 1 group",
        "across classes: 2 files with contradicting labels, 1 group",
        "train and test: 1 file of the test split, 1 group",
        "train/cat/3.png = train/dog/2.png",
        "train/cat/1.png = train/cat/2.png = test/2.png",
        "3 x not an image of a known format: ",
    ):
        assert words in text
    assert re.search(r"  cat +━{30} 4 \(1 bad\)", text) and re.search(r"  dog +━{15} +2\n", text)


def test_one_json_object_and_nothing_else(odd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = json.loads(say(capsys, str(odd), "--json", "--decode"))
    assert list(said) == KEYS and said["checked"] == "decoded"


def test_many_classes_are_cut_to_the_largest_and_the_smallest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in range(30):
        for number in range(label + 1):
            picture(tmp_path / f"c{label}" / f"{number}.png", label, number, (4, 4))
    lines = say(capsys, str(tmp_path)).splitlines()
    bars = [line for line in lines if "━" in line]
    assert len(bars) == 20 and bars[0].split()[0] == "c29" and bars[-1].split()[0] == "c0"
    assert "  … 10 more classes of 11 to 20 files" in lines


def test_many_classes_of_one_size_take_one_line(
    make_folder: MakeFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    text = say(capsys, str(make_folder(classes=25, each=2, pixels=8)))
    assert "every class has 2 files" in text and "━" not in text and "no two files are equal" in text


def test_hostile_and_long_names_stay_on_their_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("a\x1b[31m\nb", "猫" * 40, "x" * 200, "bidi\u202e", "not utf-8 \udcff")
    for label, name in enumerate(names):
        try:
            picture(tmp_path / name / "1.png", label)
        except (OSError, UnicodeEncodeError):
            continue
        shutil.copy(tmp_path / name / "1.png", tmp_path / name / f"{'y' * 150}.png")
    assert_fits(say(capsys, str(tmp_path)).splitlines())
    json.loads(say(capsys, str(tmp_path), "--json"))


def test_a_terminal_without_unicode(odd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    command.run(
        argparse.Namespace(path=str(odd), test=None, kind=None, labels=None, decode=False, json=False)
    )
    sys.stdout.flush()
    assert b"cat  ##############################" in raw.getvalue()
    assert command.page(inspect(odd), ASCII)


def test_of_large_pictures_the_header_is_enough(image_folder: Path) -> None:
    Image.fromarray(np.zeros((9000, 9000), np.uint8)).save(image_folder / "shape_0/large.png")
    found = inspect(image_folder)
    assert found.sizes is not None and found.sizes.width == (32, 32, 9000)


def test_a_list_of_several_labels_per_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        "path,labels",
        "a.png,red;round",
        "b.png,red",
        "c.png,round",
        "same.png,red;round",
        "other.png,red",
    ]
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    for number, name in enumerate(("a.png", "b.png", "c.png")):
        picture(tmp_path / name, number)
    shutil.copy(tmp_path / "a.png", tmp_path / "same.png")
    shutil.copy(tmp_path / "a.png", tmp_path / "other.png")
    found = inspect(tmp_path)
    assert found.labels == "multi" and [(c.name, c.files) for c in found.classes] == [
        ("red", 4),
        ("round", 3),
    ]
    labels = found.per_sample
    assert labels is not None and (labels.fewest, labels.mean, labels.most, labels.none) == (1, 1.4, 2, 0)
    assert found.duplicates.within_class.files == 1 and found.duplicates.across_classes.files == 3
    assert "1 to 2 labels per file, 1.40 on average" in say(capsys, str(tmp_path))


def test_videos_are_measured_and_damaged_ones_found(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    for label in "ab":
        for number in range(2):
            path = tmp_path / label / f"{number}.avi"
            path.parent.mkdir(exist_ok=True)
            with av.open(str(path), "w") as container:
                stream = container.add_stream("mjpeg", rate=5)
                stream.width, stream.height, stream.pix_fmt = 48, 32, "yuvj420p"
                for seed in range(4):
                    frame = av.VideoFrame.from_image(draw(number, seed, 48).resize((48, 32)))
                    container.mux(stream.encode(frame))
                container.mux(stream.encode())
    (tmp_path / "b/2.avi").write_bytes(b"RIFF no video")
    for decode in (False, True):
        found = inspect(tmp_path, decode=decode)
        assert found.kind == "video" and found.sizes is not None and found.sizes.common == ((48, 32, 4),)
        assert [(c.files, c.bad) for c in found.classes] == [(2, 0), (2, 1)]
        assert found.duplicates.across_classes.groups == 2


def test_the_command_ends_with_its_exit_codes(odd: Path) -> None:
    assert only_object(call("inspect", odd, "--json"))["name"] == "pets"
    assert "does not exist" in complaint(call("inspect", odd / "nothing", code=2))
