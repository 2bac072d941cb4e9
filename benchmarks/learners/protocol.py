"""What every learner is given on its command line, and what it hands back: all its predictions with their times."""

from __future__ import annotations

import argparse
import csv
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
Matrix = NDArray[np.float32]
PUBLISHED = "published.npz"


def parser(summary: str) -> argparse.ArgumentParser:
    """The options that all learners have; a learner may add its own."""
    result = argparse.ArgumentParser(description=summary.partition("\n")[0])
    result.add_argument("--train", type=Path, required=True, help="a folder with one sub-folder per class")
    result.add_argument("--test", type=Path, required=True, help="a folder of images without labels")
    result.add_argument(
        "--out", type=Path, required=True, help=f"a folder; the learner writes {PUBLISHED} there"
    )
    result.add_argument("--seed", type=int, default=0)
    return result


def network_options(result: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """What a learner that runs the network in torch needs to know."""
    result.add_argument(
        "--weights", type=Path, required=True, help="the checkpoint of EfficientNet-Lite0, .pth"
    )
    result.add_argument(
        "--package", type=Path, help="wheel or folder of efficientnet-lite-pytorch, if not installed"
    )
    result.add_argument("--pixels", type=int, required=True)
    return result


LIST = "labels.csv"


def listed(folder: Path) -> list[tuple[str, list[str]]]:
    """The rows of a list: file and its labels, `;` between several."""
    with (folder / LIST).open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [(str(folder / path), cell.split(";") if cell else []) for path, cell in rows]


def labelled(folder: Path) -> tuple[list[str], Labels, list[str]]:
    """Files of a split, their class numbers int64 [n], and the classes.

    Of files with several labels an indicator int64 [n, classes] in place of the numbers.
    """
    if (folder / LIST).exists():
        rows = listed(folder)
        classes = sorted({label for _, found in rows for label in found})
        indicator = np.array([[name in found for name in classes] for _, found in rows], np.int64)
        single = (indicator.sum(axis=1) == 1).all()
        return [path for path, _ in rows], indicator.argmax(axis=1) if single else indicator, classes
    classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    files = [unlabelled(folder / name) for name in classes]
    targets = np.repeat(np.arange(len(classes)), [len(found) for found in files])
    return [path for found in files for path in found], targets, classes


def unlabelled(folder: Path) -> list[str]:
    """All files below a folder, sorted."""
    return sorted(os.path.join(top, name) for top, _, names in os.walk(folder) for name in names)


class Publisher:
    """Keeps every prediction together with the CPU seconds, since the process started, at which it stood."""

    def __init__(self, out: Path, test: Path, files: list[str], classes: list[str]) -> None:
        self._file = out / PUBLISHED
        self._names = [os.path.relpath(path, test) for path in files]
        self._classes = classes
        self._seconds: list[float] = []
        self._predictions: list[Matrix] = []

    def publish(self, probabilities: NDArray[Any]) -> None:
        """probabilities: finite numbers [files, classes]; they count from now on."""
        self._predictions.append(np.array(probabilities, np.float32))
        self._seconds.append(time.process_time())

    def save(self) -> None:
        """Hand everything over."""
        shape = (0, len(self._names), len(self._classes))
        np.savez(
            self._file,
            files=np.array(self._names),
            classes=np.array(self._classes),
            seconds=np.array(self._seconds),
            predictions=np.stack(self._predictions) if self._predictions else np.zeros(shape, np.float32),
        )
