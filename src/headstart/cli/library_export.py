"""Pack priors and all their runs into one file, which `library import` takes over elsewhere. It is a ZIP of plain
files; nothing in it is code.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from headstart.cli.library import folders, opened
from headstart.cli.library_list import complain


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `library export`."""
    parser.add_argument("out", metavar="OUT.zip", help="the file that is written")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of priors (default: all)")
    folders(parser)


def run(options: argparse.Namespace) -> int:
    """Runs `library export`; returns the exit code."""
    from headstart.meta.exchange import pack

    library, out = opened(options), Path(options.out)
    count = pack(library, out, options.names or None)
    size = out.stat().st_size
    if options.json:
        document = {"file": str(out), "priors": count, "bytes": size, "problems": library.problems}
        print(json.dumps(document))
        return 0
    print(f"{count} prior{'s' * (count != 1)}, {size / 1e6:.2f} MB: {out}")
    complain(library.problems)
    return 0
