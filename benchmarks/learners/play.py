"""A learner of this folder under the referee.

    headstart bench TASKS --learners "headstart,pixels=command:python benchmarks/learners/play.py pixels --head lr"

The learner publishes as always; every prediction is also written, as it comes, in the order that the task asks for.
"""

from __future__ import annotations

import json
import runpy
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the referee starts it anywhere
from benchmarks.learners import protocol


class Playing(protocol.Publisher):
    """Publishes to the referee, too."""

    task: dict[str, Any]
    predictions: Path

    def __init__(self, out: Path, test: Path, files: list[str], classes: list[str]) -> None:
        super().__init__(out, test, files, classes)
        rows = {name: place for place, name in enumerate(self._names)}
        self._rows = [rows[name] for name in self.task["test"]]
        self._columns = [classes.index(name) for name in self.task["classes"]]
        self._count = 0

    def publish(self, probabilities: NDArray[Any]) -> None:
        """As for `Publisher`."""
        super().publish(probabilities)
        ordered = np.asarray(probabilities, np.float32)[np.ix_(self._rows, self._columns)]
        name = f"{self.task['name']}.predict_{self._count}.npy"
        partial = self.predictions / f".writing-{self._count}"
        with partial.open("wb") as file:
            np.save(file, ordered, allow_pickle=False)
        partial.rename(self.predictions / name)
        self._count += 1


def main() -> None:
    module, own = sys.argv[1], sys.argv[2:]
    given = {
        own[i]: own[i + 1] for i in range(len(own) - 1) if own[i] in ("--task", "--out", "--budget", "--seed")
    }
    rest = [word for i, word in enumerate(own) if word not in given and not (i and own[i - 1] in given)]
    task = Path(given["--task"])
    Playing.task, Playing.predictions = json.loads((task / "task.json").read_text()), Path(given["--out"])
    protocol.Publisher = Playing  # type: ignore[misc]
    (Playing.predictions / "started").touch()
    with tempfile.TemporaryDirectory() as work:
        sys.argv = [
            module,
            "--train",
            str(task / "train"),
            "--test",
            str(task / "test"),
            "--out",
            work,
            *rest,
        ]
        sys.argv += ["--seed", given.get("--seed", "0")]
        runpy.run_module(f"benchmarks.learners.{module}", run_name="__main__")


if __name__ == "__main__":
    main()
