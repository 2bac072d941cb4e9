"""Challenge tasks as the referee hands them out, made on the spot: shapes in their colours, in both forms."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from conftest import draw
from headstart.challenge.submission import RUNNER
from headstart.data.autodl.writer import Sample, write_dataset

SUBMISSIONS = Path(__file__).parent / "submissions"


@dataclass(frozen=True)
class Made:
    """A task. public: what a learner sees; answers: uint8 [n_test, classes]."""

    public: Path
    answers: NDArray[np.uint8]


def task_json(public: Path, form: str, classes: Sequence[str], tests: Sequence[str], **more: Any) -> None:
    document = {
        "name": "shapes", "form": form, "kind": "image", "labels": "single", "classes": list(classes),
        "test": list(tests), "n_test": len(tests), "budget": 60, **more,
    }  # fmt: skip
    (public / "task.json").write_text(json.dumps(document))


def folder_task(root: Path, classes: int = 3, each: int = 8, tests: int = 4, pixels: int = 32) -> Made:
    """Class folders for training, and a flat folder of test files."""
    names = [f"shape {label}" for label in range(classes)]
    files: list[str] = []
    for label, name in enumerate(names):
        (root / "train" / name).mkdir(parents=True)
        for number in range(each):
            draw(label, number, pixels).save(root / "train" / name / f"{number}.png")
    (root / "test").mkdir()
    labels = [number % classes for number in range(tests * classes)]
    for number, label in enumerate(labels):
        files.append(f"{number:06d}.png")
        draw(label, 1000 + number, pixels + number % 3).save(root / "test" / files[-1])
    task_json(root, "folder", names, files)
    return Made(root, np.eye(classes, dtype=np.uint8)[labels])


def coded(label: int, number: int, pixels: int = 32, form: str = "PNG") -> bytes:
    """A picture of a class as the content of a file."""
    file = io.BytesIO()
    draw(label, number, pixels).save(file, form)
    return file.getvalue()


def autodl_task(root: Path, samples: Sequence[Sample], tests: Sequence[Sample], classes: int = 3) -> Made:
    """The challenge's own form."""
    root.mkdir(parents=True, exist_ok=True)
    names = {f"shape {label}": label for label in range(classes)}
    write_dataset(str(root / "shapes.data"), names, samples, tests, solved=False)
    task_json(root, "autodl", list(names), [], n_test=len(tests))
    answers = np.array([np.isin(np.arange(classes), one.labels) for one in tests], np.uint8)
    return Made(root, answers)


def shapes_task(root: Path, classes: int = 3, each: int = 8, tests: int = 4) -> Made:
    """The same pictures as PNG in records, of sizes that vary."""
    made = [
        Sample([coded(n % classes, n, 32 + n % 3)], [n % classes], (32 + n % 3,) * 2)
        for n in range(classes * (each + tests))
    ]
    return autodl_task(root, made[classes * tests :], made[: classes * tests], classes)


def dense(label: int, number: int, scale: float = 1.0) -> NDArray[np.float32]:
    """A picture as numbers, float32 [1, 32, 32, 3] in 0 to `scale`."""
    return np.asarray(draw(label, number), np.float32)[None] / 255 * scale


def frames(label: int, number: int, count: int, pixels: int = 32) -> list[bytes]:
    """A clip of so many pictures."""
    return [coded(label, 50 * number + step, pixels) for step in range(count)]


def arguments(submission: str | Path, made: Made, out: Path, budget: float = 30, *more: str) -> list[str]:
    """What follows the interpreter."""
    out.mkdir(exist_ok=True)
    folder = SUBMISSIONS / submission
    return [
        "-u", str(RUNNER), "--submission", str(folder), "--task", str(made.public), "--out", str(out),
        "--budget", str(budget), *more,
    ]  # fmt: skip


def played(
    submission: str | Path, made: Made, out: Path, budget: float = 30, *more: str, python: str = sys.executable,
    timeout: float = 120, **options: Any,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Play to the end; the runner itself must not fail."""
    command = [python, *arguments(submission, made, out, budget, *more)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=timeout, **options)


def predictions(out: Path) -> list[NDArray[Any]]:
    """What was published, in its order; no number is left out and no half-written file is there."""
    found = [name for name in out.iterdir() if name.name != "started"]
    paths = [out / f"shapes.predict_{number}.npy" for number in range(len(found))]
    assert sorted(found) == sorted(paths)
    return [np.load(path, allow_pickle=False) for path in paths]


def picture(content: bytes) -> NDArray[np.float32]:
    """What a sample of one image must come out as: float32 [1, h, w, 3] in 0 to 1."""
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"), np.float32)[None] / np.float32(255)
