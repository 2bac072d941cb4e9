"""From the files of single runs to one table, as JSON and as Markdown."""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.pages import markdown
from benchmarks.roster import LEARNERS

MEASURES = (
    "first_seconds",
    "first_score",
    "final",
    "right",
    "last_seconds",
    "alc60",
    "alc20",
    "cpu_seconds",
    "wall_seconds",
    "peak_mb",
)
_PACKAGES = ("headstart", "numpy", "onnxruntime", "pillow", "scipy", "scikit-learn", "torch", "av")
_POINTS = 40  # of a curve that is kept
_MOST = 200_000  # bytes of each file


@dataclass(frozen=True)
class Row:
    """One learner on one data set: mean and standard deviation over n seeds of every measure."""

    values: Mapping[str, tuple[float, float]]
    n: int
    curve: list[tuple[float, float]]

    def __getitem__(self, measure: str) -> float:
        return self.values[measure][0]


Table = dict[str, dict[str, Row]]


def summarise(runs: Path, results: Path, left_out: Mapping[str, str]) -> None:
    """Write table.json and table.md to `results` from all files in `runs`. Raises ValueError when there are none."""
    found = [json.loads(file.read_text()) for file in sorted(runs.glob("*.json"))]
    good = [run for run in found if "error" not in run]
    if not good:
        raise ValueError(f"{runs} holds no finished run")
    table = tabulated(good)
    about = facts(good, found, left_out)
    results.mkdir(parents=True, exist_ok=True)
    _write(
        results / "table.json", json.dumps(document(table, about), indent=None, separators=(",", ":")) + "\n"
    )
    _write(results / "table.md", markdown(table, about))


def _write(path: Path, text: str) -> None:
    if len(text.encode()) > _MOST:
        raise ValueError(f"{path.name} would have {len(text.encode())} bytes, more than {_MOST}")
    path.write_text(text)


def tabulated(runs: list[dict[str, Any]]) -> Table:
    """Rows by data set and learner, learners in the order of the roster."""
    table: Table = {}
    for dataset in sorted({run["dataset"] for run in runs}):
        table[dataset] = {}
        for learner in LEARNERS:
            own = [run for run in runs if run["dataset"] == dataset and run["learner"] == learner]
            if own:
                table[dataset][learner] = row(sorted(own, key=lambda run: int(run["seed"])))
    return table


def row(runs: list[dict[str, Any]]) -> Row:
    """All seeds together; the curve is the first seed's."""
    values = {}
    for measure in MEASURES:
        given = [float(run[measure]) for run in runs if measure in run] or [float("nan")]
        values[measure] = statistics.fmean(given), statistics.stdev(given) if len(given) > 1 else 0.0
    curve = list(zip(runs[0]["seconds"], runs[0]["scores"], strict=True))
    step = max(1, -(-len(curve) // _POINTS))
    return Row(values, len(runs), curve[::-step][::-1])


def facts(
    good: list[dict[str, Any]], found: list[dict[str, Any]], left_out: Mapping[str, str]
) -> dict[str, Any]:
    """What a reader must know to judge the numbers."""
    learners = [name for name in LEARNERS if any(run["learner"] == name for run in good)]
    codes = {name: sorted({run["code"] for run in good if run["learner"] == name}) for name in learners}
    return {
        "date": datetime.date.today().isoformat(),
        "measured": [min(run["date"] for run in good), max(run["date"] for run in good)],
        "machine": machine(),
        "versions": {"python": platform.python_version()} | {p: v for p in _PACKAGES if (v := version(p))},
        "command": command(good),
        "seeds": len({run["seed"] for run in good}),
        "load": round(statistics.median(run["load_before"] for run in good), 2),
        "code": codes,
        "left_out": {name: why for name, why in left_out.items() if name not in learners},
        "failed": [[run["learner"], run["dataset"], run["seed"]] for run in found if "error" in run],
    }


def command(good: list[dict[str, Any]]) -> str:
    """What makes the table again."""
    sets = " ".join(sorted({run["dataset"] for run in good}))
    seeds = len({run["seed"] for run in good})
    torch = (
        " --weights CHECKPOINT.pth --package WHEEL"
        if any("torch" in LEARNERS[r["learner"]].needs for r in good)
        else ""
    )
    return f"python -m benchmarks.table --data DIR --sets {sets} --seeds {seeds}{torch} --summarise"


def machine() -> str:
    """The processor, how many cores, and the system."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            name = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), name)
    except OSError:
        pass  # not Linux: the name of the architecture has to do
    return f"{name}, {os.cpu_count()} cores, {platform.system()}"


def version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def document(table: Table, about: dict[str, Any]) -> dict[str, Any]:
    """The same as the Markdown, for programs: every measure as [mean, standard deviation]."""
    sets = {
        dataset: {
            learner: {m: [round(v, 5) for v in pair if v == v] for m, pair in line.values.items()}
            | {"n": line.n, "curve": [[round(t, 2), round(s, 4)] for t, s in line.curve]}
            for learner, line in rows.items()
        }
        for dataset, rows in table.items()
    }
    return {"format": 1} | about | {"sets": sets}
