"""What comes before and after learning: the process, the list of files, what is written at each publication."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from headstart import api
from headstart.challenge.calibrate_cells import Cell
from headstart.challenge.calibrate_decoding import drawn
from headstart.data.groups import folds, name_groups
from headstart.data.order import balanced
from headstart.data.scan import scan
from headstart.learn.plan import default_config
from headstart.learn.snapshot import Snapshot
from headstart.learn.threads import NAMES
from headstart.store.cache import fingerprint
from headstart.store.curve import CurveRow, append, start
from headstart.store.predictions import write_predictions
from headstart.store.snapshot import publish
from headstart.words.clock import Budget, CostClock
from headstart.words.config import Config
from headstart.words.costs import CostTable

_CLASSES = 10
_LITTLE = 1e-9
_TINY = 100  # pictures of the run that tells what starting costs
_STARTED = """
import tempfile
import headstart.cli.fit
from pathlib import Path
from headstart import api
from headstart.words.clock import Budget, CpuClock
from headstart.words.config import Config
folder, config = {folder!r}, Config.from_json({config!r})
out = Path(tempfile.mkdtemp(dir={out!r}))  # a run in an old folder would find its features there
for event in api.run(api.Request(folder, Budget(60), out, folder, config, CpuClock(), 0)):
    if type(event).__name__ == "Snapshot":
        break
print(event.seconds)
"""
_SCIPY = """
import time, numpy
started = time.process_time()
from scipy.linalg import lapack
print(time.process_time() - started)
"""


def cells(folder: Path) -> list[Cell]:
    """Cells of starting and scanning: rows without size."""
    tiny = _files(folder / "tiny", _TINY)
    script = _STARTED.format(folder=str(tiny), out=str(folder), config=_config().to_json())
    result = [
        Cell("start", "process", 0, 1, partial(_child, script)),
        Cell("start", "scipy", 0, 1, partial(_child, _SCIPY)),
    ]
    for count in (100, 1000):
        result.append(Cell("scan", "files", 0, count, partial(_scanned, _files(folder / str(count), count))))
    return result


def _config() -> Config:
    return replace(default_config(_TINY, _CLASSES, [(32, 32)]), precision="fp32")


def balanced_books(folder: Path, table: CostTable) -> CostTable:
    """The table with "start process" less what else a run charges for until its first prediction.

    Measured was the whole of a tiny run until then: what no other entry accounts for is what starting costs.
    """
    rows = {row.key: row for row in table.rows}
    measured = rows["start", "process", 0]
    rows[measured.key] = replace(measured, per_item=_LITTLE)
    clock, tiny = CostClock(CostTable(tuple(rows.values()), table.points)), folder / "tiny"
    request = api.Request(tiny, Budget(60), folder / "simulated", tiny, _config(), clock, 0)
    told = next(event.seconds for event in api.run(request) if isinstance(event, Snapshot))
    rows[measured.key] = replace(measured, per_item=max(measured.per_item - told, measured.per_item / 10))
    return replace(table, rows=tuple(rows.values()))


def _child(script: str) -> float:
    """CPU seconds that a fresh interpreter says that it took."""
    environment = {**os.environ, **dict.fromkeys(NAMES, "1")}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    return float(done.stdout)


def _files(folder: Path, count: int) -> Path:
    """A data set of so many small pictures, two classes or ten."""
    source = folder.parent / "one.png"
    drawn((32, 32), 1).save(source)
    content = source.read_bytes()
    classes = min(_CLASSES, max(count // 3, 2))
    for place in range(count):
        inside = folder / f"class {place % classes}"
        inside.mkdir(parents=True, exist_ok=True)
        (inside / f"picture {place}.png").write_bytes(content)
    return folder


def _scanned(folder: Path) -> None:
    """The list, its order, its folds and its fingerprint, as a run makes them."""
    task = scan(folder)
    targets = np.asarray(task.train.targets, np.int32)
    balanced(targets, len(task.classes), 0)
    folds(targets, 5, name_groups(task.train.paths), 0)
    fingerprint(task.train, "graph")


def publishing(folder: Path) -> list[Cell]:
    """Cells of writing a model (n: bytes) and predictions (n: numbers)."""
    result = []
    folder.mkdir()
    start(folder / "curve.csv")
    for size in (1 << 17, 1 << 23):
        tensors = {"landmarks": np.ones(size // 2, np.float16)}
        result.append(Cell("publish", "model", 0, size, partial(_published, folder, tensors)))
    for rows, classes in ((32, 5), (400, 10), (400, 60)):
        posteriors = np.random.default_rng(0).dirichlet(np.ones(classes), rows).astype(np.float32)
        paths, names = [f"some/path {i}.jpg" for i in range(rows)], [f"class {i}" for i in range(classes)]
        run = partial(write_predictions, folder / "predictions.csv", paths, names, posteriors, "single")
        result.append(Cell("publish", "predictions", 0, rows * classes, run))
    return result


def _published(folder: Path, tensors: dict[str, np.ndarray]) -> None:
    publish(folder / "model", {"classes": ["a", "b"]}, tensors)
    append(folder / "curve.csv", CurveRow(1.0, 1.0, 0.5, "stage", 10))
