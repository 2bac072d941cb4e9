"""Play a learner on a task under the rules of the AutoDL challenge: the referee starts it, stamps its predictions as
they arrive, ends it when the time is up, and keeps the record for `headstart judge`.

TASK is a folder with train/ and a labelled test/, or an AutoDL folder (NAME.data and NAME.solution). The learner
sees the test files without labels, in random order.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.errors import BadInput, printable
from headstart.words.clock import Budget

if TYPE_CHECKING:
    from headstart.challenge.record import Event


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `play`."""
    parser.add_argument(
        "task", metavar="TASK", help="folder with train/ and a labelled test/, or an AutoDL folder"
    )
    parser.add_argument(
        "--learner",
        default="headstart",
        metavar="L",
        help="headstart, constant, random, command:'WORDS...' or submission:DIR (default headstart)",
    )
    parser.add_argument("--budget", default="20m", help="time: 90s, 20m, 1h (default 20m)")
    parser.add_argument("--out", required=True, metavar="DIR", help="new folder for the record of the run")
    parser.add_argument("--seed", type=int, help="handed to the learner")
    parser.add_argument(
        "--python", metavar="PATH", help="the interpreter that runs the learner (default: this one)"
    )
    parser.add_argument(
        "--memory", metavar="SIZE", help="8G: end a learner that takes more (default: 90%% of the free)"
    )
    parser.add_argument("--disk", metavar="SIZE", help="16G: end a learner that writes more (default 16G)")
    parser.add_argument("--link", action="store_true", help="link training files instead of copying them")
    parser.add_argument(
        "--open", action="store_true", help="do not close the answers off by the kernel (Landlock)"
    )


def run(options: argparse.Namespace) -> int:
    """Runs `play`; returns the exit code: 0 once the run took place, however the learner ended."""
    from headstart.challenge.learners import learner
    from headstart.challenge.limits import Limits, bytes_of
    from headstart.challenge.referee import Play, play

    sizes = {name: bytes_of(text) for name in ("memory", "disk") if (text := getattr(options, name))}
    if options.seed is not None and options.seed < 0:
        raise BadInput(f"--seed is {options.seed}, but must be 0 or more")
    wanted = Play(
        options.task,
        learner(options.learner, options.python),
        Budget.parse(options.budget).seconds,
        Path(options.out),
        options.seed,
        Limits(**sizes),
        hidden=not options.open,
        link=options.link,
    )
    document = play(wanted, _say)
    if options.json:
        print(json.dumps(document))
    else:
        count, refused = document["predictions"], document["refused"]
        print(f"{document['ended']}; {count} predictions" + (f", {refused} refused" if refused else ""))
        print(f"judge: headstart judge {shlex.quote(options.out)}")
    return 0


def _say(event: Event) -> None:
    words = " ".join(filter(None, (event.event, event.file, event.words)))
    print(f"{event.t:8.3f} s  {printable(words)}", file=sys.stderr)
