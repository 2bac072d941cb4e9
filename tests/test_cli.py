"""The command as users run it: what it prints, its exit codes, and what it loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

import faults
from commands import COMMAND, call, complaint, only_object, rows
from conftest import MakeFolder, draw

NEVER = {"torch", "sklearn", "matplotlib", "pandas", "safetensors", "onnx"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `train`, `new` and the finished `run`, and what `fit --json` printed in `said.json`."""
    root = tmp_path_factory.mktemp("cli")
    for part, seeds in (("train", range(14)), ("new", range(100, 106))):
        for label in range(3):
            folder = root / part / f"shape_{label}"
            folder.mkdir(parents=True)
            for seed in seeds:
                draw(label, seed, 40).save(folder / f"{seed}.png")
    done = call(
        "fit", root / "train", "--test", root / "new", "--budget", "1m", "--out", root / "run", "--json"
    )
    (root / "said.json").write_text(json.dumps(only_object(done)))
    (root / "progress.txt").write_text(done.stderr)
    return root


def test_fit_prints_one_json_object_and_its_progress_on_stderr(finished: Path) -> None:
    said = json.loads((finished / "said.json").read_text())
    assert said["state"] == "finished" and said["ended"] and said["samples_seen"] == 42
    assert said["run"] == str(finished / "run") and Path(said["model"]).is_dir()
    assert [point[1] for point in said["curve"]][-1] == pytest.approx(said["evidence"], abs=1e-3)
    assert "42 images of 3 classes, 18 to predict" in (finished / "progress.txt").read_text()
    assert "\x1b" not in (finished / "progress.txt").read_text()  # no terminal, no control codes


def test_the_run_folder_holds_what_is_documented(finished: Path) -> None:
    run = finished / "run"
    names = {path.name for path in run.iterdir()}
    assert names >= {
        "model", "curve.csv", "predictions.csv", "skipped.csv", "run.json", "evidence.npz", "cache", "report.html",
    }  # fmt: skip
    curve = rows(run / "curve.csv")
    assert list(curve[0]) == ["seconds", "cpu_seconds", "score", "stage", "samples_seen"]
    times = [float(row["seconds"]) for row in curve]
    assert times == sorted(times) and all(-1 <= float(row["score"]) <= 1 for row in curve)
    predicted = rows(run / "predictions.csv")
    assert list(predicted[0]) == ["path", "label", "confidence", "shape_0", "shape_1", "shape_2"]
    assert len(predicted) == 18
    assert (run / "skipped.csv").read_text() == "path,reason\n"


def test_run_json_says_what_was_done_on_what_and_why(finished: Path) -> None:
    document = json.loads((finished / "run" / "run.json").read_text())
    assert document["budget"] == 60 and document["clock"] == "wall" and document["state"] == "finished"
    assert document["data"]["n_train"] == 42 and document["data"]["n_test"] == 18
    assert document["data"]["class_counts"] == [14, 14, 14]
    assert document["config"]["stages"] and document["why"] and document["members"]
    assert {"headstart", "python", "numpy", "onnxruntime"} <= set(document["versions"])
    assert {"cores", "workers"} <= set(document["machine"])
    assert {"decode", "forward", "heads", "publish"} <= set(document["timings"])


def test_predictions_of_the_model_are_those_of_the_run(finished: Path, tmp_path: Path) -> None:
    call("predict", finished / "run", finished / "new", "--csv", tmp_path / "out.csv")
    after = {row["path"]: row for row in rows(tmp_path / "out.csv")}
    before = {row["path"]: row for row in rows(finished / "run" / "predictions.csv")}
    assert set(after) == set(before)
    for path, row in after.items():
        assert list(row) == list(before[path]) and row["label"] == before[path]["label"]
        for name in ("confidence", "shape_0", "shape_1", "shape_2"):
            assert float(row[name]) == pytest.approx(float(before[path][name]), abs=1e-3)


def test_predict_takes_a_folder_one_file_and_prints_lines_or_json(finished: Path) -> None:
    one = finished / "new" / "shape_1" / "100.png"
    done = call("predict", finished / "run", one)
    confidence, label, path = done.stdout.split()
    assert label == "shape_1" and path == str(one) and 0 < float(confidence) <= 1
    said = only_object(call("predict", finished / "run", finished / "new", "--json"))
    assert said["labelled"] == 18 == len(said["predictions"]) and said["skipped"] == []


