"""Other people's submissions: the official loop, each way to misbehave, and what a submission is fed."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.challenge import submission
from headstart.challenge.submission import RUNNER, command
from headstart.data.autodl import metadata as full_metadata
from headstart.data.autodl.writer import Sample
from headstart.data.listing import natural_order
from headstart.errors import BadInput
from headstart.words.scoring import score
from submission_tasks import (
    Made,
    arguments,
    autodl_task,
    coded,
    dense,
    folder_task,
    frames,
    picture,
    played,
    predictions,
    shapes_task,
    task_json,
)

HERE = RUNNER.parent
BESIDE = sorted(HERE.glob("submission_*.py"))
PYTHONS = os.environ.get("HEADSTART_PYTHONS", "").split(os.pathsep)
TENSORFLOW = os.environ.get("HEADSTART_TENSORFLOW", sys.executable if find_spec("tensorflow") else "")
TENSORFLOWS = [TENSORFLOW, *filter(None, [os.environ.get("HEADSTART_TENSORFLOW_1")])]  # also one of 1.15


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The modules beside the runner, as it loads them itself."""
    monkeypatch.syspath_prepend(str(HERE))
    import submission_data

    return submission_data


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Records, read by many tests."""
    return shapes_task(tmp_path_factory.mktemp("records"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Folders, read by many tests."""
    return folder_task(tmp_path_factory.mktemp("folders"))


# What happens to each submission: its exit code, how many predictions stand, and what is said.
ENDS = {
    "good": (0, 3, "done_training is set: the end, after 3 predictions"),
    "none": (0, 1, "test returned None: the end, after 1 predictions"),
    "done_at_once": (0, 0, "done_training is set: the end, after 0 predictions"),
    "prints": (0, 2, "done_training"),
    "nan": (0, 3, "test returned None"),
    "raises_on_import": (3, 0, "a_module_that_is_not_there' while it was started: "),
    "no_model": (3, 0, "has no attribute 'Model'"),
    "raises_in_init": (3, 0, "raised RuntimeError: no such luck while it was started"),
    "raises_in_train": (4, 1, "raised RuntimeError: no such luck in call 1 of train"),
    "raises_in_test": (5, 1, "raised RuntimeError: no such luck in call 1 of test"),
    "exits": (4, 1, "raised SystemExit: 0 in call 1 of train"),
    "wrong_shape": (6, 1, "prediction 1 has the shape (11, 3) instead of (12, 3)"),
    "not_numbers": (6, 1, "TypeError"),
    "vanishes": (7, 1, ""),
}


@pytest.mark.parametrize("name", ENDS)
def test_each_way_to_end_keeps_the_predictions_before(name: str, made: Made, tmp_path: Path) -> None:
    code, count, said = ENDS[name]
    done = played(name, made, tmp_path / "out", 30, "--feed", "numpy")
    assert (done.returncode, len(predictions(tmp_path / "out"))) == (code, count), done.stderr[-2000:]
    assert said in done.stderr
    assert (tmp_path / "out" / "started").exists() == (code != 3)
    if code in (3, 4, 5, 6):
        assert done.stderr.rstrip().endswith("predictions before stand")


def test_what_it_predicts_is_published_as_it_is(made: Made, tmp_path: Path) -> None:
    played("nan", made, tmp_path / "out")
    found = predictions(tmp_path / "out")
    assert [float(one[0, 0]) for one in found[::2]] == [0.0, np.inf] and np.isnan(found[1][0]).all()


