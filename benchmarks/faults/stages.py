"""Where in a run a kill hit, from what the run folder holds then."""

from __future__ import annotations

import json
from pathlib import Path

FINISHED = "9 after the last word"
"""The run was over."""


def published(run: Path) -> bool:
    """Whether a model was published in a run folder."""
    return (run / "model" / "model.json").exists()


def stage(run: Path, since: float) -> str:
    """What a process that began at `since` (seconds, as `time.time`) was doing when it was killed.

    The number in front orders them: start, looking for a first prediction, stages, writing the last files.
    """
    state, curve = run / "run.json", run / "curve.csv"
    if not state.exists() or state.stat().st_mtime < since:
        return "0 starting (imports, scan)"
    rows = curve.read_text().splitlines()[1:]
    if not rows:
        return "1 before the first prediction"
    if json.loads(state.read_text()).get("state") == "finished":
        return "3 after the stages (report)"
    return f"2 stage {rows[-1].split(',')[3]}"


def writing(run: Path, process: int) -> bool:
    """Whether there is a file that the process has begun and not yet renamed into its place."""
    return any(any(folder.glob(f".headstart-{process}-*")) for folder in (run, run / "model", run / "cache"))
