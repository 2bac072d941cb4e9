"""What a benchmark leaves: one row per run (Parquet or CSV), and means and ranks over them (Markdown and JSON)."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from headstart.errors import BadInput
from headstart.store.atomic import write_atomically

Format = Literal["parquet", "csv"]
MEASURES = ("alc60", "alc20", "final_score", "first_prediction_seconds", "peak_mb")
_MISSING = "parquet needs pyarrow: pip install 'headstart[bench]'"
_NORMAL = ("finished", "stopped")  # "stopped" is also what the end of the budget is called


@dataclass(frozen=True)
class Row:
    """One run. Values that a run does not have are None, which a run that could not be played has throughout.

    alc60, alc20: t0 in seconds, wall clock with start-up inside. peak_mb: of 2**20 bytes. late, refused: numbers of
    predictions. versions: JSON. budget: seconds. curve: JSON, [[seconds, score], ...]. state: "finished", "stopped",
    "crashed", ..., or "failed" for a run that could not be played. ended: the same in words.
    """

    task: str
    learner: str
    seed: int
    budget: float
    state: str
    ended: str
    alc60: float | None = None
    alc20: float | None = None
    first_prediction_seconds: float | None = None
    final_score: float | None = None
    peak_mb: float | None = None
    late: int | None = None
    refused: int | None = None
    clock: str = "wall"
    versions: str = "{}"
    curve: str = "[]"


@dataclass(frozen=True)
class Mean:
    """Over the seeds of one learner on one task. error: standard error of the mean; None with fewer than two."""

    mean: float
    error: float | None
    n: int

    def words(self, digits: int = 4) -> str:
        """As in a table."""
        return f"{self.mean:.{digits}f}" + ("" if self.error is None else f" ± {self.error:.{digits}f}")


def chosen(wanted: Format | None) -> tuple[Format, str | None]:
    """The format of the rows, and a sentence for the user where it is only the second best.

    wanted: None for Parquet where pyarrow is installed, else CSV. Raises BadInput for Parquet without pyarrow.
    """
    there = find_spec("pyarrow") is not None
    if wanted == "parquet" and not there:
        raise BadInput(f"--format {_MISSING}, or give --format csv.")
    if wanted is None and not there:
        return "csv", f"the runs are written as CSV, for {_MISSING}"
    return wanted or "parquet", None


def write_rows(folder: Path, rows: Sequence[Row], form: Format) -> Path:
    """Write `runs.parquet` or `runs.csv` in one step; a table of the other format, which is older, is removed."""
    path = folder / f"runs.{form}"
    write_atomically(path, _parquet(rows) if form == "parquet" else _csv(rows), durable=False)
    (folder / ("runs.csv" if form == "parquet" else "runs.parquet")).unlink(missing_ok=True)
    return path


def _csv(rows: Sequence[Row]) -> bytes:
    """None is an empty field."""
    text = io.StringIO()
    table = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(row) for row in rows)
    return text.getvalue().encode("utf-8", "replace")


def _parquet(rows: Sequence[Row]) -> bytes:
    arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    # Types are said, not guessed: a column in which every value is missing would get none.
    types = {"str": arrow.string(), "int": arrow.int64(), "float": arrow.float64()}
    schema = arrow.schema([(field.name, types[str(field.type).split(" ")[0]]) for field in fields(Row)])
    sink = io.BytesIO()
    parquet.write_table(arrow.Table.from_pylist([_plain(row) for row in rows], schema), sink)
    return sink.getvalue()


def _plain(row: Row) -> dict[str, Any]:
    """Without what is no UTF-8, such as the bytes of a strange file name."""
    content = asdict(row)
    return {k: v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for k, v in content.items()}


def mean(values: Sequence[float]) -> Mean | None:
    """Mean and standard error (n - 1 in the variance); None of nothing."""
    n = len(values)
    if not n:
        return None
    middle = math.fsum(values) / n
    if n < 2:
        return Mean(middle, None, n)
    return Mean(middle, math.sqrt(math.fsum((v - middle) ** 2 for v in values) / (n - 1) / n), n)


def ranks(values: Sequence[float | None]) -> list[float]:
    """Rank of each, 1 for the highest; ties share the mean of their ranks. None, no value, is below every value."""
    keys = [-math.inf if value is None else round(value, 12) for value in values]
    return [1 + sum(other > key for other in keys) + (keys.count(key) - 1) / 2 for key in keys]


def average_ranks(table: Sequence[Sequence[float | None]]) -> list[float]:
    """As the challenge ranks. table: one row per task with the mean ALC of each learner. Returns one per learner."""
    per_task = [ranks(row) for row in table]
    return [math.fsum(column) / len(column) for column in zip(*per_task, strict=True)]


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """What `table.json` holds: `tasks`, `learners`, `means` [task][learner][measure] = {mean, error, n} or None, and
    `average_rank` [measure][learner] for both ALC; tasks and learners in the order in which they come."""
    tasks, learners = _once(row.task for row in rows), _once(row.learner for row in rows)
    means = {
        task: {
            learner: {
                name: mean([v for r in rows if (r.task, r.learner) == (task, learner)
                            if (v := getattr(r, name)) is not None])
                for name in MEASURES
            } for learner in learners
        } for task in tasks
    }  # fmt: skip
    averages = {}
    for name in ("alc60", "alc20"):
        table = [[_value(means[task][learner][name]) for learner in learners] for task in tasks]
        averages[name] = dict(zip(learners, average_ranks(table), strict=True))
    plain = {
        task: {
            learner: {name: found and asdict(found) for name, found in measures.items()}
            for learner, measures in of_task.items()
        }
        for task, of_task in means.items()
    }
    return {
        "budget": rows[0].budget if rows else None,
        "clock": "wall",
        "runs": len(rows),
        "tasks": tasks,
        "learners": learners,
        "means": plain,
        "average_rank": averages,
        "unusual": [
            {
                "task": row.task,
                "learner": row.learner,
                "seed": row.seed,
                "state": row.state,
                "ended": row.ended + ("; no prediction counts" if _published_nothing(row) else ""),
            }
            for row in rows
            if unusual(row)
        ],
    }


def unusual(row: Row) -> bool:
    """Whether the run ended otherwise than by the learner's will or the end of the budget, or nothing counts."""
    exceeded = row.state == "stopped" and row.ended != "the budget was used up"
    return row.state not in _NORMAL or exceeded or _published_nothing(row)


