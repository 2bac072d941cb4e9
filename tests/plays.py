"""Tasks and runs of the challenge for tests: a small labelled folder, and the record of a run without playing it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from conftest import draw


def make_task(root: Path, classes: int = 3, each: int = 4, name: str = "shapes") -> Path:
    """A folder with `train/` and a labelled `test/` of `each` pictures per class in each split."""
    task = root / name
    for split, first in (("train", 0), ("test", 1000)):
        for label in range(classes):
            folder = task / split / f"shape_{label}"
            folder.mkdir(parents=True)
            for number in range(each):
                draw(label, first + number, 16).save(folder / f"{number}.png")
    return task


def make_run(
    out: Path, truth: ArrayLike, files: Mapping[str, bytes], events: Sequence[Mapping[str, Any]],
    budget: float = 1200.0, state: str = "finished", name: str = "task",
) -> Path:  # fmt: skip
    """The folder that a run leaves. files: predictions by name. events: lines of the record."""
    labels = np.array(truth, np.uint8)
    (out / "predictions").mkdir(parents=True)
    for file, content in files.items():
        (out / "predictions" / file).write_bytes(content)
    np.savez(out / "answers.npz", truth=labels, classes=np.array([f"c{k}" for k in range(labels.shape[1])]))
    document = {"format": 1, "budget": budget, "task": {"name": name}, "learner": "someone", "state": state}
    (out / "play.json").write_text(json.dumps(document))
    (out / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    return out


def stamp(t: float, file: str, cpu: float | None = None) -> dict[str, Any]:
    """The event of a prediction."""
    return {"t": t, "event": "prediction", "file": file, "cpu": cpu}