def test_a_model_folder_can_be_copied_and_used_alone(finished: Path, tmp_path: Path) -> None:
    for file in (finished / "run" / "model").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert only_object(call("predict", tmp_path, finished / "new", "--json"))["labelled"] == 18


def test_the_report_is_one_file_that_asks_for_nothing_else(finished: Path) -> None:
    page = finished / "run" / "report.html"
    page.unlink()
    done = call("report", finished / "run")
    assert done.stdout.strip() == str(page)
    content = page.read_text()
    assert "shape_1" in content and 'src="http' not in content and "<link" not in content


def test_reading_a_run_folder_does_not_change_it(finished: Path) -> None:
    def content() -> dict[str, int]:
        run = finished / "run"
        return {str(p): p.stat().st_mtime_ns for p in run.rglob("*") if p.is_file()}

    before = content()
    call("predict", finished / "run", finished / "new")
    assert content() == before


def bad_input(case: str, root: Path, make_folder: MakeFolder) -> tuple[list[object], str]:
    """The arguments of `fit` and words that its complaint must hold."""
    good = make_folder(classes=2, each=3, root=root / "good")
    match case:
        case "missing":
            return [root / "no" / "where"], "where"
        case "empty":
            (root / "void").mkdir()
            return [root / "void"], "void"
        case "one class":
            return [make_folder(classes=1, root=root / "alone")], "class"
        case "a file":
            return [good / "shape_0" / "0.png"], "0.png"
        case "text only":
            for name in "ab":
                (root / "texts" / name).mkdir(parents=True)
                (root / "texts" / name / "a.txt").write_text("no image")
            return [root / "texts"], "texts"
        case "budget in words":
            return [good, "--budget", "soon"], "soon"
        case "no budget":
            return [good, "--budget", "0s"], "budget"
        case "endless budget":
            return [good, "--budget", "1e999"], "budget"
        case "missing test":
            return [good, "--test", root / "nothing"], "nothing"
        case "empty test":
            (root / "no news").mkdir()
            return [good, "--test", root / "no news"], "no news"
        case "no workers":
            return [good, "--workers", "0"], "worker"
        case "missing configuration":
            return [good, "--config", root / "c.json"], "c.json"
        case "unknown backbone":
            config = {"stages": [{"backbone": "vgg", "pixels": 64, "outputs": ["head"]}]}
            (root / "c.json").write_text(json.dumps(config))
            return [good, "--config", root / "c.json"], "vgg"
        case "unknown output":
            config = {"stages": [{"backbone": "lite0", "pixels": 64, "outputs": ["tail"]}]}
            (root / "c.json").write_text(json.dumps(config))
            return [good, "--config", root / "c.json"], "tail"
        case "out is a file":
            (root / "taken").write_text("mine")
            return [good, "--out", root / "taken"], "taken"
        case "out holds other things":
            (root / "mine").mkdir()
            (root / "mine" / "thesis.tex").write_text("mine")
            return [good, "--out", root / "mine"], "mine"
    raise AssertionError(case)


CASES = (
    "missing", "empty", "one class", "a file", "text only", "budget in words", "no budget", "endless budget",
    "missing test", "empty test", "no workers", "missing configuration", "unknown backbone", "unknown output",
    "out is a file", "out holds other things",
)  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_input_ends_with_one_sentence_and_exit_code_2(
    case: str, tmp_path: Path, make_folder: MakeFolder
) -> None:
    arguments, words = bad_input(case, tmp_path, make_folder)
    out: list[object] = [] if "--out" in arguments else ["--out", tmp_path / "run"]
    sentence = complaint(call("fit", "--budget", "20s", *out, *arguments, code=2))
    assert words in sentence and len(sentence) < 500
    assert not (tmp_path / "run" / "model" / "model.json").exists()


def test_predicting_from_nothing_or_nothing_at_all_ends_with_exit_code_2(
    finished: Path, tmp_path: Path
) -> None:
    assert str(tmp_path) in complaint(call("predict", tmp_path, finished / "new", code=2))
    assert "nowhere" in complaint(call("predict", finished / "run", tmp_path / "nowhere", code=2))
    (tmp_path / "lie.jpg").write_text("no image")
    assert "lie.jpg" in call("predict", finished / "run", tmp_path / "lie.jpg", code=2).stderr
    target = tmp_path / "no folder" / "out.csv"
    assert "out.csv" in complaint(
        call("predict", finished / "run", finished / "new", "--csv", target, code=2)
    )
    complaint(call("report", tmp_path, code=2))


