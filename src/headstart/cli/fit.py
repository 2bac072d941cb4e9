"""Learn from labelled images or videos, and leave the best model in the run folder.

What is given is a folder with one sub-folder per class, or a list (labels.csv) of files and their labels.

From the first second on there is a model in RUN/model; it is replaced only by one that the evidence says is
at least as good. The same command on the same run folder goes on where a killed one stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shlex
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.cli.progress import Progress, ProgressEvent, is_live
from headstart.errors import BadBudget, BadConfig, BadInput, printable
from headstart.words.clock import Budget, Clock, CpuClock, WallClock

if TYPE_CHECKING:
    from headstart.learn.snapshot import Noted, Progressed, Snapshot
    from headstart.words.task import Task

_TABLE = "table:"
_GRACE = 0.6  # seconds after T in which the run ends by itself; then it is ended
_PAGE = 0.25  # so long after T the report is still begun; later `headstart report` makes it


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fit`."""
    parser.add_argument("path", help="folder with one sub-folder per class, or a list: labels.csv")
    parser.add_argument("--budget", default="20m", help="time: 90s, 20m, 1h (default 20m)")
    parser.add_argument("--out", default="run", help="run folder (default run/)")
    parser.add_argument("--test", help="folder of unlabelled files to predict along the way")
    parser.add_argument("--kind", choices=("image", "video"), help="what the files are (default: as found)")
    parser.add_argument(
        "--labels", choices=("single", "multi"), help="labels per file in a list (default: as found)"
    )
    parser.add_argument("--config", help="a configuration as JSON, in place of the automatic one")
    parser.add_argument(
        "--backbone",
        metavar="timm:NAME[@PIXELS]",
        help="another network beside the small one (needs the torch extra)",
    )
    parser.add_argument("--weights", metavar="FILE", help="its weights, where not from the hub")
    parser.add_argument(
        "--method",
        default="anytime",
        choices=("anytime", "frozen", "transfer"),
        help="anytime: frozen features, and a network trained beside them where torch is installed (default); frozen: "
        "the former alone; transfer: one network trained by a recipe, the paper's method 1",
    )
    parser.add_argument(
        "--library",
        metavar="DIR",
        help="choose stages by the priors in this folder (default: those of the package and your own)",
    )
    parser.add_argument(
        "--no-library", action="store_true", help="the automatic plan, whatever worked elsewhere"
    )
    parser.add_argument("--remember", action="store_true", help="make this run a prior of your library")
    parser.add_argument("--seed", type=int, help="of all that is drawn at random (default 0)")
    parser.add_argument("--workers", type=int, help="worker threads (default: one per core)")
    parser.add_argument(
        "--clock",
        default="wall",
        metavar="{wall,cpu,table:NAME|FILE}",
        help="what the budget counts (default wall); a cost table (see calibrate) simulates the time",
    )
    parser.add_argument("--no-report", action="store_true", help="do not write report.html at the end")


def run(options: argparse.Namespace) -> int:
    """Runs `fit`; returns the exit code."""
    wall = WallClock(already=_since_start())
    clock = _clock(options.clock, wall)
    budget = Budget.parse(options.budget)
    if options.workers is not None and options.workers < 1:
        raise BadInput(f"--workers is {options.workers}, but at least one worker is needed")
    simulated = options.clock.startswith(_TABLE)
    if simulated and options.workers is not None:
        raise BadInput(
            "a run on a cost table has no worker threads, so that it is the same each time: no --workers"
        )
    config_text = _read(options.config) if options.config else None
    from headstart import api
    from headstart.words.config import Config

    config = Config.from_json(config_text) if config_text else None
    out = Path(options.out)
    request = api.Request(
        options.path,
        budget,
        out,
        options.test,
        config,
        clock,
        0 if simulated else options.workers,
        kind=options.kind,
        label_kind=options.labels,
        seed=options.seed,
        backbone=options.backbone,
        weights=Path(options.weights) if options.weights else None,
        method=options.method,
        library=False if options.no_library else (Path(options.library),) if options.library else True,
        remember=options.remember,
    )
    watchdog = _Watchdog(wall if options.clock == "wall" else None, budget, options)
    view = _View(budget)
    try:
        for event in api.run(request):
            view.show(event)
            if view.published:
                watchdog.armed = True
    finally:
        view.close()
    if not view.published:
        raise BadBudget(api.TOO_SHORT.format(budget))
    late = options.clock == "wall" and wall.now() > budget.seconds + _PAGE
    if not options.no_report and not late:
        from headstart.report.page import write_report

        write_report(out)
    watchdog.done = True
    return _say(options, out)


