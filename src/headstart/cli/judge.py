"""Score a run of `headstart play` as the AutoDL challenge does: the curve of 2*AUC - 1, and the area under it (ALC)."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.errors import printable

if TYPE_CHECKING:
    from headstart.challenge.judge import Reading, Verdict


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `judge`."""
    parser.add_argument("run", metavar="DIR", help="folder that `headstart play` has written")


def run(options: argparse.Namespace) -> int:
    """Runs `judge`; returns the exit code."""
    from headstart.challenge.judge import FIGURE, judge

    verdict = judge(options.run)
    for warning in verdict.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for refused in verdict.refused:
        print(f"refused: {printable(refused.file)}: {printable(refused.reason)}", file=sys.stderr)
    if options.json:
        print(json.dumps(verdict.document()))
    else:
        _show(verdict)
        print(f"curve: {Path(options.run) / FIGURE}")
    return 0


def _show(verdict: Verdict) -> None:
    print(f"{printable(verdict.learner)} on {printable(verdict.task)}, T = {verdict.budget:g} s")
    print(f"  ALC                {_areas(verdict.alc)}   wall clock, start-up inside")
    for reading, words in (
        (verdict.without_start_up, "start-up outside"),
        (verdict.on_cpu, "CPU seconds"),
    ):
        if reading is not None:
            print(f"                     {_areas(reading.alc)}   {words}{_late(reading)}")
    first = verdict.first_prediction_seconds
    print(f"  first prediction   {'none' if first is None else f'{first:.3f} s'}")
    dropped = verdict.classes - verdict.classes_scored
    more = f" ({dropped} of {verdict.classes} classes cannot be scored)" if dropped else ""
    print(f"  final score        {verdict.final_score:.4f}{more}")
    print(
        f"  predictions        {len(verdict.curve)} count, {verdict.late} late, {len(verdict.refused)} refused"
    )


def _areas(alc: dict[str, float]) -> str:
    return "   ".join(f"{value:7.4f} (t0 = {t0} s)" for t0, value in alc.items())


def _late(reading: Reading) -> str:
    return f", {reading.late} late" if reading.late else ""
