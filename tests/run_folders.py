"""Run folders as `fit` leaves them, made up but realistic, for tests that read them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def write_curve(run: Path, points: int = 30, end: float = 150.0) -> None:
    stages = ("pixels@64", "lite0@64", "lite0@128", "lite0@224")
    with (run / "curve.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("seconds", "cpu_seconds", "score", "stage", "samples_seen"))
        for i, seconds in enumerate(np.geomspace(0.45, end, points)):
            share = i / max(points - 1, 1)
            score = 0.97 - 0.6 * (1 - share) ** 2
            stage = stages[min(int(share * 4), 3)]
            rows.writerow((f"{seconds:.3f}", f"{1.8 * seconds:.3f}", f"{score:.4f}", stage, int(240 * share)))


def make_pictures(root: Path, names: list[str], rng: np.random.Generator) -> list[str]:
    """A picture for every sample, of different sizes and colours; relative paths in order."""
    paths = []
    for i, name in enumerate(names):
        path = f"{name}/{i:04d}.png"
        (root / name).mkdir(parents=True, exist_ok=True)
        small = rng.integers(0, 255, (4, 5, 3), dtype=np.uint8)
        Image.fromarray(small).resize((40 + 30 * (i % 7), 60 + 20 * (i % 5))).save(root / path)
        paths.append(path)
    return paths


def posteriors_for(targets: NDArray[Any], classes: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Posteriors that are mostly right, and confuse neighbouring classes more than others."""
    logits: NDArray[np.float64] = rng.normal(0, 1.0, (len(targets), classes))
    hard = np.linspace(1.2, 4.5, classes)
    logits[np.arange(len(targets)), targets] += hard[targets]
    logits[np.arange(len(targets)), (targets + 1) % classes] += 1.0
    logits = np.exp(1.6 * logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


def write_evidence(run: Path, targets: NDArray[Any], posteriors: NDArray[Any], paths: list[str]) -> None:
    blobs = [path.encode("utf-8", "surrogateescape") for path in paths]
    np.savez(
        run / "evidence.npz",
        rows=np.arange(len(targets), dtype=np.int64),
        targets=targets,
        posteriors=posteriors.astype(np.float16),
        path_blob=np.frombuffer(b"".join(blobs), np.uint8),
        path_ends=np.cumsum([len(blob) for blob in blobs]).astype(np.int64),
    )


def facts_for(root: Path, classes: list[str], targets: NDArray[Any], labels: str) -> dict[str, Any]:
    counts = targets.sum(axis=0) if targets.ndim == 2 else np.bincount(targets, minlength=len(classes))
    stages = [("pixels", 64, ["rgb16"]), ("lite0", 64, ["d10", "head"]), ("lite0", 128, ["d10", "head"]),
              ("lite0", 224, ["head"])]  # fmt: skip
    return {
        "format": 1, "state": "finished", "ended": "no stage is left that could improve the evidence",
        "budget": 1200.0, "clock": "wall", "started": "2025-11-24T10:52:03+00:00", "seconds": 171.4,
        "cpu_seconds": 305.2, "versions": {"headstart": "0.1.0", "python": "3.11.2", "numpy": "2.4.6"},
        "machine": {"cpu": "Some Processor 9000 @ 2.40GHz", "cores": 2, "memory_gb": 7.7},
        "config": {
            "stages": [{"backbone": b, "pixels": p, "outputs": o} for b, p, o in stages],
            "heads": ["means", "neighbours", "ridge", "lda"], "members": 5, "folds": 5, "seed": 0,
        },
        "why": "1200 pictures in 12 classes: all stages fit into the budget at 210 pictures per second.",
        "data": {
            "root": str(root), "name": "photos", "kind": "image", "labels": labels, "classes": classes,
            "n_train": len(targets), "n_test": 300, "class_counts": counts.tolist(),
        },
        "members": [
            {"blocks": ["lite0@224/head"], "head": "ridge", "kernel": "rbf", "evidence": 0.968, "temperature": 0.71},
            {"blocks": ["lite0@128/d10", "pixels@64/rgb16"], "head": "lda", "evidence": 0.9,
             "temperature": 1.1},
        ],
        "evidence": 0.97, "skipped": 3,
        "timings": {"decode": 41.0, "forward": 210.5, "heads": 19.3, "publish": 4.2, "start": 0.4},
    }  # fmt: skip


def make_run(folder: Path, classes: list[str], n: int = 240, multi: bool = False, pictures: int = 40) -> Path:
    """A finished run folder as `fit` leaves it, with `pictures` picture files (the other files are gone)."""
    rng = np.random.default_rng(len(classes))
    run, root = folder / "my run", folder / "photos"
    (run / "model").mkdir(parents=True)
    root.mkdir()
    write_curve(run)
    targets: NDArray[Any] = np.arange(n, dtype=np.int32) % len(classes)
    posteriors = posteriors_for(targets, len(classes), rng)
    if multi:
        columns = (rng.random((n, len(classes))) < 0.15).astype(np.uint8)
        posteriors = np.clip(0.75 * columns + rng.normal(0.12, 0.2, columns.shape), 0.001, 0.999)
        targets = columns
    wrong = posteriors.argmax(axis=1) != targets if not multi else np.ones(n, bool)
    paths = [f"somewhere/{i:04d}.jpg" for i in range(n)]
    shown = np.flatnonzero(wrong)[:pictures]
    folders = [f"class{i % 7}" for i in range(len(shown))]
    for i, path in zip(shown, make_pictures(root, folders, rng), strict=True):
        paths[i] = path
    write_evidence(run, targets, posteriors, paths)
    facts = facts_for(root, classes, targets, "multi" if multi else "single")
    (run / "run.json").write_text(json.dumps(facts))
    reasons = ("not an image", "truncated: the file ends inside the picture", "not an image")
    lines = [f'"bad, {i}.jpg",{reason}' for i, reason in enumerate(reasons)]
    (run / "skipped.csv").write_text("\n".join(["path,reason", *lines, ""]), "utf-8")
    return run


def change(run: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    facts = json.loads((run / "run.json").read_text())
    edit(facts)
    (run / "run.json").write_text(json.dumps(facts))
