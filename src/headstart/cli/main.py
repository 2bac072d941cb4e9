"""The command: one verb per file, each loaded only when it is called."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module

from headstart.errors import BadInput, HeadstartError, printable
from headstart.learn.threads import NAMES
from headstart.version import __version__

VERBS = {
    "fit": "learn from labelled images or videos under a time budget",
    "predict": "label new files with a published model",
    "inspect": "say what a folder holds: classes, sizes, duplicates, bad files",
    "export": "write a published model as one ONNX file",
    "convert": "write data in the challenge's format, or read them back",
    "datasets": "the data sets of the paper: list, show, prepare",
    "play": "run a learner against the clock, as the challenge does",
    "judge": "score what a learner published, and draw its curve",
    "bench": "compare learners on tasks, every pair several times",
    "calibrate": "measure this machine for simulated clocks",
    "library": "priors: data sets met before, and what worked on them",
    "report": "write a run's report as one HTML file",
}


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command."""
    top = argparse.ArgumentParser(
        prog="headstart",
        description="Labelled images or videos and a time budget in, the best classifier at every moment out.",
    )
    top.add_argument("--version", action="version", version=f"headstart {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, summary in VERBS.items():
        module = import_module(f"headstart.cli.{verb}")
        sub = verbs.add_parser(verb, help=summary, description=module.__doc__)
        sub.add_argument("--json", action="store_true", help="print one JSON object on stdout")
        module.arguments(sub)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0, 2 for bad input, 1 for any other failure."""
    # Workers are threads of ours: a second pool inside numpy would only fight them for the cores.
    for name in NAMES:
        os.environ.setdefault(name, "1")
    options = parser().parse_args(arguments)
    try:
        code: int = import_module(f"headstart.cli.{options.verb}").run(options)
        return code
    except BadInput as error:
        print(f"headstart: {error}", file=sys.stderr)
        return 2
    except HeadstartError as error:
        print(f"headstart: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("headstart: stopped; what was published before stands", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("HEADSTART_TRACEBACK"):
            raise
        kind = type(error).__name__
        print(
            f"headstart: failed unexpectedly ({kind}: {printable(str(error))}); what was published before stands. "
            "This is a fault of headstart's: HEADSTART_TRACEBACK=1 shows where",
            file=sys.stderr,
        )
        return 1


def entry() -> None:
    """The console script: leaves at once, also where a worker thread is still inside of a network."""
    if not sys.warnoptions:  # libraries warn of odd files; what matters is said in skipped.csv
        warnings.simplefilter("ignore")
    code = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # nobody reads any more
        pass
    os._exit(code)
