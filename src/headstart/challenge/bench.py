"""Every pair of task and learner, for every seed, through the referee and the judge; what is there is not run again.

OUT holds `runs/TASK-LEARNER-SEED/`, a folder of `headstart play` each, and what `bench_table` makes of them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headstart.challenge.bench_figure import Line, compared
from headstart.challenge.bench_table import Format, Row, summary, write_rows, write_summary
from headstart.challenge.judge import VERDICT, judge
from headstart.challenge.learners import Learner, learner
from headstart.challenge.limits import Limits
from headstart.challenge.record import PLAY, read_play
from headstart.challenge.referee import Play, play
from headstart.errors import BadInput, HeadstartError
from headstart.store.atomic import write_atomically
from headstart.store.lock import try_lock

RUNS, MARK = "runs", ".headstart-bench"
_NAMED = re.compile(r"([\w.-]+)=(.*)", re.DOTALL)


@dataclass(frozen=True)
class Bench:
    """What is to be compared. tasks: paths by name. learners: each with its own name. seeds: 0 to seeds - 1.
    budget: seconds. limits: made anew for every run, as the default is a share of what is free then. link: see
    `make_public`."""

    tasks: dict[str, str]
    learners: Sequence[Learner]
    seeds: int
    budget: float
    out: Path
    limits: Callable[[], Limits] = field(default=Limits)
    link: bool = False


@dataclass(frozen=True)
class Pair:
    """One run that is wanted. path: of the task. folder: of the run."""

    task: str
    path: str
    learner: Learner
    seed: int
    folder: Path


Say = Callable[[int, int, Pair, Row, bool], None]
"""Is told the number of the run, how many there are, the run, its row, and whether it was there already."""


def named_tasks(paths: Sequence[str]) -> dict[str, str]:
    """Whole paths of tasks by their names, the last part without `.data`. Raises BadInput: not there, named twice."""
    found: dict[str, str] = {}
    for path in map(os.path.abspath, paths):
        if not os.path.exists(path):
            raise BadInput(
                f"there is no task {path!r}: give a folder with train/ and test/, or an AutoDL folder."
            )
        name = _plain(os.path.basename(path).removesuffix(".data"))
        if name in found:
            raise BadInput(f"{found[name]!r} and {path!r} are both called {name!r}: rename one of them.")
        found[name] = path
    return found


def named_learners(words: Sequence[str], python: str | None = None) -> list[Learner]:
    """Learners of a benchmark. words: as for `learner`, with `NAME=` before it where another name is wanted; several
    in one are separated by commas, and `\\,` is a comma within. python: the interpreter of submissions. Built-in
    learners run in this one. Raises BadInput: not there, named twice."""
    found: dict[str, Learner] = {}
    parts = [part.replace("\\,", ",").strip() for text in words for part in re.split(r"(?<!\\),", text)]
    for part in filter(None, parts):
        named = _NAMED.fullmatch(part)
        text = named[2] if named else part
        one = learner(text, python if text.startswith("submission:") else None)
        name = named[1] if named else one.name
        if name in found:
            raise BadInput(f"two learners are called {name!r}: give one another name, such as other={part}.")
        found[name] = Learner(name, one.command)
    if not found:
        raise BadInput("--learners names no learner.")
    return list(found.values())


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)[:80].lstrip(".") or "task"


def pairs(wanted: Bench) -> list[Pair]:
    """All runs in their order: a whole round of the first seed first, so that an early table compares like with like.
    Raises BadInput where two would share a folder."""
    found: dict[str, Pair] = {}
    for seed in range(wanted.seeds):
        for task, path in wanted.tasks.items():
            for one in wanted.learners:
                name = f"{task}-{_plain(one.name)}-{seed}"
                if name in found:
                    raise BadInput(
                        f"two runs would be kept in {name!r}: give a learner another name with NAME=."
                    )
                found[name] = Pair(task, path, one, seed, wanted.out / RUNS / name)
    return list(found.values())


def bench(wanted: Bench, form: Format, say: Say = lambda *_: None) -> tuple[list[Row], str]:
    """Run what is not there yet; returns the rows and the page of tables, which are also written, as far as it came.

    A run that fails has a row that says so; the next call tries it again. Raises BadInput for an `out` that holds
    something else, is used by another process, or holds runs of other tasks, commands or budgets under these names.
    """
    wanted_pairs = pairs(wanted)
    with _held(wanted.out):
        for pair in wanted_pairs:
            _check(pair, wanted.budget)
        rows: list[Row] = []
        try:
            for number, pair in enumerate(wanted_pairs, 1):
                there = (pair.folder / VERDICT).is_file()
                rows.append(_row(pair, wanted))
                say(number, len(wanted_pairs), pair, rows[-1], there)
        finally:  # also after Ctrl-C
            page = _write(wanted.out, rows, form) if rows else ""
    return rows, page


@contextmanager
def _held(out: Path) -> Iterator[None]:
    """The folder of a benchmark, new or known as one by its mark, for this process alone."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        mark = out / MARK
        if not mark.exists() and any(out.iterdir()):
            raise BadInput(
                f"{os.fspath(out)!r} holds something else: give --out a new folder for the benchmark."
            )
        (out / RUNS).mkdir(exist_ok=True)
        file = open(mark, "ab")  # noqa: SIM115
    except OSError as error:
        raise BadInput(f"{os.fspath(out)!r} cannot be used ({error.strerror or error}).") from None
    with file:
        if not try_lock(file):
            raise BadInput(
                f"another benchmark runs in {os.fspath(out)!r}: wait for it, or give another --out."
            )
        yield


