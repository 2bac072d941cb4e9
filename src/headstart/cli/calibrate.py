"""Measure this machine, and keep what it costs to decode, to pass networks and to solve as a cost table.

A run that is timed by such a table (`headstart fit --clock table:NAME`) takes the same decisions at the same
simulated seconds every time, however busy the machine is. Measure when the machine does little else.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.errors import BadInput, printable

if TYPE_CHECKING:
    from headstart.words.costs import CostTable


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `calibrate`."""
    parser.add_argument(
        "--out", metavar="FILE", help="the table's file (default: NAME in the folder of tables)"
    )
    parser.add_argument("--name", help="what the table is called (default: the name of this machine)")
    parser.add_argument("--budget", default="95s", help="time for it all, 20s or more (default 95s)")
    parser.add_argument(
        "--backbone",
        action="append",
        metavar="timm:NAME",
        help="a prepared network to measure beside the bundled ones; may be given again",
    )
    parser.add_argument(
        "--train",
        action="append",
        metavar="NETWORK",
        help="a network whose training is measured, too: lite0, small (needs the torch extra); may be given again",
    )
    parser.add_argument(
        "--list", action="store_true", help="show the tables that there are, and measure nothing"
    )


def run(options: argparse.Namespace) -> int:
    """Runs `calibrate`; returns the exit code."""
    if options.list:
        return _list(options)
    from headstart.challenge import calibrate_tables as tables
    from headstart.challenge.calibrate import calibrate
    from headstart.challenge.calibrate_forward import BUNDLED
    from headstart.words.clock import Budget

    seconds = Budget.parse(options.budget).seconds
    if seconds < 20:
        raise BadInput(f"a calibration in {options.budget} measures next to nothing: give 20s or more")
    name = options.name or tables.own_name()
    path = Path(options.out) if options.out else tables.path_of(name)
    table = calibrate(name, (*BUNDLED, *(options.backbone or ())), seconds, _told, options.train or ())
    tables.save(table, path)
    about = {"table": name, "file": str(path), "entries": len(table.rows) + len(table.points), **table.about}
    if options.json:
        print(json.dumps(about))
    else:
        print(f"table: {printable(name)}, {about['entries']} entries in {about['seconds']:.0f} s: {path}")
        print(f"use:   headstart fit DATA --clock table:{printable(_use(options, name))}")
    return 0


def _use(options: argparse.Namespace, name: str) -> str:
    return str(options.out) if options.out else name


def _told(what: str) -> None:
    print(what, file=sys.stderr)


def _list(options: argparse.Namespace) -> int:
    from headstart.challenge import calibrate_tables as tables

    rows = []
    for name, path in tables.tables():
        try:
            rows.append(_row(name, path, tables.load(str(path))))
        except BadInput as error:
            rows.append({"table": name, "file": str(path), "error": str(error)})
    if options.json:
        print(json.dumps({"folder": str(tables.folder()), "tables": rows}))
    elif not rows:
        print(f"no cost tables in {tables.folder()}: `headstart calibrate` measures this machine")
    else:
        for row in rows:
            said = row.get("error") or f"{row['date']}  {row['machine']}  {row['entries']} entries"
            print(f"{row['table']:<20} {printable(str(said))}")
    return 0


def _row(name: str, path: Path, table: CostTable) -> dict[str, Any]:
    machine = table.about.get("machine")
    cpu = machine.get("cpu") if isinstance(machine, dict) else None
    return {
        "table": name,
        "file": str(path),
        "date": str(table.about.get("date", "no date")),
        "machine": str(cpu or "unknown machine"),
        "entries": len(table.rows) + len(table.points),
    }
