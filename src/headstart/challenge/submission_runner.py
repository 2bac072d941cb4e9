"""Plays a submission of the AutoDL challenge, unmodified, on a task: the official loop, in any Python from 3.6 on.

It is run by its path and imports nothing but the files beside it, numpy, and TensorFlow where that is there:

    PYTHON submission_runner.py --submission DIR --task PUBLIC --out PREDICTIONS --budget SECONDS [--seed N]

The clock starts when `Model(metadata)` is made, which `PREDICTIONS/started` tells. `train` and `test` then take
turns until `done_training` (looked at before `train` only), until `test` returns None, or until the time is over:
nobody interrupts them from inside. Prediction k is published as `NAME.predict_k.npy` (or `NAME.predict_k`).
"""

import argparse
import importlib
import importlib.util
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from headstart.challenge import submission_data, submission_tensorflow
    from headstart.challenge.submission_folder import NoReader
    from headstart.challenge.submission_records import Broken
else:
    import submission_data
    import submission_tensorflow
    from submission_folder import NoReader
    from submission_records import Broken

TASK, START, TRAIN, TEST, PREDICTION = 2, 3, 4, 5, 6
"""Exit codes: what went wrong was the task, the start-up, a call of train or of test, or what test returned."""
_WAIT = 2.0  # seconds that threads of a submission get to end after the loop


