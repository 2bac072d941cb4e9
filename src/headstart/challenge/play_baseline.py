"""The simplest learners, as commands under the referee: what a learner must at least be better than.

constant: the same for every sample, once. random: numbers drawn anew every second until the time is over.
"""

from __future__ import annotations

import argparse
import json
import os
import time

import numpy as np
from numpy.typing import NDArray


def publish(folder: str, name: str, number: int, values: NDArray[np.floating]) -> None:
    """Write prediction `number` of the task `name`, float [n_test, classes], in one step."""
    path = os.path.join(folder, f"{name}.predict_{number}.npy")
    with open(f"{path}.part", "wb") as file:
        np.save(file, values)
    os.replace(f"{path}.part", path)


def main() -> None:
    """Plays."""
    began = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baseline", choices=("constant", "random"), required=True)
    parser.add_argument("--task", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--budget", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with open(os.path.join(options.task, "task.json"), encoding="utf-8") as file:
        task = json.load(file)
    shape = (task["n_test"], len(task["classes"]))
    open(os.path.join(options.out, "started"), "x").close()
    if options.baseline == "constant":
        publish(options.out, task["name"], 0, np.full(shape, 0.5, np.float32))
        return
    draw = np.random.default_rng(options.seed)
    number = 0
    while time.monotonic() - began < options.budget - 1:
        publish(options.out, task["name"], number, draw.random(shape, np.float32))
        number += 1
        time.sleep(1)


if __name__ == "__main__":
    main()
