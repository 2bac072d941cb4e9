"""The main job on every kind of data, in real processes: videos, several labels per file, lists, arrays."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import headstart
from clips import WAYS, animate, encode, folder_of_frames, moving
from commands import call, complaint, only_object, rows
from headstart.learn.plan import default_config
from headstart.words.config import Config, Stage

SMALL = Config(stages=(Stage("pixels", 64, ("rgb16",)), Stage("lite0", 64, ("d10", "head"))))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Squares that move in one of four directions: what is seen tells nothing, how it moves tells all."""
    pytest.importorskip("av")
    root = tmp_path_factory.mktemp("films")
    for way in WAYS:
        for number in range(14):
            split = "train" if number < 10 else "test"
            encode(root / split / way / f"{number:02d}.mp4", moving(way, seed=number))
    return root


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of the first stages of the default for clips."""
    config = default_config(40, 4, [(64, 64)], "video")
    content = json.loads(config.to_json())
    content["stages"] = [stage for stage in content["stages"] if stage["pixels"] == 64]
    path = tmp_path_factory.mktemp("config") / "short.json"
    path.write_text(json.dumps(content))
    return path


def right(table: list[dict[str, str]]) -> float:
    return float(np.mean([row["label"] == row["path"].split("/")[0] for row in table]))


def test_videos_are_told_apart_by_their_motion(films: Path, short: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = call("fit", films, "--budget", "60s", "--config", short, "--out", run, "--json")
    assert "40 videos of 4 classes, 16 to predict" in done.stderr
    assert only_object(done)["evidence"] > 0.9
    found = rows(run / "predictions.csv")
    assert len(found) == 16 and right(found) > 0.6, "chance is a quarter"
    call("predict", run, films / "test", "--csv", tmp_path / "again.csv")
    for one, other in zip(found, rows(tmp_path / "again.csv"), strict=True):
        assert one["path"] == other["path"] and one["label"] == other["label"]
        assert float(one["confidence"]) == pytest.approx(float(other["confidence"]), abs=2e-3)
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "clip" in page
    assert json.loads((run / "run.json").read_text())["data"]["kind"] == "video"


def test_animations_and_folders_of_frames_are_learnt_from_too(short: Path, tmp_path: Path) -> None:
    for way in ("left", "up"):
        for number in range(6):
            animate(tmp_path / "gifs" / way / f"{number}.gif", moving(way, seed=number))
            folder_of_frames(tmp_path / "frames" / way / f"clip{number}", moving(way, seed=number))
    for name in ("gifs", "frames"):
        run = tmp_path / f"run_{name}"
        done = call("fit", tmp_path / name, "--budget", "30s", "--config", short, "--out", run, "--no-report")
        assert "12 videos of 2 classes" in done.stderr
        clip = tmp_path / name / "left" / ("0.gif" if name == "gifs" else "clip0")
        assert only_object(call("predict", run, clip, "--json"))["predictions"][0]["label"] == "left"


def test_a_video_that_is_damaged_is_skipped_and_listed(films: Path, short: Path, tmp_path: Path) -> None:
    for way in ("left", "up"):
        for number in range(6):
            encode(tmp_path / "data" / way / f"{number}.mp4", moving(way, seed=number))
    (tmp_path / "data" / "up" / "zero.mp4").write_bytes(b"")
    whole = (tmp_path / "data" / "up" / "0.mp4").read_bytes()
    (tmp_path / "data" / "up" / "half.mp4").write_bytes(whole[: len(whole) // 2])
    call("fit", tmp_path / "data", "--budget", "30s", "--config", short, "--out", tmp_path / "run")
    skipped = {row["path"]: row["reason"] for row in rows(tmp_path / "run" / "skipped.csv")}
    assert set(skipped) == {"up/zero.mp4", "up/half.mp4"} and all(skipped.values())
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "half.mp4" in page


def test_without_a_reader_of_videos_there_is_one_sentence(films: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['av'] = None\n"
        "from headstart.cli.main import main\n"
        f"sys.exit(main(['fit', {str(films)!r}, '--out', {str(tmp_path / 'run')!r}]))"
    )
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "headstart: videos need PyAV: pip install 'headstart[video]'" in done.stderr


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures with up to three of three coloured squares, and the list of what they show."""
    root = tmp_path_factory.mktemp("tagged")
    rng = np.random.default_rng(0)
    colours = {"red": (230, 30, 30), "green": (30, 200, 40), "blue": (40, 60, 230)}
    for split, count in (("train", 60), ("test", 20)):
        (root / split / "files").mkdir(parents=True)
        listed = ["path,labels"]
        for number in range(count):
            picture = np.full((48, 48, 3), 200, np.uint8)
            shown = [name for name in colours if rng.random() < 0.45]
            for name in shown:
                y, x = rng.integers(0, 30, 2)
                picture[y : y + 16, x : x + 16] = colours[name]
            Image.fromarray(picture).save(root / split / "files" / f"{number}.png")
            listed.append(f"files/{number}.png,{';'.join(shown)}")
        (root / split / "labels.csv").write_text("\n".join(listed) + "\n")
    return root


