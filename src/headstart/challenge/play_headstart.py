"""Our own learner as a command under the referee: every snapshot's posteriors of the test samples are a prediction."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from headstart.challenge.play_baseline import publish
from headstart.learn.snapshot import Snapshot
from headstart.words.clock import Budget, Clock, WallClock
from headstart.words.task import Samples, Task

if TYPE_CHECKING:
    from headstart.data.arrays import Pictures


def main() -> None:
    """Plays."""
    options = _parser().parse_args()
    clock, budget = WallClock(since_start()), Budget(options.budget)
    document = json.loads(Path(options.task, "task.json").read_text(encoding="utf-8"))
    import onnxruntime  # noqa: F401 - part of the start-up

    from headstart import running  # noqa: F401

    Path(options.out, "started").touch()
    opened = _records if document["form"] == "autodl" else _folder
    task, pictures = opened(options.task, document)
    with tempfile.TemporaryDirectory(prefix="headstart-", ignore_cleanup_errors=True) as scratch:
        number = 0
        for snapshot in _snapshots(task, pictures, options, Path(scratch, "run"), clock, budget):
            if snapshot.test is not None:
                publish(options.out, document["name"], number, arranged(task, snapshot.test, document))
                number += 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", required=True, help="folder of the public task")
    parser.add_argument("--out", required=True, help="folder for predictions")
    parser.add_argument("--budget", type=float, required=True, help="seconds since this process was started")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--workers", type=int, help="worker threads (default: one per core)")
    return parser


def since_start() -> float:
    """Wall seconds since this process was started, imports included."""
    try:
        with open("/proc/self/stat") as file:
            ticks = float(file.read().rsplit(")", 1)[1].split()[19])
        with open("/proc/uptime") as file:
            uptime = float(file.read().split()[0])
        return max(uptime - ticks / os.sysconf("SC_CLK_TCK"), 0.0)
    except (OSError, ValueError, IndexError):
        return time.process_time()  # not Linux: imports are mostly processor time


def _folder(path: str, document: dict[str, Any]) -> tuple[Task, Pictures | None]:
    """The task in folders; its test samples in the order of the rows."""
    from headstart.data.scan import scan

    task = scan(os.path.join(path, "train"), kind=document["kind"], labels=document["labels"])
    return replace(task, test=Samples(os.path.join(path, "test"), document["test"])), None


def _records(path: str, document: dict[str, Any]) -> tuple[Task, Pictures | None]:
    """The task in AutoDL records, and what decodes them by name, as `Pictures` does samples in memory."""
    from headstart.data.autodl.dataset import open_dataset

    dataset = open_dataset(
        os.path.join(path, f"{document['name']}.data"), "skip", document["kind"], document["labels"]
    )
    return dataset.task, cast("Pictures", dataset)


def _snapshots(
    task: Task,
    pictures: Pictures | None,
    options: argparse.Namespace,
    out: Path,
    clock: Clock,
    budget: Budget,
) -> Iterator[Snapshot]:
    from headstart.learn.threads import one_thread
    from headstart.running import Run
    from headstart.store.run import RunFolder

    with ExitStack() as stack:
        stack.enter_context(one_thread())
        folder = stack.enter_context(RunFolder.open(out))
        run = Run(task, folder, clock, budget, None, options.seed, options.workers, pictures)
        stack.callback(run.close)
        for event in run.events():
            if isinstance(event, Snapshot):
                yield event


def arranged(task: Task, posteriors: NDArray[Any], document: dict[str, Any]) -> NDArray[np.float32]:
    """Posteriors [test samples, classes of the task] in the columns of the referee: float32 [n_test, classes].

    A class that the learner has not seen gets 0.
    """
    columns = {name: place for place, name in enumerate(task.classes)}
    result = np.zeros((len(posteriors), len(document["classes"])), np.float32)
    for place, name in enumerate(document["classes"]):
        if name in columns:
            result[:, place] = posteriors[:, columns[name]]
    return result


if __name__ == "__main__":
    main()