def _published_nothing(row: Row) -> bool:
    return row.state != "failed" and row.first_prediction_seconds is None


def _once(names: Any) -> list[str]:
    return list(dict.fromkeys(names))


def _value(found: Mean | None) -> float | None:
    return None if found is None else found.mean


def markdown(content: Mapping[str, Any]) -> str:
    """`summary` as a page with one table per measure."""
    titles = (
        ("alc60", "ALC, t0 = 60 s (the challenge's program)", 4),
        ("alc20", "ALC, t0 = 20 s (the paper's text)", 4),
        ("final_score", "Final score, 2 AUC - 1", 4),
        ("first_prediction_seconds", "First prediction, seconds", 2),
        ("peak_mb", "Peak memory, MB", 0),
    )
    parts = [
        f"# Benchmark\n\n{content['runs']} runs, T = {content['budget']:g} s, wall clock with start-up inside. "
        "Mean ± standard error over seeds.\n"
    ]
    for name, title, digits in titles:
        parts.append(f"\n## {title}\n\n{_table(content, name, digits)}")
    if content["unusual"]:
        parts.append("\n## Runs to look at\n\n")
        parts += [
            f"- {_cell(one['task'])}, {_cell(one['learner'])}, seed {one['seed']}: {_cell(one['ended'])}\n"
            for one in content["unusual"]
        ]
    return "".join(parts)


def _table(content: Mapping[str, Any], name: str, digits: int) -> str:
    learners = content["learners"]
    lines = [["task", *map(_cell, learners)], ["---", *["---:"] * len(learners)]]
    for task in content["tasks"]:
        found = [content["means"][task][learner][name] for learner in learners]
        most = max((one["n"] for one in found if one), default=0)
        lines.append([_cell(task), *(_mean(one, most, digits) for one in found)])
    if name in content["average_rank"]:
        averages = content["average_rank"][name]
        lines.append(["**average rank**", *(f"**{averages[learner]:.2f}**" for learner in learners)])
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _mean(found: Mapping[str, Any] | None, most: int, digits: int) -> str:
    """With the number of runs where it is not that of the others."""
    if found is None:
        return "–"
    return Mean(**found).words(digits) + (f" (n = {found['n']})" if found["n"] < most else "")


def _cell(words: str) -> str:
    return "".join(c for c in words if c.isprintable()).replace("|", "\\|")


def write_summary(folder: Path, content: Mapping[str, Any]) -> str:
    """Write `table.json` and `table.md`; returns the latter."""
    page = markdown(content)
    write_atomically(folder / "table.json", (json.dumps(content, indent=1) + "\n").encode(), durable=False)
    write_atomically(folder / "table.md", page.encode("utf-8", "replace"), durable=False)
    return page
