"""The datasets of the paper's Table 1: list them, show one, or make one ready to learn from."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `datasets`."""
    what = parser.add_subparsers(dest="what", metavar="list|show|prepare", required=True)
    listing = what.add_parser("list", help="all rows of the table")
    show = what.add_parser("show", help="one row, with what is wrong in it")
    make = what.add_parser("prepare", help="write one as a folder, or in the AutoDL form")
    for sub in (listing, show, make):
        # The default must not undo `--json` before the word.
        sub.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object on stdout"
        )
    for sub in (show, make):
        sub.add_argument("name", help="as `list` shows it; case and blanks do not matter")
    make.add_argument("folder", help="where NAME (or NAME.data) is written")
    make.add_argument(
        "--as", dest="form", choices=("folder", "autodl"), default="folder", help="form to write"
    )
    make.add_argument(
        "--from",
        dest="downloaded",
        metavar="FOLDER",
        help="where it was downloaded (default: TensorFlow Datasets)",
    )
    make.add_argument("--data-dir", metavar="FOLDER", help="where TensorFlow Datasets keeps its data")
    make.add_argument("--seed", type=int, default=0, help="of a test split where there is none (default: 0)")


def run(options: argparse.Namespace) -> int:
    """Runs `datasets`; returns the exit code."""
    return {"list": _list, "show": _show, "prepare": _prepare}[options.what](options)


def _list(options: argparse.Namespace) -> int:
    from headstart.data.catalogue import table

    rows = table()
    if options.json:
        print(json.dumps({"datasets": [asdict(row) | {"key": row.key} for row in rows]}))
        return 0
    print(f"{'name':<26}{'kind':<7}{'train':>9}{'test':>8}{'classes':>9}  {'labels':<8}source")
    for row in rows:
        mark = " *" if row.slips else ""
        print(
            f"{row.key:<26}{row.kind:<7}{row.train:>9}{row.test:>8}{row.classes:>9}  {row.labels:<8}"
            f"{row.source}{mark}"
        )
    print("* `headstart datasets show NAME` says what to know about the row")
    return 0


def _show(options: argparse.Namespace) -> int:
    from headstart.data.catalogue import find

    row = find(options.name)
    if options.json:
        print(json.dumps(asdict(row) | {"key": row.key}))
        return 0
    labels = "several labels" if row.labels == "multi" else "one label"
    print(f"{row.name} ({row.key}): {row.kind}s, {row.classes} classes, {labels} each")
    print(f"{row.train} training and {row.test} test samples in the paper; source: {row.source}")
    if row.origin != row.name:
        print(f"made from {row.origin}")
    if row.tfds is not None:
        print(f"TensorFlow Datasets: {row.tfds.name} ({row.tfds.train}, {row.tfds.test or 'no test split'})")
    for slip in row.slips:
        print(f"note: {slip}")
    return 0


def _prepare(options: argparse.Namespace) -> int:
    from headstart.challenge.prepare import prepare
    from headstart.cli.convert import show
    from headstart.data.catalogue import find
    from headstart.errors import BadInput

    if options.seed < 0:
        raise BadInput("--seed is a number from 0 on.")
    done = prepare(
        find(options.name),
        Path(options.folder),
        options.form,
        downloaded=options.downloaded,
        data_dir=options.data_dir,
        seed=options.seed,
    )
    show(done, options.json)
    return 0
