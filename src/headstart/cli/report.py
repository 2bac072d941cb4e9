"""Write the report of a run folder: one self-contained HTML file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `report`."""
    parser.add_argument("run", help="run folder")


def run(options: argparse.Namespace) -> int:
    """Runs `report`; returns the exit code."""
    from headstart.report.page import write_report

    path = write_report(Path(options.run))
    print(json.dumps({"report": str(path)}) if options.json else path)
    return 0