def test_several_labels_per_file(tagged: Path, tmp_path: Path) -> None:
    (tmp_path / "small.json").write_text(SMALL.to_json())
    run = tmp_path / "run"
    arguments = ("--budget", "30s", "--config", tmp_path / "small.json", "--out", run)
    done = call("fit", tagged, *arguments)
    assert "60 images of 3 classes, 20 to predict" in done.stderr and "several labels per file" in done.stderr
    document = json.loads((run / "run.json").read_text())
    assert document["evidence"] > 0.8 and document["data"]["labels"] == "multi"
    assert len(document["data"]["class_counts"]) == 3
    found = rows(run / "predictions.csv")
    truth = {row["path"]: row["labels"] for row in rows(tagged / "test" / "labels.csv")}
    names = ["blue", "green", "red"]
    hits = [
        (name in row["label"].split(";")) == (name in truth[row["path"]].split(";"))
        for row in found
        for name in names
    ]
    assert np.mean(hits) > 0.8
    again = only_object(call("predict", run, tagged / "test", "--json"))["predictions"]
    assert [row["label"] for row in found] == [row["label"] for row in again]
    model = headstart.load(run)
    assert model.thresholds is not None and model.thresholds.shape == (3,)
    assert "threshold" in (run / "report.html").read_text(encoding="utf-8")


def test_what_is_not_sure_enough_stays_undecided(tagged: Path, tmp_path: Path) -> None:
    (tmp_path / "small.json").write_text(SMALL.to_json())
    for label in ("red", "grey"):
        (tmp_path / "data" / label).mkdir(parents=True)
    for number in range(10):
        for label, colour in (("red", (220, 40, 40)), ("grey", (128, 128, 128))):
            Image.new("RGB", (32, 32), colour).save(tmp_path / "data" / label / f"{number}.png")
    run = tmp_path / "run"
    call(
        "fit",
        tmp_path / "data",
        "--budget",
        "20s",
        "--config",
        tmp_path / "small.json",
        "--out",
        run,
        "--no-report",
    )
    sure = only_object(call("predict", run, tmp_path / "data", "--json", "--min-confidence", "0.5"))
    assert {row["label"] for row in sure["predictions"]} == {"red", "grey"}
    open_ = only_object(call("predict", run, tagged / "test", "--json", "--min-confidence", "1"))
    for row in open_["predictions"]:
        assert row["label"] == "" or row["confidence"] >= 1
    assert "between 0 and 1" in complaint(
        call("predict", run, tmp_path / "data", "--min-confidence", "7", code=2)
    )


