"""Our learner as a submission: what is exported, what it does with a feed, and that it plays by the official rules."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import headstart
from commands import call, complaint, only_object
from conftest import draw
from headstart.challenge import export_submission as exporting
from headstart.challenge import submitted, submitted_feed
from headstart.challenge.export_submission import export_submission
from headstart.challenge.submission import RUNNER
from headstart.challenge.submitted import Columns, Game, Said, Submitted, overtakes
from headstart.challenge.submitted_feed import Convert, Reading, Shelf
from headstart.data.frames import moments
from headstart.errors import BadDataset, BadInput
from headstart.words.scoring import score
from official_loop import ingest
from submission_tasks import folder_task, played, predictions, shapes_task

PYTHONS = os.environ.get("HEADSTART_PYTHONS", "").split(os.pathsep)
TENSORFLOW = os.environ.get("HEADSTART_TENSORFLOW", sys.executable if find_spec("tensorflow") else "")
Item = tuple[NDArray[np.float32], NDArray[np.float32]]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_submission(tmp_path_factory.mktemp("exported") / "ours").path


class Told:
    """The official metadata object, as far as it is asked."""

    def __init__(self, size: int, outputs: int, compressed: bool = True, sequence: int = 1) -> None:
        self._size, self._outputs, self._compressed, self._sequence = size, outputs, compressed, sequence

    def size(self) -> int:
        return self._size

    def get_output_size(self) -> int:
        return self._outputs

    def is_compressed(self, bundle_index: int = 0) -> bool:
        return self._compressed

    def get_sequence_size(self) -> int:
        return self._sequence


class Feed:
    """Samples that take their time. read: how many were handed out so far."""

    def __init__(self, items: list[Item], pause: float = 0.0, breaks: int | None = None) -> None:
        self.items, self.pause, self.breaks, self.read = items, pause, breaks, 0

    def __iter__(self) -> Iterator[Item]:
        for number, item in enumerate(self.items):
            if number == self.breaks:
                raise OSError("a record that is damaged")
            time.sleep(self.pause)
            self.read += 1
            yield item


def shapes(count: int, classes: int = 3, first: int = 0, pixels: int = 32) -> list[Item]:
    """Pictures of classes that take turns."""
    return [
        (
            np.asarray(draw(n % classes, n, pixels), np.float32)[None] / 255,
            np.eye(classes, dtype=np.float32)[n % classes],
        )
        for n in range(first, first + count)
    ]


def truth(items: list[Item]) -> NDArray[np.uint8]:
    return np.stack([labels for _, labels in items]).astype(np.uint8)


# What is exported


def test_the_folder_holds_all_that_is_needed_and_no_more(exported: Path) -> None:
    names = {path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()}
    assert {"model.py", "README.txt", "LICENSE", "NOTICE", "headstart/api.py"} <= names
    assert {f"headstart/backbones/weights/lite0-{form}.onnx" for form in ("fp16", "int8")} <= names
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".part"))]
    package = Path(headstart.__file__).parent
    for name in ("api.py", "learn/learner.py", "challenge/submitted.py"):
        assert (exported / "headstart" / name).read_bytes() == (package / name).read_bytes()
    assert sum(path.stat().st_size for path in exported.rglob("*")) < 30_000_000 < exporting.LIMIT


def test_an_archive_holds_the_same_and_is_always_the_same(exported: Path, tmp_path: Path) -> None:
    made = [export_submission(tmp_path / f"{name}.zip") for name in "ab"]
    with zipfile.ZipFile(made[0].path) as archive:
        names = {path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()}
        assert set(archive.namelist()) == names and made[0].files == len(names)
        assert archive.read("model.py") == (exported / "model.py").read_bytes()
    assert made[0].path.read_bytes() == made[1].path.read_bytes()
    assert made[0].size == made[0].path.stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "b.zip"]


def test_an_empty_folder_may_be_there_and_a_full_one_may_not(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert (export_submission(tmp_path / "empty").path / "model.py").is_file()
    with pytest.raises(BadInput, match="is there already"):
        export_submission(tmp_path / "empty")


def test_too_large_a_submission_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "LIMIT", 1_000_000)
    for name in ("folder", "archive.zip"):
        with pytest.raises(BadInput, match="the challenge takes 300"):
            export_submission(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        export_submission(tmp_path / "file" / "inside")


def test_the_command_writes_it(tmp_path: Path) -> None:
    told = only_object(call("export", "--as", "submission", tmp_path / "ours", "--json"))
    assert told["submission"] == str(tmp_path / "ours") and told["bytes"] < 30_000_000
    assert "MB (the challenge takes 300)" in call("export", "--as", "submission", tmp_path / "b").stdout
    said = complaint(call("export", "--as", "submission", "run", tmp_path / "c", code=2))
    assert "a submission is a learner, not a model" in said


# What it does with a feed


def test_the_shelf_keeps_what_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitted_feed, "_CHUNK", 10_000)
    shelf, rng = Shelf(str(tmp_path)), np.random.default_rng(0)
    given = [
        rng.integers(0, 256, shape, np.uint8)
        for shape in [(7, 9, 3), (90, 90, 3), (1, 1, 1), (50, 50, 3)] * 5
    ]
    kept = [shelf.put(values) for values in given]
    assert all(map(np.array_equal, given, kept))
    assert not any(values.flags.writeable for values in kept)
    assert not list(tmp_path.iterdir())  # files without a name: nothing is left when the process is killed


@pytest.mark.parametrize(
    ("low", "high", "compressed", "ends"),
    [
        (0, 1, True, (0, 255)),
        (0, 1, False, (0, 255)),
        (0, 255, False, (0, 255)),
        (0, 200, False, (0, 200)),
        (-1, 1, False, (0, 255)),
        (-80, 0, False, (0, 255)),
        (0, 4095, False, (0, 255)),
        (3, 3, False, (3, 3)),
    ],
)
def test_values_of_any_range_become_bytes(
    low: float, high: float, compressed: bool, ends: tuple[int, int]
) -> None:
    example = np.linspace(low, high, 32 * 32, dtype=np.float32).reshape(1, 32, 32, 1)
    picture = Convert.of([example], compressed, 1)(example)
    assert picture.dtype == np.uint8 and picture.shape == (32, 32, 1)
    assert (picture.min(), picture.max()) == ends and (np.diff(picture.ravel().astype(int)) >= 0).all()


def test_bytes_that_were_bytes_come_back_as_they_were() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    for example, compressed in ((levels / np.float32(255), True), (levels.astype(np.float32), False)):
        assert np.array_equal(Convert.of([example[None]], compressed, 1)(example[None]), levels)


def test_odd_values_and_channels_do_no_harm() -> None:
    example = np.full((1, 8, 8, 5), np.nan, np.float32)
    example[0, 0], example[0, 1, 0] = 0.5, np.inf
    picture = Convert.of([np.nan_to_num(example, posinf=1.0)], False, 1)(example)
    assert (
        picture.shape == (8, 8, 3)
        and picture[0, 0, 0] == 128
        and picture[1, 0, 0] == 255
        and picture[3, 3, 0] == 0
    )
    two = Convert.of([example], True, 1)(np.ones((1, 8, 8, 2), np.float32))
    assert two.shape == (8, 8, 1)
    assert Convert.of([np.full_like(example, np.nan)], False, 1).kind == "image"


def test_large_pictures_are_squeezed_when_they_come() -> None:
    assert Convert("image", 0, 1)(np.ones((1, 300, 400, 3), np.float32)).shape == (224, 224, 3)
    assert Convert("image", 0, 1)(np.ones((1, 100, 400, 3), np.float32)).shape == (100, 400, 3)


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 40, 333])
def test_of_a_clip_those_frames_stay_that_a_run_takes(count: int) -> None:
    clip = np.broadcast_to(np.arange(count, dtype=np.float32)[:, None, None, None], (count, 4, 4, 1))
    kept = Convert("video", 0, 255)(clip / 2)[:, 0, 0, 0]
    everything = np.rint(np.arange(count) / 2 + 1e-6).clip(0, 255)
    wanted = [everything[index] for pair in moments(count, 8, None) for index in pair]
    assert [kept[index] for pair in moments(len(kept), 8, None) for index in pair] == wanted
    assert len(kept) <= 16


def test_a_feed_that_breaks_off_ends_there(tmp_path: Path) -> None:
    reading = Reading(Feed(shapes(100), breaks=80), Shelf(str(tmp_path)))
    reading.first(True, 1)
    reading.read()
    assert len(reading.taken()[0]) == 80 and isinstance(reading.error, OSError) and reading.finished.is_set()


def test_a_feed_of_nothing_is_no_feed(tmp_path: Path) -> None:
    reading = Reading([], Shelf(str(tmp_path)))
    reading.first(True, 1)
    with pytest.raises(BadDataset, match="no training samples"):
        reading.taken()


def test_one_label_each_is_a_choice_and_columns_that_never_come_stay_empty() -> None:
    columns = Columns(np.eye(5, dtype=np.float32)[[1, 3, 3, 1]])
    assert columns.targets.tolist() == [1, 3, 3, 1]
    spread = columns.spread(np.array([[0.2, 0.8]], np.float32))
    assert spread.tolist() == [[0, np.float32(0.2), 0, np.float32(0.8), 0]]


def test_several_labels_are_columns_of_their_own() -> None:
    columns = Columns(np.array([[1, 0, 1, 0], [0, 0, 0.9, 0], [0, 0, 0, 0.2]], np.float32))
    assert columns.targets.tolist() == [[1, 1], [0, 1], [0, 0]]
    assert columns.spread(np.array([[0.25, 0.5]], np.float32)).tolist() == [[0.25, 0, 0.5, 0]]


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_lone_column_is_a_choice_of_yes_and_no(outputs: int) -> None:
    labels = np.zeros((4, outputs), np.float32)
    labels[[0, 2], -1] = 1
    columns = Columns(labels)
    assert columns.targets.tolist() == [1, 0, 1, 0]
    assert columns.spread(np.array([[0.25, 0.75]], np.float32)).tolist() == [[0.0] * (outputs - 1) + [0.75]]


# How it plays


def model(items: list[Item], **more: Any) -> Submitted:
    return Submitted(Told(len(items), items[0][1].shape[0], **more))


def test_it_learns_anytime_and_ends_by_itself() -> None:
    train, test = shapes(18), shapes(9, first=100)
    ours = model(train)
    done = ingest(ours, Feed(train), Feed(test), (9, 3), 60)
    assert done.ended == "none" and ours.done_training and len(done.predictions) >= 2
    assert score(truth(test), done.predictions[-1]) > 0.9
    for prediction in done.predictions:
        assert prediction.dtype == np.float32 and np.isfinite(prediction).all()
        assert np.allclose(prediction.sum(axis=1), 1, atol=1e-3)
    assert not any(map(np.array_equal, done.predictions, done.predictions[1:]))
    assert ours.test(Feed(test), 1) is None


def test_it_ends_within_the_time() -> None:
    train, test = shapes(300, pixels=64), shapes(60, first=1000, pixels=64)
    ours = model(train)
    start = time.monotonic()
    done = ingest(ours, Feed(train), Feed(test), (60, 3), 4)
    assert time.monotonic() - start < 5.5 and done.predictions and done.seconds[-1] < 4.2


def test_the_first_prediction_does_not_wait_for_a_slow_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitted, "_FIRST", 0.1)
    monkeypatch.setattr(submitted, "_WHOLE", 0.1)
    train, test = shapes(140), shapes(9, first=1000)
    feed = Feed(train, pause=0.01)
    ours = model(train)
    ours.train(feed, 60)
    first = ours.test(Feed(test), 55)
    assert first is not None and 64 <= feed.read < 140
    seen = []
    while not ours.done_training:
        ours.train(feed, 50)
        found = ours.test(Feed(test), 50)
        if found is None:
            break
        assert ours._game is not None and ours._game.last is not None
        seen.append((ours._game.samples, ours._game.last.samples_seen, found))
    assert feed.read == 140 and seen[-1][0] == 140  # at the end it has learnt from all of them
    assert score(truth(test), seen[-1][2]) > 0.9


def test_what_a_second_run_says_first_does_not_replace_what_is_known() -> None:
    def game(stage: str, seen: int, evidence: float) -> Game:
        made = object.__new__(Game)
        made.stages = ["pixels@64", "lite0@64", "lite0@128"]
        made.last = submitted.Snapshot(0.0, stage, seen, evidence, None, None, None, None)  # type: ignore[arg-type]
        return made

    old = game("lite0@64", 500, 0.8)
    assert overtakes(game("pixels@64", 600, 0.85), old)
    assert overtakes(game("lite0@64", 600, 0.7), old)
    assert not overtakes(game("pixels@64", 600, 0.7), old)
    assert not overtakes(game("lite0@128", 100, 0.9), old)
    assert overtakes(game("pixels@64", 16, 0.1), None)


def test_samples_that_a_second_run_has_not_looked_at_keep_what_was_said() -> None:
    ours = model(shapes(3))
    first = np.float32([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])
    assert np.array_equal(ours._filled(Said(first.copy(), np.array([False, True, False]))), first)
    second = np.float32([[0.5, 0.5], [0.5, 0.5], [0.4, 0.6]])
    filled = ours._filled(Said(second, np.array([True, True, False])))
    assert filled.tolist() == np.float32([[0.9, 0.1], [0.5, 0.5], [0.4, 0.6]]).tolist()


def test_where_nothing_can_be_learnt_it_says_so_and_plays_on(capsys: pytest.CaptureFixture[str]) -> None:
    items = [(example, np.float32([1, 0, 0])) for example, _ in shapes(6)]
    done = ingest(model(items), Feed(items), Feed(items), (6, 3), 30)
    assert len(done.predictions) == 1 and not done.predictions[0].any()
    assert "at least two classes are needed" in capsys.readouterr().err


def test_a_test_feed_that_breaks_off_is_an_error() -> None:
    train = shapes(80)
    ours = model(train)
    ours.train(Feed(train), 30)
    with pytest.raises(OSError, match="damaged"):
        ours.test(Feed(train, breaks=70), 30)


@pytest.mark.slow
def test_several_labels_and_clips() -> None:
    train, test = shapes(24), shapes(12, first=100)
    several = [
        (example, np.maximum(labels, np.float32([0, 0, n % 2]))) for n, (example, labels) in enumerate(train)
    ]
    done = ingest(model(several), Feed(several), Feed(test), (12, 3), 60)
    assert score(truth(test)[:, :2], done.predictions[-1][:, :2]) > 0.8
    clips, others = (
        [(np.concatenate([example, example[:, ::-1], example]), labels) for example, labels in items]
        for items in (train, test)
    )
    done = ingest(model(clips, sequence=-1), Feed(clips), Feed(others), (12, 3), 60)
    assert score(truth(test), done.predictions[-1]) > 0.8


def test_it_runs_from_its_folder_as_a_stranger(exported: Path, tmp_path: Path) -> None:
    """In a process that knows no other headstart: what is imported lies in the folder."""
    task = folder_task(tmp_path / "task", each=6, tests=3)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch), "PYTHONVERBOSE": "", "PYTHONWARNINGS": "error"}
    before = sorted(exported.rglob("*"))
    done = played(exported, task, tmp_path / "out", 60, env=environment)
    assert done.returncode == 0 and "test returned None" in done.stderr, done.stderr
    assert score(task.answers, predictions(tmp_path / "out")[-1]) > 0.9
    left = [path.name for path in scratch.iterdir() if path.name != ".ses"]  # onnxruntime leaves that one
    assert left == [] and sorted(exported.rglob("*")) == before
    code = f"import sys; sys.path.insert(0, {str(exported)!r}); import model, headstart; print(headstart.__file__)"
    shown = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == str(exported / "headstart" / "__init__.py")


def test_a_process_that_ends_in_the_middle_ends_in_peace(exported: Path, tmp_path: Path) -> None:
    """Worker threads and the reading thread are not pulled out of the libraries that they are in."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    code = f"""
