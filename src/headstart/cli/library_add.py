"""Describe labelled folders and keep the descriptions in the library: sizes, classes, and what samples look like to a
network. The samples themselves are not kept. Runs are added by `fit --remember` and by `library search`.
"""

from __future__ import annotations

import argparse
import json

from headstart.cli.drawing import printable
from headstart.cli.library import folders, opened
from headstart.cli.library_list import complain


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `library add`."""
    parser.add_argument("data", nargs="+", metavar="DATA", help="folder or list, as for `fit`")
    parser.add_argument("--name", help="of the prior (default: the folder's); for one DATA only")
    parser.add_argument(
        "--source",
        help="what it was made from: priors of one source are held out together (default: its name)",
    )
    parser.add_argument("--licence", default="", help="of the data, for whoever gets the library")
    parser.add_argument("--kind", choices=("image", "video"), help="what the files are (default: as found)")
    parser.add_argument(
        "--labels", choices=("single", "multi"), help="labels per file in a list (default: as found)"
    )
    parser.add_argument("--samples", type=int, default=256, help="that are looked at (default 256)")
    parser.add_argument("--seed", type=int, default=0, help="of which samples are drawn (default 0)")
    folders(parser)


def run(options: argparse.Namespace) -> int:
    """Runs `library add`; returns the exit code."""
    from headstart.data.scan import scan
    from headstart.errors import BadInput
    from headstart.meta.fingerprint import fingerprint
    from headstart.meta.prior import Features, Prior, name_of

    if options.name is not None and len(options.data) > 1:
        raise BadInput(
            f"--name names one prior, but {len(options.data)} folders are given: add them one by one"
        )
    if options.samples < 1 or options.seed < 0:
        raise BadInput("--samples must be 1 or more, and --seed 0 or more")
    library = opened(options)
    added = []
    for data in options.data:
        task = scan(data, kind=options.kind, labels=options.labels)
        name = options.name if options.name is not None else name_of(task.name)
        told = fingerprint(task, n=options.samples, seed=options.seed)
        test = len(task.test) if task.test is not None else 0
        prior = Prior.of(name, options.source or name, told.simple, test=test, licence=options.licence)
        known = name in library.entries
        library = library.add_prior(prior, Features.of(told))
        added.append({"name": name, "id": library.entry(name).id, "new": not known})
        if not options.json:
            size = f"{prior.samples} {prior.kind}s of {prior.classes} classes"
            print(f"{name}: {size}, {len(told.features)} looked at{', as it was' if known else ''}")
    if options.json:
        print(json.dumps({"folder": str(library.roots[-1]), "added": added, "problems": library.problems}))
        return 0
    print(f"in {printable(str(library.roots[-1]))}")
    complain(library.problems)
    return 0
