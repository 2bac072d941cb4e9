"""Folders as people have them: what is found, what is passed over, what is refused and how it says so."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clips import animate, numbered
from conftest import MakeFolder, Unprivileged
from headstart.data import walk
from headstart.data.listing import PathList
from headstart.data.scan import scan, scan_unlabelled
from headstart.errors import BadDataset
from headstart.words.task import Skipped, Task


def touch(root: Path, *names: str) -> Path:
    for folder in {os.path.dirname(name) for name in names}:
        os.makedirs(os.path.join(root, folder), exist_ok=True)
    for name in names:
        with open(os.path.join(root, name), "wb"):
            pass
    return root


def by_class(task: Task) -> dict[str, list[str]]:
    assert task.train.targets is not None
    found: dict[str, list[str]] = {label: [] for label in task.classes}
    for path, target in zip(task.train.paths, task.train.targets, strict=True):
        found[task.classes[int(target)]].append(path)
    return found


def test_a_folder_of_class_folders(make_folder: MakeFolder) -> None:
    root = make_folder(classes=3, each=4)
    task = scan(root)
    assert (task.name, task.kind, task.labels) == ("shapes", "image", "single")
    assert task.classes == ("shape_0", "shape_1", "shape_2")
    assert task.train.root == str(root) and task.test is None and task.skipped == ()
    assert isinstance(task.train.paths, PathList)
    assert task.train.targets is not None and task.train.targets.dtype == np.int32
    assert task.train.targets.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert list(task.train.paths)[:2] == ["shape_0/0.png", "shape_0/1.png"]
    assert scan(str(root) + "/", name="other").name == "other"


def test_classes_and_files_are_in_natural_order(tmp_path: Path) -> None:
    touch(tmp_path, "c10/a.png", "c2/i10.png", "c2/i9.PNG", "c2/i1.Jpeg", "c1/x.webp")
    assert by_class(scan(tmp_path)) == {
        "c1": ["c1/x.webp"],
        "c2": ["c2/i1.Jpeg", "c2/i9.PNG", "c2/i10.png"],
        "c10": ["c10/a.png"],
    }


def test_nested_files_belong_to_the_class_above_them(tmp_path: Path) -> None:
    touch(tmp_path, "cat/b/1.png", "cat/a/deep/2.png", "cat/3.png", "dog/1.png")
    assert by_class(scan(tmp_path))["cat"] == ["cat/3.png", "cat/a/deep/2.png", "cat/b/1.png"]


def test_hidden_files_and_litter_are_passed_over_in_silence(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "b/1.png", ".git/x.png", "__MACOSX/a/._1.png", "a/._1.png", "a/.DS_Store")
    touch(tmp_path, "a/Thumbs.db", "b/desktop.ini", ".hidden.png")
    task = scan(tmp_path)
    assert list(task.train.paths) == ["a/1.png", "b/1.png"] and task.skipped == ()


def test_what_cannot_be_used_is_listed_with_its_reason(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "a/notes.txt", "a/noextension", "b/1.png", "empty/x.txt", "loose.png")
    touch(tmp_path, "README")
    (tmp_path / "void").mkdir()
    (tmp_path / "b" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "b" / "self.png").symlink_to("self.png")
    os.mkfifo(tmp_path / "b" / "pipe.png")
    task = scan(tmp_path)
    assert list(task.train.paths) == ["a/1.png", "b/1.png"] and task.classes == ("a", "b")
    reasons = {skipped.path: skipped.reason for skipped in task.skipped}
    assert reasons.pop("b/self.png").startswith("cannot be read: too many levels of symbolic links")
    assert reasons == {
        "README": "no image and no video by its extension",
        "a/noextension": "no image and no video by its extension",
        "a/notes.txt": "no image and no video by its extension",
        "b/gone.png": "a broken link",
        "b/pipe.png": "not a regular file",
        "empty": "a class folder without an image",
        "empty/x.txt": "no image and no video by its extension",
        "loose.png": "lies beside the class folders, so it has no label",
        "void": "a class folder without an image",
    }


def test_the_list_of_skipped_files_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "LISTED", 20)
    touch(tmp_path, "a/1.png", "b/1.png", *(f"a/{i}.txt" for i in range(25)))
    task = scan(tmp_path)
    assert len(task.skipped) == 21
    assert task.skipped[-1] == Skipped(".", "and 5 more files or folders were skipped")


def test_links_to_files_and_folders_count_and_loops_end(tmp_path: Path) -> None:
    outside = touch(tmp_path / "outside", "1.png", "2.png")
    root = touch(tmp_path / "root", "a/1.png", "b/1.png")
    (root / "a" / "link.png").symlink_to(outside / "1.png")
    (root / "b" / "more").symlink_to(outside)
    (root / "a" / "here").symlink_to(root / "a")
    (root / "a" / "up").symlink_to(root)
    (root / "b" / "again").symlink_to(outside)
    (root / "round").symlink_to(root)
    task = scan(root)
    assert by_class(task) == {
        "a": ["a/1.png", "a/link.png"],
        "b": ["b/1.png", "b/again/1.png", "b/again/2.png"],
    }
    assert {skipped.path for skipped in task.skipped} == {"a/here", "a/up", "b/more", "round"}


def test_two_classes_may_link_to_the_same_folder(tmp_path: Path) -> None:
    outside = touch(tmp_path / "outside", "1.png")
    root = touch(tmp_path / "root", "a/1.png")
    (root / "b").symlink_to(outside)
    (root / "c").symlink_to(outside)
    assert by_class(scan(root)) == {"a": ["a/1.png"], "b": ["b/1.png"], "c": ["c/1.png"]}


def test_names_in_any_script_and_with_newlines(tmp_path: Path) -> None:
    raw = b"caf\xe9.png"
    touch(tmp_path, "猫/ねこ.png", "собака/line\nbreak.png", "собака/a b\t.png")
    with open(os.path.join(os.fsencode(tmp_path / "猫"), raw), "wb"):
        pass
    task = scan(tmp_path)
    assert task.classes == ("собака", "猫") and task.skipped == ()
    assert all(os.path.isfile(os.path.join(task.train.root, path)) for path in task.train.paths)
    assert len(task.train) == 4


def test_splits_train_on_train_and_val_and_leave_the_labels_of_test_alone(make_folder: MakeFolder) -> None:
    root = make_folder(classes=3, each=2).parent / "data"
    make_folder(classes=3, each=2, root=root / "train")
    make_folder(classes=2, each=1, root=root / "val")
    make_folder(classes=4, each=3, root=root / "test")
    touch(root, "train/loose.png", "extra/a/1.png", "val/readme.txt")
    task = scan(root)
    assert task.classes == ("shape_0", "shape_1", "shape_2")
    assert by_class(task)["shape_0"] == ["train/shape_0/0.png", "train/shape_0/1.png", "val/shape_0/0.png"]
    assert task.test is not None and task.test.targets is None
    assert task.test.root == str(root / "test") and len(task.test) == 12
    assert task.test.paths[3] == "shape_1/0.png"
    assert {skipped.path for skipped in task.skipped} == {"train/loose.png", "extra", "val/readme.txt"}


def test_test_may_be_flat_or_empty(tmp_path: Path) -> None:
    touch(tmp_path, "Train/a/1.png", "Train/b/1.png", "Test/7.png")
    task = scan(tmp_path)
    assert task.test is not None and list(task.test.paths) == ["7.png"]
    (tmp_path / "Test" / "7.png").unlink()
    assert scan(tmp_path).test is None


def test_train_alone_is_a_split_too(tmp_path: Path) -> None:
    assert scan(touch(tmp_path, "train/a/1.png", "train/b/1.png")).classes == ("a", "b")


@pytest.mark.parametrize("files", [("train/1.png", "test/1.png"), ("train/x/1.png", "bus/1.png")])
def test_a_class_may_be_called_train(tmp_path: Path, files: tuple[str, ...]) -> None:
    assert "train" in scan(touch(tmp_path, *files)).classes


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ([], "holds nothing"),
        (["a/1.png"], "holds a single class ('a', 1 image)"),
        (["a/1.png", "b/x.txt"], "holds a single class ('a', 1 image)"),
        (["1.png", "2.png"], "holds 2 images but no class folder with an image"),
        (["a/x.txt", "b/x.txt"], "holds no image in any class folder"),
        (["train/a/1.png", "train/a/2.png", "test/b/1.png"], "holds a single class ('a', 2 images)"),
    ],
)
def test_too_few_classes_end_in_one_sentence(tmp_path: Path, files: list[str], found: str) -> None:
    with pytest.raises(BadDataset) as caught:
        scan(touch(tmp_path, *files))
    message = str(caught.value)
    assert message.startswith(f"{str(tmp_path)!r} {found}, and at least two classes are needed")
    assert "CLASS/picture.jpg" in message and "\n" not in message


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "file.png")
    for use in (scan, scan_unlabelled):
        with pytest.raises(BadDataset, match="does not exist"):
            use(tmp_path / "nowhere")
        with pytest.raises(BadDataset, match="is a file"):
            use(tmp_path / "file.png")
        with pytest.raises(BadDataset, match="cannot be read"):
            use("nul\0byte")


def test_folders_without_permission(tmp_path: Path, unprivileged: Unprivileged) -> None:
    root = touch(tmp_path / "root", "a/1.png", "b/1.png", "closed/1.png")
    (root / "closed").chmod(0)
    with unprivileged():
        task = scan(root)
    assert task.classes == ("a", "b")
    assert Skipped("closed", "cannot be listed: permission denied") in task.skipped
    root.chmod(0)
    with unprivileged(), pytest.raises(BadDataset, match="permission denied"):
        scan(root)
    root.chmod(0o755)
    (root / "closed").chmod(0o755)


def test_unlabelled_files_in_natural_order(tmp_path: Path) -> None:
    touch(tmp_path, "10.png", "9.png", "sub/1.jpg", "notes.txt", ".x.png")
    samples, skipped = scan_unlabelled(tmp_path)
    assert list(samples.paths) == ["9.png", "10.png", "sub/1.jpg"] and samples.targets is None
    assert samples.root == str(tmp_path)
    assert skipped == (Skipped("notes.txt", "not an image by its extension"),)
    with pytest.raises(BadDataset, match="holds no image"):
        scan_unlabelled(touch(tmp_path / "empty", "a.txt"))


def test_folders_nested_deeper_than_the_stack(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "b/1.png")
    here = os.open(tmp_path / "a", os.O_RDONLY)
    depth = sys.getrecursionlimit() + 100
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("deep.png", os.O_CREAT, dir_fd=here))
    os.close(here)
    assert len(scan(tmp_path).train) == 3
    deepest = str(tmp_path / "a") + "/d" * depth
    os.unlink(deepest + "/deep.png")
    os.removedirs(deepest)  # pytest's own clean-up would recurse


@pytest.mark.slow
def test_ten_thousand_classes(tmp_path: Path) -> None:
    for label in range(10_000):
        folder = tmp_path / str(label)
        folder.mkdir()
        (folder / "1.png").touch()
    start = time.process_time()
    task = scan(tmp_path)
    assert time.process_time() - start < 1.5
    assert len(task.classes) == 10_000 and task.classes[:3] == ("0", "1", "2")


def test_ten_thousand_files_take_a_tenth_of_a_second(tmp_path: Path) -> None:
    for label in range(10):
        touch(tmp_path, *(f"class_{label}/image_{number}.jpg" for number in range(1000)))
    best = 9.0
    for _ in range(3):
        start = time.process_time()
        assert len(scan(tmp_path).train) == 10_000
        best = min(best, time.process_time() - start)
    assert best < 0.1


def frames_folder(path: Path, count: int = 5) -> None:
    path.mkdir(parents=True)
    for number in range(count):
        (path / f"frame_{number:03d}.jpg").write_bytes(b"")


def test_videos_are_told_by_their_extensions_and_can_be_asked_for(tmp_path: Path) -> None:
    for name in ("a/1.mp4", "a/2.MOV", "b/1.avi", "b/2.webm", "b/3.mkv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    task = scan(tmp_path)
    assert task.kind == "video" and len(task.train) == 5 and "videos, by their extensions" in task.notes
    (tmp_path / "a" / "poster.jpg").write_bytes(b"")
    (tmp_path / "b" / "notes.txt").write_bytes(b"")
    mixed = scan(tmp_path)
    assert mixed.kind == "video" and mixed.train.paths == task.train.paths
    assert {s.path: s.reason for s in mixed.skipped} == {
        "a/poster.jpg": "an image among videos",
        "b/notes.txt": "not a video by its extension",
    }
    for number in range(9):
        (tmp_path / "b" / f"{number}.jpg").write_bytes(b"")
    images = scan(tmp_path)
    assert images.kind == "image" and len(images.train) == 10
    assert Skipped("a/1.mp4", "a video among images") in images.skipped
    assert scan(tmp_path, kind="video").kind == "video"


def test_folders_of_numbered_frames_are_clips_unless_pictures_are_asked_for(tmp_path: Path) -> None:
    for label in ("a", "b"):
        for clip in ("clip1", "clip2", "clip10"):
            frames_folder(tmp_path / label / clip)
    task = scan(tmp_path)
    assert task.kind == "video" and list(task.train.paths)[:3] == ["a/clip1", "a/clip2", "a/clip10"]
    assert "videos: every sub-folder is one, as numbered frames" in task.notes
    images = scan(tmp_path, kind="image")
    assert images.kind == "image" and len(images.train) == 30
    samples, _ = scan_unlabelled(tmp_path, "video")
    assert list(samples.paths) == list(task.train.paths)
    one, _ = scan_unlabelled(tmp_path / "a" / "clip1", "video")
    assert one.root == str(tmp_path / "a") and list(one.paths) == ["clip1"]


def test_pictures_in_sub_folders_that_are_no_clips_stay_pictures(tmp_path: Path) -> None:
    for name in (
        "a/x/dog.jpg",
        "a/x/cat.jpg",
        "a/y/1.jpg",
        "b/z/1.jpg",
        "b/z/7.jpg",
        "b/z/9.jpg",
        "b/z/x8.jpg",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert scan(tmp_path).kind == "image"


def test_animations_are_clips(tmp_path: Path) -> None:
    for label in ("a", "b"):
        for number in range(3):
            animate(tmp_path / label / f"{number}.gif", numbered(4))
    assert scan(tmp_path).kind == "video"
    animate(tmp_path / "a" / "4.gif", numbered(1))
    for number in range(9):
        Image.new("RGB", (8, 8)).save(tmp_path / "b" / f"still{number}.png")
    assert scan(tmp_path).kind == "image", "most do not move"


def test_several_labels_need_a_list(make_folder: MakeFolder) -> None:
    with pytest.raises(BadDataset, match=r"has no labels.csv"):
        scan(make_folder(), labels="multi")