def _check(pair: Pair, budget: float) -> None:
    """A run that is there must be the one that is wanted."""
    if not (pair.folder / VERDICT).is_file():
        return
    played = read_play(pair.folder)
    command, own = played.get("command") or [], list(pair.learner.command)
    task = played.get("task")
    if played.get("budget") != budget:
        other = f"a budget of {played.get('budget')} s"
    elif not isinstance(task, dict) or task.get("path") != pair.path:
        other = "another task"
    elif command[1 : len(own)] != own[1:]:  # the interpreter may have moved
        other = "another command"
    else:
        return
    raise BadInput(
        f"{os.fspath(pair.folder)!r} was played with {other}: give another --out, or remove that folder."
    )


def _row(pair: Pair, wanted: Bench) -> Row:
    """From the run that is there, or from a new one."""
    try:
        if not (pair.folder / VERDICT).is_file():
            if not _is_over(pair.folder):
                _play(pair, wanted)
            judge(pair.folder)
        return _read(pair, wanted.budget)
    except Exception as error:  # a failing pair must not stop the others
        words = str(error) if isinstance(error, HeadstartError) else f"{type(error).__name__}: {error}"
        return Row(pair.task, pair.learner.name, pair.seed, wanted.budget, "failed", words)


def _is_over(folder: Path) -> bool:
    """Whether the run was played to its end, and only the verdict is missing."""
    try:
        return read_play(folder).get("state") in ("finished", "stopped", "crashed")
    except BadInput:
        return False


def _play(pair: Pair, wanted: Bench) -> None:
    if pair.folder.exists():  # of a referee that was killed
        shutil.rmtree(pair.folder)
    limits = wanted.limits()
    play(
        Play(
            pair.path,
            pair.learner,
            wanted.budget,
            pair.folder,
            pair.seed,
            limits=limits,
            link=wanted.link,
            closed=(wanted.out / RUNS,),  # the answers of other runs on the same task lie there
        )
    )


def _read(pair: Pair, budget: float) -> Row:
    played = read_play(pair.folder)
    verdict = _document(pair.folder / VERDICT)
    try:
        return Row(
            pair.task, pair.learner.name, pair.seed, budget, str(verdict["state"]), str(verdict["ended"]),
            alc60=float(verdict["alc"]["60"]),
            alc20=float(verdict["alc"]["20"]),
            first_prediction_seconds=verdict["first_prediction_seconds"],
            final_score=float(verdict["final_score"]),
            peak_mb=round(int(played.get("peak_memory_bytes") or 0) / 2**20, 1),
            late=int(verdict["late"]),
            refused=len(verdict["refused"]),
            clock=str(verdict["clock"]),
            versions=json.dumps(played.get("versions", {})),
            curve=json.dumps(verdict["curve"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        raise _damaged(pair.folder / VERDICT) from None


def _document(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict):
        raise _damaged(path)
    return content


def _damaged(path: Path) -> BadInput:
    return BadInput(f"{path} is damaged: remove it, and the run is judged again.")


def _write(out: Path, rows: Sequence[Row], form: Format) -> str:
    """Tables and figures; returns the page of tables."""
    write_rows(out, rows, form)
    content = summary(rows) | {"machine": _machine(out, rows)}
    page = write_summary(out, content)
    for task in content["tasks"]:
        lines = [_line(row) for row in rows if row.task == task and row.seed == 0]
        drawing = compared(lines, rows[0].budget, 60.0, f"{task}, T = {rows[0].budget:g} s, seed 0")
        write_atomically(out / f"{task}.svg", drawing.encode("utf-8", "replace"), durable=False)
    return page


def _line(row: Row) -> Line:
    curve = json.loads(row.curve)
    return Line(row.learner, [t for t, _ in curve], [score for _, score in curve], row.alc60)


def _machine(out: Path, rows: Sequence[Row]) -> list[Any]:
    """The machines on which the runs were played, each once."""
    found: list[Any] = []
    for row in rows:
        path = out / RUNS / f"{row.task}-{_plain(row.learner)}-{row.seed}"
        if (path / PLAY).is_file() and row.state != "failed":
            machine = read_play(path).get("machine")
            if machine not in found:
                found.append(machine)
    return found