import sys; sys.path[:0] = [{str(exported)!r}, {str(Path(__file__).parent)!r}]
import test_export_submission as tests
from headstart.challenge import submitted
submitted._FIRST = submitted._WHOLE = 0.0
train = tests.shapes(400)
ours = tests.model(train)
feed = tests.Feed(train, pause=0.005)
ours.train(feed, 60)
print(ours.test(tests.Feed(tests.shapes(90)), 60).shape)
"""
    environment = {**os.environ, "TMPDIR": str(scratch)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "(90, 3)\n", "")
    assert [path.name for path in scratch.iterdir() if path.name != ".ses"] == []


def test_what_it_lacks_is_named(exported: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked" / "PIL"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text("raise ImportError('no Pillow')\n")
    environment = {**os.environ, "PYTHONPATH": str(blocked.parent)}
    task = shapes_task(tmp_path / "task")
    done = played(exported, task, tmp_path / "out", 60, env=environment)
    assert done.returncode == 3 and "put them into" in done.stderr and "no Pillow" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("python", PYTHONS)
def test_an_interpreter_that_is_too_old_is_told(python: str, exported: Path, tmp_path: Path) -> None:
    if not python:
        pytest.skip("HEADSTART_PYTHONS names no other interpreters")
    done = played(exported, shapes_task(tmp_path / "task"), tmp_path / "out", 60, python=python)
    assert done.returncode == 3 and "headstart needs Python 3.11 or newer" in done.stderr


needs_tensorflow = pytest.mark.skipif(
    not TENSORFLOW
    or subprocess.run([TENSORFLOW, "-c", "import onnxruntime"], capture_output=True).returncode != 0,
    reason="HEADSTART_TENSORFLOW names no interpreter with TensorFlow and onnxruntime",
)


@pytest.mark.slow
@needs_tensorflow
def test_it_plays_on_a_feed_of_tensorflow(exported: Path, tmp_path: Path) -> None:
    task = shapes_task(tmp_path / "task", each=10)
    done = played(exported, task, tmp_path / "out", 60, "--feed", "tensorflow", python=TENSORFLOW)
    assert done.returncode == 0 and "tf.data" in done.stderr, done.stderr
    assert score(task.answers, predictions(tmp_path / "out")[-1]) > 0.9


GRAPH = """
import sys, json
import numpy, tensorflow as tf
tf.compat.v1.disable_eager_execution()
sys.path[:0] = [{beside!r}, {exported!r}]
import submission_data, submission_tensorflow
task = json.load(open({public!r} + "/task.json"))
splits = submission_data.open_task({public!r}, task, {scratch!r}, 0)
from headstart.challenge.submitted import Submitted
feeds = [submission_tensorflow.dataset(tf, split) for split in splits]
ours = Submitted(splits[0].metadata)
ours.train(feeds[0], remaining_time_budget=60)
assert len(ours._train.pictures) == 30, len(ours._train.pictures)
assert numpy.array_equal(ours._train.labels[5], list(splits[0])[5][1])
print(ours.test(feeds[1], remaining_time_budget=60).shape)
"""


@pytest.mark.slow
@needs_tensorflow
def test_a_program_without_eager_execution(exported: Path, tmp_path: Path) -> None:
    task = shapes_task(tmp_path / "task", each=10)
    code = GRAPH.format(
        beside=str(RUNNER.parent),
        exported=str(exported),
        public=str(task.public),
        scratch=str(tmp_path / "s"),
    )
    done = subprocess.run([TENSORFLOW, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip() == "(12, 3)", done.stderr[-3000:]
