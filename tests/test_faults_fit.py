"""Whole runs under real faults: bad files, odd names, full disks, and processes that are killed."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from pathlib import Path

import pytest
from PIL import Image

import faults
from commands import call, complaint, only_object, rows, started
from conftest import MakeFolder, Unprivileged, draw

ODD = (
    "Bär é ü",
    "猫",
    "line\nbreak",
    "tab\there",
    " leading and trailing ",
    "quo\"te, 'comma",
    "-dash",
    "#%&?",
)


def test_odd_names_of_classes_and_files_go_through_from_end_to_end(tmp_path: Path) -> None:
    for label, name in enumerate(ODD[:4]):
        for number, file in enumerate(ODD):
            for part, seed in (("train", number), ("new", number + 50)):
                folder = tmp_path / part / name
                folder.mkdir(parents=True, exist_ok=True)
                draw(label, seed).save(folder / f"{file}.png")
    run = tmp_path / "the run\nfolder"
    call("fit", tmp_path / "train", "--test", tmp_path / "new", "--budget", "30s", "--out", run)
    call("predict", run, tmp_path / "new", "--csv", tmp_path / "out.csv")
    for table in (run / "predictions.csv", tmp_path / "out.csv"):
        found = rows(table)
        assert {row["path"] for row in found} == {f"{c}/{f}.png" for c in ODD[:4] for f in ODD}
        assert sum(row["label"] == Path(row["path"]).parent.name for row in found) > 28
    assert json.loads((run / "run.json").read_text())["data"]["classes"] == sorted(ODD[:4])


def test_names_that_are_no_utf_8_go_through(tmp_path: Path) -> None:
    names = [os.fsdecode(b"\xff\xe4%d.png" % number) for number in range(6)]
    for label in range(2):
        folder = tmp_path / "train" / f"c{label}"
        folder.mkdir(parents=True)
        for seed, name in enumerate(names):
            try:
                draw(label, seed).save(folder / name)
            except OSError:
                pytest.skip("the file system takes UTF-8 names only")
    run = tmp_path / "run"
    call("fit", tmp_path / "train", "--test", tmp_path / "train", "--budget", "30s", "--out", run)
    assert {Path(row["path"]).name for row in rows(run / "predictions.csv")} == set(names)
    call("predict", run, tmp_path / "train")
    only_object(call("predict", run, tmp_path / "train", "--json"))


def spoil(folder: Path) -> set[str]:
    """Files that are no pictures, whatever their names say; their names."""
    good = (folder / "0.jpg").read_bytes()
    (folder / "zero.jpg").write_bytes(b"")
    (folder / "truncated.jpg").write_bytes(good[: len(good) // 3])
    (folder / "cut short.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "text.jpg").write_text("this is no picture\n" * 20)
    (folder / "noise.webp").write_bytes(os.urandom(3000))
    (folder / "leads nowhere.jpg").symlink_to(folder / "not there.jpg")
    return {"zero.jpg", "truncated.jpg", "cut short.png", "text.jpg", "noise.webp", "leads nowhere.jpg"}


def test_bad_files_are_left_out_and_listed_with_a_reason(tmp_path: Path, make_folder: MakeFolder) -> None:
    train = make_folder(classes=3, each=10, form="jpg", pixels=64)
    new = make_folder(classes=3, each=5, form="jpg", pixels=64, root=tmp_path / "new")
    bad = spoil(train / "shape_0")
    bad_new = spoil(new / "shape_2")
    (train / "shape_1" / "notes.txt").write_text("of another kind")
    run = tmp_path / "run"
    said = only_object(call("fit", train, "--test", new, "--budget", "30s", "--out", run, "--json"))
    skipped = rows(run / "skipped.csv")
    assert {Path(row["path"]).name for row in skipped} >= bad and all(row["reason"] for row in skipped)
    assert said["samples_seen"] == 30 and said["skipped"] == len(skipped)
    done = call("predict", run, new, "--json")
    answer = only_object(done)
    assert answer["labelled"] == 15 and {Path(s["path"]).name for s in answer["skipped"]} == bad_new
    assert all(name in done.stderr for name in bad_new)


def test_a_class_of_bad_files_only_does_not_stop_the_others(tmp_path: Path, make_folder: MakeFolder) -> None:
    folder = make_folder(classes=3, each=10)
    for file in (folder / "shape_2").iterdir():
        file.write_bytes(b"no picture")
    call("fit", folder, "--budget", "30s", "--out", tmp_path / "run")
    found = only_object(call("predict", tmp_path / "run", folder, "--json"))
    assert found["labelled"] == 20 and {p["label"] for p in found["predictions"]} == {"shape_0", "shape_1"}


def test_pictures_of_every_mode_and_shape_are_taken(tmp_path: Path) -> None:
    modes = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
    sizes = ((1, 1), (3, 400), (400, 3), (33, 47))
    for label, shade in enumerate((0, 255)):
        folder = tmp_path / "train" / str(label)
        folder.mkdir(parents=True)
        for mode in modes:
            for size in sizes:
                picture = Image.new(
                    mode if mode == "I;16" else "L", size, shade * (257 if mode == "I;16" else 1)
                )
                name = f"{mode.replace(';', '')} {size[0]}x{size[1]}.png"
                (picture if mode == "I;16" else picture.convert(mode)).save(folder / name)
    said = only_object(
        call("fit", tmp_path / "train", "--budget", "30s", "--out", tmp_path / "run", "--json")
    )
    assert said["samples_seen"] == 56 and said["skipped"] == 0


def test_files_that_vanish_while_the_run_goes_on_are_left_out(
    tmp_path: Path, make_folder: MakeFolder
) -> None:
    folder, run = make_folder(classes=3, each=60, pixels=64), tmp_path / "run"
    process = started("fit", folder, "--budget", "60s", "--out", run)
    try:
        end = time.monotonic() + 30
        while not (run / "model" / "model.json").exists():
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.02)
        for number in range(30):
            (folder / "shape_0" / f"{number}.png").unlink()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    assert only_object(call("predict", run, folder, "--json"))["labelled"] == 150


def test_a_damaged_cache_is_computed_again(tmp_path: Path, make_folder: MakeFolder) -> None:
    folder, run = make_folder(classes=3, each=10), tmp_path / "run"
    first = only_object(call("fit", folder, "--budget", "30s", "--out", run, "--json"))
    for number, file in enumerate(p for p in (run / "cache").iterdir() if p.is_file()):
        if number % 3 == 0:
            file.write_bytes(file.read_bytes()[:100])
        elif number % 3 == 1:
            file.write_bytes(b"")
    again = only_object(call("fit", folder, "--budget", "30s", "--out", run, "--json"))
    assert again["evidence"] == pytest.approx(first["evidence"], abs=0.05) and again["samples_seen"] == 30


def test_a_folder_that_may_not_be_written_is_named(
    tmp_path: Path, make_folder: MakeFolder, unprivileged: Unprivileged
) -> None:
    folder = make_folder(classes=2, each=2)
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        done = call("fit", folder, "--budget", "10s", "--out", tmp_path / "locked" / "run", code=1)
        assert "locked" in complaint(done)
        return
    from headstart import HeadstartError, fit

    (tmp_path / "locked").mkdir(mode=0o755)
    with unprivileged(), pytest.raises(HeadstartError, match="locked"):
        fit(folder, 10, tmp_path / "locked" / "run")


FIT = """
import sys
from headstart.cli.main import main
code = main(["fit", sys.argv[2], "--budget", "30s", "--out", sys.argv[1] + "/run", "--test", sys.argv[2]])
print("code:", code)
if code and main(["predict", sys.argv[1] + "/run", sys.argv[2], "--json"]):
    print("no model")
