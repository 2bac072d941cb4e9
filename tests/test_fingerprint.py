"""What a data set looks like: from a folder, from a run's block, and in simple numbers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from conftest import MakeFolder, draw
from headstart.backbones.session import open_session
from headstart.data.images import decode
from headstart.data.scan import scan
from headstart.errors import BadDataset
from headstart.meta.fingerprint import DIM, SIMPLE, Gathered, Simple, fingerprint, from_block, simple


def test_a_folder_gives_what_the_first_stage_computes(image_folder: Path) -> None:
    task = scan(image_folder)
    found = fingerprint(task, n=64)
    assert found.features.shape == (12, DIM) and found.features.dtype == np.float32
    squares = np.stack([decode(f"{task.train.root}/{path}", 64) for path in task.train.paths])
    block = open_session("lite0", "fp32")(squares)["d10"]
    whole = from_block(block)
    # the same rows, in another order, by the graph that ends early
    nearest = ((found.features[:, None] - whole[None]) ** 2).sum(2).argmin(1)
    assert sorted(nearest.tolist()) == list(range(12))
    assert np.allclose(found.features, whole[nearest], atol=1e-4)
    assert np.array_equal(found.classes, np.asarray(task.train.targets)[nearest])


def test_cells_are_averaged_and_channels_kept_apart() -> None:
    block = np.zeros((1, 4, DIM), np.float32)
    block[0, :, 5] = [1, 2, 3, 6]
    row = from_block(block.reshape(1, -1))
    assert row[0, 5] == 3 and row.sum() == 3
    with pytest.raises(ValueError, match="2688"):
        from_block(np.zeros((1, DIM), np.float32))


def test_few_samples_are_drawn_class_by_class(make_folder: MakeFolder) -> None:
    task = scan(make_folder(classes=4, each=6))
    found = fingerprint(task, n=8, seed=3)
    assert np.bincount(found.classes).tolist() == [2, 2, 2, 2]
    few = found.reference(4)
    assert sorted(few.classes.tolist()) == [0, 1, 2, 3]
    assert np.array_equal(few.features, found.features[:4]) and few.simple == found.simple
    again, other = fingerprint(task, n=8, seed=3), fingerprint(task, n=8, seed=4)
    assert np.array_equal(again.features, found.features)
    assert not np.array_equal(other.features, found.features)


def test_what_a_run_gathers_is_the_same_in_any_pieces() -> None:
    block = np.random.default_rng(0).random((70, 4 * DIM), np.float32)
    gathered = Gathered(most=50)
    assert gathered.features.shape == (0, DIM)
    for start in range(0, 70, 16):
        gathered.add(block[start : start + 16])
    assert len(gathered) == 50
    assert np.array_equal(gathered.features, from_block(block[:50]))


def test_simple_numbers_of_a_folder(tmp_path: Path) -> None:
    for label, count in ((0, 6), (1, 2)):
        folder = tmp_path / f"class_{label}"
        folder.mkdir()
        for number in range(count):
            draw(label, number, 32).resize((64, 36)).save(folder / f"{number}.png")
    found = simple(scan(tmp_path))
    assert found == Simple(8, 2, 4.0, 2, 48.0, "image", "single")
    assert found.imbalance == 2
    vector = found.vector()
    assert len(vector) == len(SIMPLE)
    assert vector.tolist() == pytest.approx([math.log(x) for x in (8, 2, 4, 48, 2)] + [0, 0])


def test_simple_numbers_of_several_labels(image_folder: Path) -> None:
    lines = ["path,labels"]
    lines += [f"shape_0/{n}.png,{'a;b' if n < 2 else 'a'}" for n in range(4)]
    lines += ["shape_1/0.png,", "shape_1/1.png,c"]
    (image_folder / "labels.csv").write_text("\n".join(lines) + "\n")
    task = scan(image_folder)
    found = simple(task)
    assert (found.samples, found.classes, found.rarest, found.labels) == (6, 3, 1, "multi")
    assert found.per_class == pytest.approx(7 / 3)
    assert found.vector()[-1] == 1
    print_ = fingerprint(task)
    assert len(print_.features) == 6 and set(print_.classes.tolist()) <= {-1, 0, 2}


def test_unreadable_files_are_passed_over_and_none_at_all_is_said(image_folder: Path) -> None:
    files = sorted(image_folder.rglob("*.png"))
    for path in files[:-1]:
        path.write_bytes(b"no picture")
    assert len(fingerprint(scan(image_folder)).features) == 1
    files[-1].write_bytes(b"")
    with pytest.raises(BadDataset, match=r"no file of .* can be read"):
        fingerprint(scan(image_folder))


def test_of_a_clip_the_first_frame_counts(tmp_path: Path) -> None:
    for label in range(2):
        folder = tmp_path / f"class_{label}"
        folder.mkdir()
        for number in range(3):
            frames = [draw(label, 10 * number + frame, 32) for frame in range(4)]
            frames[0].save(folder / f"{number}.gif", save_all=True, append_images=frames[1:])
    task = scan(tmp_path, kind="video")
    found = fingerprint(task)
    assert found.simple.kind == "video" and found.simple.pixels == 32
    assert found.features.shape == (6, DIM)