def test_pictures_in_memory_and_paths_from_python(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = ["dark" if number % 2 else "light" for number in range(40)]
    pictures = [
        np.clip(rng.normal(60 if label == "dark" else 190, 20, (24, 24, 3)), 0, 255).astype(np.uint8)
        for label in labels
    ]
    model = headstart.fit(
        pictures[:30], 20, tmp_path / "run", labels=labels[:30], config=SMALL, test=pictures[30:]
    )
    found = [prediction.label for prediction in model.predict(pictures[30:])]
    assert found == labels[30:] == [row["label"] for row in rows(tmp_path / "run" / "predictions.csv")]
    paths = []
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
        paths.append(tmp_path / f"{number}.png")
    by_path = headstart.fit(paths[:30], 20, tmp_path / "paths", labels=labels[:30], config=SMALL)
    assert [p.label for p in by_path.predict(paths[30:])] == labels[30:]
    # Pixels in memory are those of a file, so what either model says about either is the same.
    np.testing.assert_allclose(model.posteriors(pictures)[0], model.posteriors(paths)[0], atol=1e-5)
    clips = [np.stack(moving(way, seed=n)) for n in range(8) for way in ("left", "right")]
    ways = ["left", "right"] * 8
    stages = tuple(s for s in default_config(16, 2, [], "video").stages if s.pixels == 64)
    film = headstart.fit(
        clips, 30, tmp_path / "clips", labels=ways, kind="video", config=Config(stages=stages)
    )
    assert np.mean([p.label == way for p, way in zip(film.predict(clips), ways, strict=True)]) > 0.9


def test_samples_from_python_need_labels_that_fit(tmp_path: Path) -> None:
    pictures = [np.zeros((8, 8, 3), np.uint8)] * 4
    for given, words in (
        ({}, "needs `labels`"),
        ({"labels": ["a", "b"]}, "4 samples and 2 labels"),
        ({"labels": ["a"] * 4}, "two"),
        ({"labels": ["a", "b"] * 2, "label_kind": "multi"}, "single-label, not multi-label"),
    ):
        with pytest.raises(headstart.HeadstartError, match=words):
            headstart.fit(pictures, 5, tmp_path / "run", **given)  # type: ignore[arg-type]
    with pytest.raises(headstart.HeadstartError, match="labels go with a list"):
        headstart.fit(tmp_path, 5, tmp_path / "run", labels=["a"])


def test_heads_that_cannot_learn_several_labels_are_refused(tmp_path: Path) -> None:
    pictures = [np.full((8, 8, 3), 30 * n, np.uint8) for n in range(8)]
    labels = [["dark"], ["dark", "even"]] * 2 + [["even"], ["light"]] * 2
    config = Config(stages=(Stage("pixels", 16, ("rgb16",)),), heads=("means", "lda"))
    with pytest.raises(headstart.HeadstartError, match="means and lda cannot learn: add neighbours or ridge"):
        headstart.fit(pictures, 5, tmp_path / "run", labels=labels, config=config)


def test_stages_that_do_not_fit_the_data_are_refused(films: Path, tmp_path: Path) -> None:
    for stage, words in (
        (Stage("lite0", 64, ("head",), 8), "but these are images"),
        (Stage("motion", 64, ("flow",)), "looks at one"),
        (Stage("lite0", 64, ("head+std",)), "looks at one"),
        (Stage("lite0", 64, ("head+median",)), "there is no statistic 'median'"),
        (Stage("lite0", 64, ("tail",)), "has no output 'tail'"),
    ):
        (tmp_path / "config.json").write_text(Config(stages=(stage,)).to_json())
        for label in "ab":
            (tmp_path / "data" / label).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8)).save(tmp_path / "data" / label / "1.png")
        done = call(
            "fit", tmp_path / "data", "--config", tmp_path / "config.json", "--out", tmp_path / "r", code=2
        )
        assert words in done.stderr


def test_the_same_file_in_two_classes_and_a_class_with_one_file_are_learnt_around(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number, label in enumerate(("red", "green", "lonely")):
        (data / label).mkdir(parents=True)
        for place in range(1 if label == "lonely" else 8):
            picture = np.full((24, 24, 3), 128, np.uint8)
            picture[place : place + 12, :12, number] = 250
            Image.fromarray(picture).save(data / label / f"{place}.png")
    (data / "green" / "twin.png").write_bytes((data / "red" / "0.png").read_bytes())
    (tmp_path / "small.json").write_text(SMALL.to_json())
    run = tmp_path / "run"
    call("fit", data, "--budget", "20s", "--config", tmp_path / "small.json", "--out", run)
    assert headstart.load(run).classes == ("green", "lonely", "red")
    found = only_object(call("inspect", data, "--json"))
    assert "twin.png" in json.dumps(found), "inspect names files that are equal across classes"
    assert right([{"path": p.path, "label": p.label} for p in headstart.load(run).predict(data)]) > 0.8