def _clock(which: str, wall: WallClock) -> Clock:
    if which.startswith(_TABLE):
        from headstart.challenge.calibrate_tables import load
        from headstart.words.clock import CostClock

        return CostClock(load(which.removeprefix(_TABLE)), workers=1)
    if which not in ("wall", "cpu"):
        raise BadInput(f"--clock is {which!r:.80}, but must be wall, cpu, table:NAME or table:FILE.json")
    return CpuClock() if which == "cpu" else wall


def _since_start() -> float:
    """Wall seconds since this process was started, imports included."""
    try:
        with open("/proc/self/stat") as file:
            ticks = float(file.read().rsplit(")", 1)[1].split()[19])
        with open("/proc/uptime") as file:
            uptime = float(file.read().split()[0])
        return max(uptime - ticks / os.sysconf("SC_CLK_TCK"), 0.0)
    except (OSError, ValueError, IndexError, AttributeError):
        return time.process_time()  # not Linux: imports are mostly processor time


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"the configuration {path!r} cannot be read: {error}") from error


class _View:
    """Shows events on stderr."""

    def __init__(self, budget: Budget) -> None:
        self._progress = Progress(sys.stderr, budget.seconds, is_live(sys.stderr))
        self._budget = budget.seconds
        self._points: list[tuple[float, float]] = []
        self._samples = 0
        self._latest: Progressed | None = None
        self.published = False

    def show(self, event: Task | Progressed | Snapshot | Noted) -> None:
        """Draw what happened."""
        kind = type(event).__name__
        if kind == "Task":
            print(_found(event), file=sys.stderr)  # type: ignore[arg-type]
        elif kind == "Snapshot":
            self._points.append((event.seconds, event.evidence))  # type: ignore[union-attr]
            self._samples, self.published = event.samples_seen, True  # type: ignore[union-attr]
            if self._latest is not None:
                self._draw(dataclasses.replace(self._latest, seconds=event.seconds))  # type: ignore[union-attr]
        elif kind == "Noted":
            if self._latest is not None:
                self._draw(self._latest, event.text)  # type: ignore[union-attr]
            else:
                print(printable(event.text), file=sys.stderr)  # type: ignore[union-attr]
        else:
            self._latest = event  # type: ignore[assignment]
            self._draw(event)  # type: ignore[arg-type]

    def _draw(self, event: Progressed, message: str | None = None) -> None:
        self._progress.update(
            ProgressEvent(
                event.seconds,
                self._budget,
                event.stage,
                event.stage_done,
                event.stage_total,
                self._samples,
                self._points[-1][1] if self._points else None,
                self._points,
                event.next,
                message,
            )
        )

    def close(self) -> None:
        """Leave the terminal clean."""
        self._progress.close()


def _found(task: Task) -> str:
    test = f", {len(task.test)} to predict" if task.test else ""
    skipped = f", {len(task.skipped)} files left out" if task.skipped else ""
    notes = "".join(f"\n  {printable(note)}" for note in task.notes)
    count = f"{len(task.train)} {task.kind}s of {len(task.classes)} classes"
    return f"{printable(task.name)}: {count}{test}{skipped}{notes}"


class _Watchdog:
    """Ends the process should something still compute after T: what was published stands on disk."""

    def __init__(self, clock: WallClock | None, budget: Budget, options: argparse.Namespace) -> None:
        self.armed = self.done = False
        if clock is not None:
            threading.Thread(target=self._watch, args=(clock, budget, options), daemon=True).start()

    def _watch(self, clock: WallClock, budget: Budget, options: argparse.Namespace) -> None:
        while (left := budget.seconds + _GRACE - clock.now()) > 0:
            time.sleep(min(left, 1.0))
            if self.done:
                return
        if self.done:
            return
        if self.armed:
            _say(options, Path(options.out))
        else:
            print(f"headstart: the budget of {budget} ended before a first prediction", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0 if self.armed else 2)


def _say(options: argparse.Namespace, out: Path) -> int:
    """The last words: where the model is and how to use it; or the same as JSON."""
    model = out / "model"
    if options.json:
        from headstart.store.run import RunFolder

        run = RunFolder.open(out, exclusive=False)
        document: dict[str, Any] = run.read_run()
        curve = [[row.seconds, row.score] for row in run.read_curve()]
        keys = (
            "state",
            "ended",
            "evidence",
            "seconds",
            "cpu_seconds",
            "samples_seen",
            "skipped",
            "precision",
        )
        summary = {key: document.get(key) for key in keys}
        summary |= {"run": str(out), "model": str(model), "curve": curve}
        print(json.dumps(summary))
    else:
        print(f"model: {model}")
        print(f"use:   headstart predict {shlex.quote(str(out))} NEW_FILES/ --csv out.csv")
    sys.stdout.flush()
    return 0
