"""Write a folder of samples as an AutoDL dataset (TARGET ends in `.data`), or such a dataset as a folder of files."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headstart.challenge.convert import Conversion

_LISTED = 8  # skipped files that are printed


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `convert`."""
    parser.add_argument("source", help="folder or list, as for `fit`; the donors' form; or NAME.data")
    parser.add_argument("target", help="what to write: NAME.data, or a folder; it must not exist")
    parser.add_argument(
        "--as",
        dest="form",
        choices=("autodl", "folder", "donors"),
        help="form to write (default: autodl from a folder, a folder from NAME.data)",
    )
    parser.add_argument("--kind", choices=("image", "video"), help="what the samples are (default: as found)")
    parser.add_argument("--labels", choices=("single", "multi"), help="labels per sample (default: as found)")
    parser.add_argument(
        "--skip-corrupt", action="store_true", help="leave out and list what is damaged, rather than stop"
    )
    parser.add_argument(
        "--test-share",
        type=float,
        default=0.2,
        metavar="SHARE",
        help="share of each class that becomes the test split where there is none (default: 0.2)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the order and of the test split (default: 0)")
    parser.add_argument("--dense", action="store_true", help="write numbers in place of image files")
    parser.add_argument("--pixels", type=int, help="squeeze every picture to a square of this side")
    parser.add_argument(
        "--frames", type=int, default=16, help="frames kept of a video file or an animation (default: 16)"
    )


def run(options: argparse.Namespace) -> int:
    """Runs `convert`; returns the exit code."""
    from headstart.challenge.contents import Form
    from headstart.challenge.convert import convert
    from headstart.errors import BadInput

    if (options.pixels is not None and not 1 <= options.pixels <= 4096) or options.frames < 1:
        raise BadInput("--pixels is a side of 1 to 4096, --frames a number from 1 on.")
    if options.seed < 0:
        raise BadInput("--seed is a number from 0 on.")
    done = convert(
        options.source,
        options.target,
        options.form,
        corrupt="skip" if options.skip_corrupt else "raise",
        kind=options.kind,
        label_kind=options.labels,
        test_share=options.test_share,
        seed=options.seed,
        form=Form(options.dense, options.pixels, options.frames),
    )
    show(done, options.json)
    return 0


def show(done: Conversion, as_json: bool) -> None:
    """Print what was written; what was left out goes to standard error."""
    from headstart.errors import printable

    if as_json:
        about = {key: value for key, value in vars(done).items() if key not in ("skipped", "notes")}
        skipped = [{"path": one.path, "reason": one.reason} for one in done.skipped]
        print(json.dumps(about | {"skipped": skipped, "notes": list(done.notes)}))
        return
    labels = "one label" if done.labels == "single" else "several labels"
    print(f"{printable(done.target)}: {done.train} training and {done.test} test {done.kind}s")
    print(f"{done.classes} classes, {labels} each; test labels {'written' if done.solved else 'not known'}")
    for note in done.notes:
        print(printable(note))
    for one in done.skipped[:_LISTED]:
        print(f"left out: {printable(one.path)}: {printable(one.reason)}", file=sys.stderr)
    if len(done.skipped) > _LISTED:
        print(f"and {len(done.skipped) - _LISTED} more; --json lists all", file=sys.stderr)