@pytest.mark.parametrize("form", ["made", "files"])
def test_a_good_submission_learns(form: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    task: Made = request.getfixturevalue(form)
    assert played("good", task, tmp_path / "out").returncode == 0
    found = predictions(tmp_path / "out")
    assert found[-1].dtype in (np.float32, np.float64) and score(task.answers, found[-1]) > 0.9


def test_the_official_text_has_six_digits(made: Made, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert played("good", made, out, 30, "--text").returncode == 0
    text = (out / "shapes.predict_2").read_text()
    assert all(
        len(number.lstrip("-0.").replace(".", "")) <= 6 for number in text.split() if "e" not in number
    )
    assert score(made.answers, np.loadtxt(out / "shapes.predict_2")) > 0.9
    assert len(list(out.iterdir())) == 4


def test_the_time_ends_the_loop_after_a_prediction(made: Made, tmp_path: Path) -> None:
    start = time.monotonic()
    done = played("never_done", made, tmp_path / "out", 0.5)
    assert done.returncode == 0 and time.monotonic() - start < 30
    count = len(predictions(tmp_path / "out"))
    assert count >= 1 and f"the time is over, after {count} predictions" in done.stderr
    assert "the model has no done_training" in done.stderr


def test_threads_that_are_left_do_not_hold_the_process(made: Made, tmp_path: Path) -> None:
    assert played("leaves_threads", made, tmp_path / "out", timeout=40).returncode == 0
    assert len(predictions(tmp_path / "out")) == 1


def test_what_stood_before_a_hang_outlives_a_kill(made: Made, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with subprocess.Popen(
        [sys.executable, *arguments("hangs", made, out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        deadline = time.monotonic() + 60
        while not (out / "shapes.predict_0.npy").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        assert child.poll() is None
        child.kill()
    assert child.returncode == -signal.SIGKILL and len(predictions(out)) == 1


def test_what_stood_before_the_memory_ran_out_outlives_it(made: Made, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")

    def little() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))

    done = played("eats_memory", made, tmp_path / "out", preexec_fn=little)
    assert done.returncode == 4 and "MemoryError" in done.stderr and len(predictions(tmp_path / "out")) == 1


def test_an_endless_start_is_ended(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "slow"
    folder.mkdir()
    (folder / "model.py").write_text("import time\ntime.sleep(60)\n")
    done = played(folder, made, tmp_path / "out", 30, "--start-limit", "1")
    assert done.returncode == 3 and "TimeoutError: more than 1 seconds while it was started" in done.stderr


def test_nothing_is_left_behind(made: Made, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    before = sorted(made.public.rglob("*"))
    environment = {**os.environ, "TMPDIR": str(scratch)}
    folder = Path(__file__).parent / "submissions" / "good"
    for name in ("good", "raises_in_train"):
        played(name, made, tmp_path / name, env=environment)
    assert not list(scratch.iterdir()) and sorted(made.public.rglob("*")) == before
    assert [path.name for path in folder.iterdir() if path.name != "__pycache__"] == ["model.py"]


def witnessed(task: Made, out: Path, *more: str, python: str = sys.executable) -> tuple[dict[str, Any], Any]:
    """What the submission `witness` was told, and the samples that it was fed."""
    notes = out.with_name(f"{out.name}-notes.json")
    environment = {**os.environ, "WITNESS": str(notes), "WITNESS_OUT": str(out)}
    done = played("witness", task, out, 50, *more, python=python, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(notes.read_text()), np.load(f"{notes}.npz")


def test_a_submission_is_told_what_the_official_program_tells(made: Made, tmp_path: Path) -> None:
    told, fed = witnessed(made, tmp_path / "out")
    assert told["get_matrix_size"] == [-1, -1] and told["get_tensor_shape"] == [1, -1, -1, 3]
    assert (told["size"], told["test_size"], told["get_output_size"]) == (24, 12, 3)
    assert told["get_label_to_index_map"] == {f"shape {n}": n for n in range(3)}
    assert told["is_compressed"] and not told["is_sparse"] and told["get_bundle_size"] == 1
    assert told["get_num_channels"] == 3 and told["get_tensor_size"] == [-1, -1, 3]
    assert told["get_sequence_size"] == 1 and told["get_channel_to_index_map"] == {}
    assert told["get_dataset_name"].endswith("shapes.data/train")
    assert not told["started"] and told["started_then"]  # the clock starts when the model is made
    lefts = told["lefts"]
    assert lefts == sorted(lefts, reverse=True) and len(set(lefts)) == 8 and 45 < lefts[-1] < lefts[0] <= 50
    assert told["modules"] == [] and told["places"] == []  # nothing of ours is in its way
    for number in range(24):  # in the order of the records, and again at every call
        content = picture(coded((12 + number) % 3, 12 + number, 32 + (12 + number) % 3))
        assert np.array_equal(fed[f"train_{number}"], content)
        assert np.array_equal(fed[f"again_{number}"], content)
        assert fed[f"train_{number}_labels"].tolist() == np.eye(3)[(12 + number) % 3].tolist()
    assert all(not fed[f"test_{number}_labels"].any() for number in range(12))


def test_files_in_folders_come_as_compressed_samples_in_mixed_order(files: Made, tmp_path: Path) -> None:
    told, fed = witnessed(files, tmp_path / "out")
    assert told["get_tensor_shape"] == [1, -1, -1, 3] and (told["size"], told["test_size"]) == (24, 12)
    assert told["get_dataset_name"].endswith("/shapes.data/train")
    tests = json.loads((files.public / "task.json").read_text())["test"]
    for number, name in enumerate(tests):
        assert np.array_equal(fed[f"test_{number}"], picture((files.public / "test" / name).read_bytes()))
    labels = [int(fed[f"train_{number}_labels"].argmax()) for number in range(24)]
    assert sorted(labels) == sorted([0, 1, 2] * 8) and labels != sorted(labels)
    again, other = (witnessed(files, tmp_path / f"o{seed}", "--seed", str(seed))[1] for seed in (0, 1))
    order = [
        [np.asarray(one[f"train_{number}"]).sum() for number in range(24)] for one in (fed, again, other)
    ]
    assert order[0] == order[1] != order[2]


def read(beside: Any, task: Made, tmp_path: Path) -> tuple[Any, Any]:
    document = json.loads((task.public / "task.json").read_text())
    return beside.open_task(str(task.public), document, str(tmp_path / "scratch"), 0)


def test_dense_samples_keep_their_range(beside: Any, tmp_path: Path) -> None:
    samples = [Sample(dense(n % 3, n, 255.0), [n % 3]) for n in range(6)]
    train, test = read(beside, autodl_task(tmp_path / "task", samples, samples[:2]), tmp_path)
    for (example, labels), sample in zip(train, samples, strict=True):
        assert np.array_equal(example, sample.content) and labels.argmax() == sample.labels[0]
    assert (len(train), len(test), train.metadata.get_tensor_shape()) == (6, 2, (1, 32, 32, 3))


def test_clips_come_with_their_own_length_and_several_labels(beside: Any, tmp_path: Path) -> None:
    samples = [Sample(frames(n % 3, n, 2 + n), [0, n % 3], (32, 32)) for n in range(5)]
    train, _ = read(beside, autodl_task(tmp_path / "task", samples, samples[:2]), tmp_path)
    assert [example.shape for example, _ in train] == [(2 + n, 32, 32, 3) for n in range(5)]
    assert [labels.tolist() for _, labels in train][:3] == [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    assert train.metadata.get_sequence_size() == -1


def test_shards_are_read_in_the_order_of_their_numbers(beside: Any, tmp_path: Path) -> None:
    task = shapes_task(tmp_path / "task")
    folder = task.public / "shapes.data" / "test"
    (only,) = folder.glob("sample*")
    content = only.read_bytes()
    only.unlink()
    lengths, at = [], 0
    while at < len(content):
        lengths.append(16 + int.from_bytes(content[at : at + 8], "little"))
        at += lengths[-1]
    at = 0
    for number, length in enumerate(lengths):
        (folder / f"sample-{number}").write_bytes(content[at : at + length])
        at += length
    _, test = read(beside, task, tmp_path)
    for number, (example, _) in enumerate(test):
        assert np.array_equal(example, picture(coded(number % 3, number, 32 + number % 3)))


@given(st.lists(st.text(st.characters(blacklist_categories=("Cs",)), min_size=1), unique=True))
def test_names_are_ordered_as_everywhere_in_headstart(names: list[str]) -> None:
    sys.path.insert(0, str(HERE))
    try:
        import submission_records
    finally:
        sys.path.remove(str(HERE))
    assert submission_records.natural_order(names) == natural_order(names)


@given(st.dictionaries(st.text(st.characters(blacklist_categories=("Cs",))), st.integers(0, 9), max_size=5))
def test_names_of_classes_survive_the_text_format(classes: dict[str, int]) -> None:
    sys.path.insert(0, str(HERE))
    try:
        import submission_metadata
        import submission_records
    finally:
        sys.path.remove(str(HERE))
    ours = submission_metadata.Metadata("x/train", 7, classes, 10).text()
    assert full_metadata.from_text(ours).labels == classes
    written = full_metadata.to_text(full_metadata.Metadata(7, 10, labels=classes))
    for text in (ours, written):
        fields = submission_records.text_fields(text, "x")
        found = [dict(value) for name, value in fields if name == "label_to_index_map"]
        assert {one["key"]: int(one["value"]) for one in found} == classes


LISTS = {
    "names": "FileName,Labels\na.png,shape 0\nb.png,shape 2\n",
    "numbers": "FileName,Labels\na.png,0\nb.png,2\n",
    "several": "path;label\n".replace(";", ",") + "a.png,shape 0|shape 1\nb.png,shape 2\n",
    "several numbers": "FileName,Labels,subset\na.png,0 1,train\nb.png,2,train\n",
    "columns": "file,shape 0,shape 1,shape 2\na.png,1,1,0\nb.png,0,0,1\n",
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_labels(name: str, beside: Any, tmp_path: Path) -> None:
    root = tmp_path / "task"
    (root / "train").mkdir(parents=True)
    (root / "test").mkdir()
    for label, file in enumerate("abc"):
        (root / "train" / f"{file}.png").write_bytes(coded(label, 0))
    (root / "train" / "labels.csv").write_text(LISTS[name] + "gone.png,shape 1\n")
    task_json(root, "folder", ["shape 0", "shape 1", "shape 2"], [])
    train, _ = read(beside, Made(root, np.zeros((0, 3), np.uint8)), tmp_path)
    found = sorted(labels.tolist() for _, labels in train)
    assert found == [[0, 0, 1], [1, float(name.startswith(("several", "columns"))), 0]]


def test_clips_in_folders(beside: Any, tmp_path: Path) -> None:
    root = tmp_path / "task"
    for label in range(2):
        clip = root / "train" / f"shape {label}" / "walk"
        clip.mkdir(parents=True)
        for number in range(70):
            (clip / f"{number}.png").write_bytes(coded(label, number))
    (root / "test").mkdir()
    steps = [picture(coded(0, number)) for number in range(3)]
    from PIL import Image

    first, *rest = [Image.fromarray((step[0] * 255).round().astype(np.uint8)) for step in steps]
    first.save(root / "test" / "000000.webp", save_all=True, append_images=rest, lossless=True)
    (root / "test" / "000001.png").write_bytes(b"no picture")
    task_json(root, "folder", ["shape 0", "shape 1"], ["000000.webp", "000001.png"], kind="video")
    train, test = read(beside, Made(root, np.zeros((2, 2), np.uint8)), tmp_path)
    assert [example.shape for example, _ in train] == [(64, 32, 32, 3)] * 2  # evenly spaced: 64 at most
    (moving, _), (broken, _) = test
    assert np.allclose(moving, np.concatenate(steps)) and broken.shape == (1, 32, 32, 3) and not broken.any()
    assert train.metadata.get_sequence_size() == -1


def test_films_need_a_reader_and_say_so(files: Made, tmp_path: Path) -> None:
    root = tmp_path / "task"
    for label in range(2):
        (root / "train" / f"shape {label}").mkdir(parents=True)
        (root / "train" / f"shape {label}" / "0.mp4").write_bytes(b"film")
    (root / "test").mkdir()
    (root / "test" / "000000.mp4").write_bytes(b"film")
    task_json(root, "folder", ["shape 0", "shape 1"], ["000000.mp4"], kind="video")
    blocked = tmp_path / "blocked"
    for name in ("av", "cv2"):
        (blocked / name).mkdir(parents=True)
        (blocked / name / "__init__.py").write_text("raise ImportError('none here')\n")
    environment = {**os.environ, "PYTHONPATH": str(blocked)}
    made = Made(root, np.zeros((1, 2), np.uint8))
    done = played("good", made, tmp_path / "out", env=environment)
    assert done.returncode == 2 and "needs PyAV or OpenCV" in done.stderr


DAMAGES = {
    "no task": lambda root: (root / "task.json").unlink(),
    "no json": lambda root: (root / "task.json").write_text("{"),
    "no data": lambda root: (root / "shapes.data").rename(root / "shapes"),
    "no metadata": lambda root: (root / "shapes.data" / "train" / "metadata.textproto").unlink(),
    "bad metadata": lambda root: (root / "shapes.data" / "train" / "metadata.textproto").write_text("size {"),
    "text": lambda root: (root / "shapes.data" / "train" / "metadata.textproto").write_text(
        "sample_count: 3 output_dim: 2 matrix_spec { format: SPARSE }"
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_task_that_cannot_be_read_is_no_fault_of_the_submission(name: str, tmp_path: Path) -> None:
    task = shapes_task(tmp_path / "task")
    DAMAGES[name](task.public)
    done = played("good", task, tmp_path / "out")
    assert (
        done.returncode == 2 and "the task cannot be read" in done.stderr and "Traceback" not in done.stderr
    )


def test_a_record_that_breaks_off_ends_the_game_with_its_place(tmp_path: Path) -> None:
    task = shapes_task(tmp_path / "task")
    (shard,) = (task.public / "shapes.data" / "train").glob("sample*")
    shard.write_bytes(shard.read_bytes()[:-7])
    done = played("good", task, tmp_path / "out")
    assert done.returncode == 4 and f"{shard}, byte " in done.stderr


@pytest.mark.parametrize("path", BESIDE, ids=lambda path: path.name)
def test_the_runner_knows_no_new_syntax_and_needs_nothing(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 6))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    ours = {path.stem for path in BESIDE}
    assert found <= ours | {"numpy", "PIL", "av", "cv2"} | set(sys.stdlib_module_names)


def test_the_command_names_interpreter_runner_and_folder(tmp_path: Path) -> None:
    folder = tmp_path / "sub"
    folder.mkdir()
    (folder / "model.py").write_text("")
    assert command(folder) == [sys.executable, "-u", str(RUNNER), "--submission", str(folder)]
    assert command(folder, sys.executable)[0] == sys.executable


def test_the_command_refuses_what_cannot_be_played(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is no folder"):
        command(tmp_path / "gone")
    inner = tmp_path / "zip" / "inner"
    inner.mkdir(parents=True)
    with pytest.raises(BadInput, match=r"no model\.py, so it is no submission"):
        command(inner)
    (inner / "model.py").write_text("")
    with pytest.raises(BadInput, match=r"do you mean .*inner\?"):
        command(inner.parent)
    with pytest.raises(BadInput, match="no interpreter"):
        command(inner, "python-of-nowhere")


def fake(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 3 5", "is Python 3.5: submissions need 3.6"),
        ("echo 2 7", "is Python 2.7"),
        ("echo 3 9; exit 1", "has no numpy"),
        ("echo hello", "does not answer as a Python"),
        ("exit 3", "does not answer as a Python"),
    ],
)
def test_an_interpreter_that_will_not_do_is_told_why(script: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("")
    with pytest.raises(BadInput, match=said):
        command(tmp_path, fake(tmp_path / "python", script))


def test_an_interpreter_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "_PATIENCE", 0.2)
    (tmp_path / "model.py").write_text("")
    with pytest.raises(BadInput, match="does not answer"):
        command(tmp_path, fake(tmp_path / "python", "exec sleep 5"))


@pytest.mark.slow
@pytest.mark.parametrize("python", PYTHONS)
def test_other_interpreters(python: str, made: Made, files: Made, tmp_path: Path) -> None:
    """HEADSTART_PYTHONS names interpreters with numpy and Pillow, for example of Python 3.6."""
    if not python:
        pytest.skip("HEADSTART_PYTHONS names no other interpreters")
    assert command(Path(__file__).parent / "submissions" / "good", python)[0] == os.path.abspath(python)
    for name, task in (("made", made), ("files", files)):
        assert played("good", task, tmp_path / name, python=python).returncode == 0
        assert score(task.answers, predictions(tmp_path / name)[-1]) > 0.9
    told, fed = witnessed(made, tmp_path / "out", python=python)
    own, ours = witnessed(made, tmp_path / "own")
    del told["lefts"], own["lefts"]
    assert told == own and all(np.array_equal(fed[name], ours[name]) for name in ours.files)
    done = played("raises_in_train", made, tmp_path / "raises", python=python)
    assert done.returncode == 4 and len(predictions(tmp_path / "raises")) == 1


@pytest.mark.slow
@pytest.mark.parametrize("form", ["jpeg", "png", "dense", "clips", "folder"])
@pytest.mark.parametrize("python", TENSORFLOWS)
def test_tensorflow_feeds_the_same(form: str, python: str, tmp_path: Path) -> None:
    if not python:
        pytest.skip("no TensorFlow: HEADSTART_TENSORFLOW names an interpreter with it")
    if form == "folder":
        task = folder_task(tmp_path / "task")
    elif form == "png":
        task = shapes_task(tmp_path / "task")
    else:
        content: dict[str, Any] = {
            "jpeg": lambda n: [coded(n % 3, n, 40 + n, "JPEG")],
            "dense": lambda n: dense(n % 3, n),
            "clips": lambda n: frames(n % 3, n, 1 + n % 4),
        }
        samples = [Sample(content[form](n), [n % 3, 1]) for n in range(9)]
        task = autodl_task(tmp_path / "task", samples, samples[:4])
    told, fed = witnessed(task, tmp_path / "out", python=python)
    own, ours = witnessed(task, tmp_path / "own", "--feed", "numpy")
    assert told["feed"] == "tensorflow" and told["get_tensor_shape"] == own["get_tensor_shape"]
    assert fed.files == ours.files
    for name in ours.files:
        assert fed[name].dtype == np.float32 and fed[name].shape == ours[name].shape
        assert np.abs(fed[name] - ours[name]).max(initial=0) <= (0.02 if form == "jpeg" else 1e-6), name


@pytest.mark.slow
@pytest.mark.skipif(not TENSORFLOW, reason="no TensorFlow: HEADSTART_TENSORFLOW names an interpreter with it")
def test_a_submission_that_uses_tensorflow(made: Made, tmp_path: Path) -> None:
    done = played("needs_tensorflow", made, tmp_path / "out", python=TENSORFLOW)
    assert done.returncode == 0, done.stderr
    assert score(made.answers, predictions(tmp_path / "out")[0]) > 0.9


@pytest.mark.skipif(find_spec("tensorflow") is not None, reason="TensorFlow is there")
def test_a_submission_that_needs_tensorflow_is_told_of_other_interpreters(made: Made, tmp_path: Path) -> None:
    done = played("needs_tensorflow", made, tmp_path / "out")
    assert (
        done.returncode == 3 and "No module named 'tensorflow'" in done.stderr and "--python" in done.stderr
    )
    done = played("good", made, tmp_path / "other", 30, "--feed", "tensorflow")
    assert done.returncode == 3 and "TensorFlow cannot be imported" in done.stderr