class Failed(Exception):
    """The submission cannot go on; predictions before stand."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def main(arguments: "list[str] | None" = None) -> int:
    """Play; returns 0, or one of the exit codes above after a sentence on stderr."""
    options = _parser().parse_args(arguments)
    # A submission must not find our files under names that it might use, nor leave its own beside its code.
    sys.path[:] = [place for place in sys.path if os.path.abspath(place or ".") != _here()]
    sys.dont_write_bytecode = True
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    scratch = tempfile.mkdtemp(prefix="autodl-")
    try:
        _play(options, scratch)
        return 0
    except Failed as error:
        _say(f"{error}; predictions before stand")
        return error.code
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Play a submission of the AutoDL challenge on a task.")
    parser.add_argument("--submission", required=True, help="folder with model.py")
    parser.add_argument("--task", required=True, help="folder with task.json")
    parser.add_argument("--out", required=True, help="folder for predictions")
    parser.add_argument("--budget", required=True, type=float, help="seconds")
    parser.add_argument("--seed", type=int, default=0, help="of the order of training samples in folders")
    parser.add_argument("--feed", choices=("auto", "tensorflow", "numpy"), default="auto")
    parser.add_argument(
        "--text", action="store_true", help="publish text with six digits, as the official program"
    )
    parser.add_argument("--start-limit", type=int, default=1200, help="seconds for imports and Model()")
    return parser


def _here() -> str:
    return os.path.dirname(os.path.abspath(__file__))


def _say(message: str) -> None:
    print(f"runner: {message}", file=sys.stderr, flush=True)


def _play(options: argparse.Namespace, scratch: str) -> None:
    try:
        with open(os.path.join(options.task, "task.json"), encoding="utf-8") as file:
            task = json.load(file)
        train, test = submission_data.open_task(options.task, task, scratch, options.seed)
    except (Broken, OSError, ValueError, KeyError) as error:
        raise Failed(TASK, f"the task cannot be read ({type(error).__name__}: {error})") from None
    tf = _tensorflow(options.feed)
    feeds = [submission_tensorflow.dataset(tf, split) if tf else split for split in (train, test)]
    _say("feed: " + (f"tf.data of TensorFlow {tf.__version__}" if tf else "numpy"))
    with _failing(START, "while it was started"), _limit(options.start_limit):
        model = _model(options.submission)(train.metadata)
    with open(os.path.join(options.out, "started"), "w"):
        pass
    shape = (len(test), train.metadata.get_output_size())
    _Game(model, feeds, shape, options, task["name"]).run()


def _tensorflow(feed: str) -> Any:
    """The module, or None where it is not there or not wanted."""
    if feed == "numpy" or (feed == "auto" and importlib.util.find_spec("tensorflow") is None):
        return None
    try:
        return importlib.import_module("tensorflow")
    except Exception as error:  # whatever a broken installation throws
        if feed == "tensorflow":
            raise Failed(START, f"TensorFlow cannot be imported ({type(error).__name__}: {error})") from None
        _say(f"TensorFlow is there, but cannot be imported ({error})")
        return None


def _model(submission: str) -> Any:
    """The class `Model` of the submission."""
    folder = os.path.abspath(submission)
    sys.path.insert(0, folder)
    if not os.path.exists(os.path.join(folder, "algorithm.py")):
        sys.modules.setdefault("algorithm", _algorithm())
    return importlib.import_module("model").Model


def _algorithm() -> types.ModuleType:
    """The official program lends its submissions a module with a class to derive theirs from."""

    class Algorithm:
        def __init__(self, metadata: Any) -> None:
            self.done_training = False
            self.metadata_ = metadata

    module = types.ModuleType("algorithm")
    module.Algorithm = Algorithm  # type: ignore[attr-defined]
    return module


@contextmanager
def _failing(code: int, when: str) -> "Iterator[None]":
    """Whatever the submission raises, also to leave the process, ends the game with this exit code."""
    try:
        yield
    except NoReader as error:
        raise Failed(TASK, str(error)) from None
    except BaseException as error:
        traceback.print_exc()
        hint = ""
        if isinstance(error, ImportError):
            hint = f": {sys.executable} lacks what it needs, name another interpreter with --python"
        said = " ".join(f"{type(error).__name__}: {error}".split())[:500]
        raise Failed(code, f"the submission raised {said} {when}{hint}") from None


@contextmanager
def _limit(seconds: int) -> "Iterator[None]":
    """An alarm, where the system has one: TimeoutError after so many seconds."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def ring(number: int, frame: Any) -> None:
        raise TimeoutError(f"more than {seconds} seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class _Game:
    """The official loop. shape: what each prediction must have."""

    def __init__(
        self, model: Any, feeds: "list[Any]", shape: "tuple[int, int]", options: argparse.Namespace, name: str
    ) -> None:
        self._model, self._feeds, self._shape, self._name = model, feeds, shape, name
        self._out, self._text, self._budget = options.out, options.text, options.budget
        self._start = time.monotonic()

    def _left(self) -> float:
        return float(self._start + self._budget - time.monotonic())

    def run(self) -> None:
        """Until one of the two sides ends it. Raises Failed."""
        if not hasattr(self._model, "done_training"):
            _say("the model has no done_training: it ends by None or by the time")
        count = 0
        while not getattr(self._model, "done_training", False):
            with _failing(TRAIN, f"in call {count} of train"):
                self._model.train(self._feeds[0], remaining_time_budget=self._left())
            with _failing(TEST, f"in call {count} of test"):
                found = self._model.test(self._feeds[1], remaining_time_budget=self._left())
            if found is None:
                _say(f"test returned None: the end, after {count} predictions")
                return
            self._publish(found, count)
            count += 1
            if self._left() <= 0:
                _say(f"the time is over, after {count} predictions")
                return
        _say(f"done_training is set: the end, after {count} predictions")

    def _publish(self, found: Any, count: int) -> None:
        with _failing(PREDICTION, f"when prediction {count} was taken for an array of numbers"):
            values = np.asarray(found)
            values = values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)
        if values.shape != self._shape:
            raise Failed(
                PREDICTION, f"prediction {count} has the shape {values.shape} instead of {self._shape}"
            )
        path = os.path.join(self._out, f"{self._name}.predict_{count}" + ("" if self._text else ".npy"))
        partial = os.path.join(self._out, f".writing-{count}")
        with open(partial, "wb") as file:
            if self._text:
                np.savetxt(file, values, fmt="%g")
            else:
                np.save(file, values, allow_pickle=False)
        os.replace(partial, path)


def _leave(code: int) -> None:
    """Whatever threads a submission leaves behind, the process ends soon."""
    sys.stdout.flush()
    sys.stderr.flush()
    watchdog = threading.Timer(_WAIT, os._exit, (code,))
    watchdog.daemon = True
    watchdog.start()
    sys.exit(code)


if __name__ == "__main__":
    _leave(main())