def test_a_budget_too_short_for_anything_says_so(tmp_path: Path, make_folder: MakeFolder) -> None:
    folder = make_folder(classes=3, each=30)
    sentence = complaint(call("fit", folder, "--budget", "0.05s", "--out", tmp_path / "run", code=2))
    assert "budget" in sentence and "first prediction" in sentence


def test_help_is_quick_and_loads_no_library() -> None:
    script = (
        "import sys, time\nfrom headstart.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "print('loaded:', time.process_time(), *(m for m in sys.modules if '.' not in m))"
    )
    *text, last = faults.run(script).splitlines()
    _, seconds, *loaded = last.split()
    assert any("fit" in line for line in text)
    assert not {"numpy", "onnxruntime", "PIL", "scipy"} & set(loaded)
    assert float(seconds) < 0.3


def test_nothing_heavy_is_loaded_before_the_first_prediction(tmp_path: Path, make_folder: MakeFolder) -> None:
    script = (
        "import sys, headstart\n"
        "next(headstart.watch(sys.argv[1], 30, sys.argv[2]))\n"
        "print(*(m for m in sys.modules if '.' not in m))"
    )
    loaded = set(faults.run(script, make_folder(classes=3, each=12), tmp_path / "run").split())
    assert {"numpy", "onnxruntime", "PIL"} <= loaded
    assert not (NEVER | {"scipy"}) & loaded


def test_a_whole_fit_and_a_predict_never_load_a_training_library(finished: Path, tmp_path: Path) -> None:
    script = (
        "import sys\nfrom headstart.cli.main import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        "print('loaded:', *(m for m in sys.modules if '.' not in m))"
    )
    for arguments in (
        ("fit", finished / "train", "--budget", "30s", "--out", tmp_path / "run"),
        ("predict", finished / "run", finished / "new"),
    ):
        last = faults.run(script, *arguments).splitlines()[-1]
        assert not NEVER & set(last.split())


def test_a_reader_that_goes_away_is_no_failure(finished: Path) -> None:
    command = [*COMMAND, "predict", str(finished / "run"), str(finished / "new")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(60) == 0 and errors == ""


def test_the_cpu_clock_may_count_the_budget(tmp_path: Path, make_folder: MakeFolder) -> None:
    folder = make_folder(classes=3, each=10)
    said = only_object(
        call("fit", folder, "--budget", "60s", "--clock", "cpu", "--out", tmp_path / "run", "--json",
             "--no-report", "--workers", "1")
    )  # fmt: skip
    assert json.loads((tmp_path / "run" / "run.json").read_text())["clock"] == "cpu"
    assert said["curve"][0][0] < 60 and not (tmp_path / "run" / "report.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize("budget", [1.5, 3.0])
def test_a_run_is_over_a_second_after_its_budget_however_many_images_there_are(
    budget: float, tmp_path: Path, make_folder: MakeFolder
) -> None:
    folder = make_folder(classes=3, each=2, pixels=64)
    for label in range(3):
        for number in range(1500):
            os.link(folder / f"shape_{label}" / "0.png", folder / f"shape_{label}" / f"copy {number}.png")
    big = folder / "shape_0" / "large.jpg"
    Image.new("RGB", (6000, 6000), "red").save(big)
    begun = time.monotonic()
    call("fit", folder, "--test", folder, "--budget", f"{budget}s", "--out", tmp_path / "run")
    assert time.monotonic() - begun < budget + 1.2  # .2 for the start of Python and its end
    assert only_object(call("predict", tmp_path / "run", big, "--json"))["labelled"] == 1


@pytest.mark.parametrize("signal", ["interrupt"])
def test_control_c_leaves_the_published_model(signal: str, tmp_path: Path, make_folder: MakeFolder) -> None:
    import signal as signals

    folder, run = make_folder(classes=3, each=80, pixels=64), tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "headstart", "fit", str(folder), "--budget", "60s", "--out", str(run)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    end = time.monotonic() + 30
    while not (run / "model" / "model.json").exists() and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signals.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in errors and "stands" in errors
    assert only_object(call("predict", run, folder / "shape_1" / "0.png", "--json"))["labelled"] == 1