"""


@pytest.mark.parametrize("kilobytes", [64, 400, 1500, 4000, 8000])
def test_a_full_disk_ends_a_run_with_one_sentence_and_what_was_published_stands(
    kilobytes: int, tmp_path: Path, make_folder: MakeFolder
) -> None:
    folder = make_folder(classes=3, each=40)
    (tmp_path / "disk").mkdir()
    under = faults._namespace()
    if not under:
        pytest.skip("needs the right to mount a small disk")
    process = faults.start(
        FIT, tmp_path / "disk", folder,
        under=(*under, "sh", "-c", faults._MOUNT, str(kilobytes), str(tmp_path / "disk")),
    )  # fmt: skip
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0 and "Traceback" not in errors, errors
    code = int(out.split("code:")[1].split()[0])
    assert code in (0, 1)
    if code == 1:
        assert any(line.startswith("headstart: ") and "disk" in line for line in errors.splitlines()), errors
        if "no model" not in out:
            assert json.loads(out.splitlines()[-1])["labelled"] == 120


def published(run: Path) -> bool:
    return (run / "model" / "model.json").exists()


@pytest.mark.slow
def test_killed_at_any_moment_the_model_loads_and_the_run_goes_on(
    tmp_path: Path, make_folder: MakeFolder
) -> None:
    folder, dice = make_folder(classes=4, each=60, pixels=64), random.Random(7)
    new = make_folder(classes=4, each=2, pixels=64, root=tmp_path / "new")
    loaded = 0
    for trial in range(10):
        run = tmp_path / f"run {trial // 5}"
        process = started("fit", folder, "--test", new, "--budget", "60s", "--out", run)
        if trial % 2:  # from the first publication on, when there is most to tear
            end = time.monotonic() + 30
            while not published(run) and process.poll() is None and time.monotonic() < end:
                time.sleep(0.005)
            time.sleep(dice.uniform(0, 0.6))
        else:
            time.sleep(dice.uniform(0.2, 1.5))
        process.kill()
        process.wait()
        if published(run):
            assert only_object(call("predict", run, new, "--json"))["labelled"] == 8
            call("report", run)
            loaded += 1
    assert loaded >= 4
    for run in (tmp_path / "run 0", tmp_path / "run 1"):
        said = only_object(call("fit", folder, "--test", new, "--budget", "60s", "--out", run, "--json"))
        assert said["state"] == "finished" and said["samples_seen"] == 240
        assert len(rows(run / "predictions.csv")) == 8
        leftover = [p.name for p in run.rglob("*") if "tmp" in p.name or p.name.startswith("squares")]
        assert leftover == []


@pytest.mark.slow
def test_predict_works_at_every_moment_while_a_run_publishes(tmp_path: Path, make_folder: MakeFolder) -> None:
    folder, run = make_folder(classes=4, each=150, pixels=64), tmp_path / "run"
    one = folder / "shape_2" / "0.png"
    process = started("fit", folder, "--budget", "60s", "--out", run)
    answers = 0
    try:
        while process.poll() is None:
            if published(run):
                assert only_object(call("predict", run, one, "--json"))["labelled"] == 1
                answers += 1
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0 and answers >= 2


@pytest.mark.slow
def test_a_run_folder_that_is_removed_under_the_run_ends_it_with_a_sentence(
    tmp_path: Path, make_folder: MakeFolder
) -> None:
    folder, run = make_folder(classes=4, each=100, pixels=64), tmp_path / "run"
    process = faults.start(
        "import sys; from headstart.cli.main import main; sys.exit(main(sys.argv[1:]))",
        "fit", folder, "--budget", "60s", "--out", run,
    )  # fmt: skip
    end = time.monotonic() + 30
    while not published(run) and time.monotonic() < end:
        time.sleep(0.02)
    shutil.rmtree(run, ignore_errors=True)
    _, errors = process.communicate(timeout=90)
    assert process.returncode in (0, 1) and "Traceback" not in errors, errors
