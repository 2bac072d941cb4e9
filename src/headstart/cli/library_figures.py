"""Draw the paper's figures from the library, each as SVG with the numbers behind it as CSV: the best score per model
and data set (4 and 5), the area over the batch that priors are recognised by (6), the portfolio's size (7).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.cli.library import folders, opened
from headstart.errors import BadInput, printable
from headstart.words.clock import Budget

if TYPE_CHECKING:
    from headstart.meta.library import Library
    from headstart.meta.performance import Performance
    from headstart.report.library_figures import Batches

OWN = ("ours", "prototype")  # lines of a benchmark that are no peers


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `library figures`."""
    parser.add_argument("out", metavar="OUT", help="folder for the files")
    parser.add_argument("--t0", type=float, default=60.0, help="of the area, in seconds (default 60)")
    parser.add_argument("--budget", default="20m", help="of the area: 90s, 20m, 1h (default 20m)")
    parser.add_argument("--clock", help="only runs by this clock, for example cpu (default: any)")
    parser.add_argument(
        "--score", choices=("area", "final"), default="area", help="of Figs. 4 and 5 (default area)"
    )
    parser.add_argument(
        "--sizes", type=int, default=10, metavar="N", help="of portfolios, up to (default 10)"
    )
    parser.add_argument(
        "--trials", type=int, default=30, metavar="N", help="batches of each size (default 30)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the batches (default 0)")
    parser.add_argument(
        "--peers", metavar="FILE", help="table.json of the benchmark, for the strongest peer in Fig. 6"
    )
    parser.add_argument(
        "--quick", action="store_true", help="Fig. 6 without the methods that train a network"
    )
    folders(parser)


def run(options: argparse.Namespace) -> int:
    """Runs `library figures`; returns the exit code."""
    from headstart.cli.library_list import complain
    from headstart.meta.kinds import of_kind

    _check(options)
    library = opened(options)
    table = library.matrix(options.t0, Budget.parse(options.budget).seconds, options.clock)
    if not table.n.any():
        raise BadInput("the library holds no run to draw: add some with `library search` or `library import`")
    kinds = {name: library.priors[name].kind for name in table.priors}
    every, files = sorted(set(kinds.values())), []
    for kind in every:  # what was run on clips says nothing of pictures
        out = Path(options.out) / kind if len(every) > 1 else Path(options.out)
        out.mkdir(parents=True, exist_ok=True)
        files += _drawn(options, library, of_kind(table, kinds, kind), out)
    complain(library.problems)
    if options.json:
        print(json.dumps({"files": [str(path) for path in files]}))
    else:
        for path in files:
            print(printable(str(path)))
    return 0


def _drawn(options: argparse.Namespace, library: Library, table: Performance, out: Path) -> list[Path]:
    """All figures of one kind; the files."""
    from headstart.meta.figures import best_scores, final_scores
    from headstart.meta.portfolio import growth
    from headstart.report.library_figures import (
        Portfolio,
        Scores,
        write_batches,
        write_portfolio,
        write_scores,
    )

    budget = Budget.parse(options.budget).seconds
    area = f"area under the learning curve (t0 = {options.t0:g} s, T = {budget:g} s)"
    final = options.score == "final"
    own = library.only(*table.priors)
    best = best_scores(final_scores(own, options.clock) if final else table)
    what = "score of the last prediction" if final else area
    files = write_scores(out, Scores(best.priors, best.models, best.kinds, best.scores, what))
    grown = growth(table, options.sizes)
    said = [_told(table, name) for name in grown.members]
    files += write_portfolio(out, Portfolio(said, grown.inside, grown.left_out, grown.oracle, area))
    batches = _batches(options, own, table, area)
    return files + (write_batches(out, batches) if batches is not None else [])


def _check(options: argparse.Namespace) -> None:
    for name in ("sizes", "trials"):
        if getattr(options, name) < 1:
            raise BadInput(f"--{name} is {getattr(options, name)}, but must be 1 or more")
    if not options.t0 > 0:
        raise BadInput(f"--t0 is {options.t0:g}, but must be above 0 s")
    if Path(options.out).exists() and not Path(options.out).is_dir():
        raise BadInput(f"{options.out!r} is a file: name a folder for the figures")


def _told(table: Performance, name: str) -> str:
    from headstart.meta.figures import model_of

    config = table.config(name)
    heads = f" {'+'.join(config.heads)}" if config is not None and config.stages else ""
    return name if config is None else f"{name} {model_of(name, config)}{heads}"


def _batches(options: argparse.Namespace, library: Library, table: Performance, area: str) -> Batches | None:
    """Fig. 6, or None, with a note, where the library lacks what it needs."""
    import numpy as np

    from headstart.meta.figures import recognised
    from headstart.report.library_figures import Batches

    rows = {name: part.rows.astype(np.float32) for name, part in library.all_features().items()}
    peers = _peers(Path(options.peers), options.t0) if options.peers else {}
    try:
        found = recognised(table, rows, _methods(options.quick), trials=options.trials, seed=options.seed)
    except BadInput as error:
        print(f"note: Fig. 6 is left out: {printable(str(error))}", file=sys.stderr)
        return None
    return Batches(
        found.priors, found.methods, found.sizes, found.reached, found.same, found.others,
        [peers.get(name) for name in found.priors], found.trials, area,
    )  # fmt: skip


def _methods(quick: bool) -> list[Any]:
    from headstart.meta.similarity.centroid import CentroidVote
    from headstart.meta.similarity.frechet import Frechet
    from headstart.meta.similarity.kmeans import KMeansVote
    from headstart.meta.similarity.lda import Lda
    from headstart.meta.similarity.mlp_moments import MlpMoments
    from headstart.meta.similarity.mlp_vote import MlpVote
    from headstart.meta.similarity.nearest_mean import NearestMean

    closed = [NearestMean(), Frechet(), Lda(), CentroidVote(), KMeansVote()]
    return closed if quick else [*closed, MlpVote(), MlpMoments()]


def _peers(path: Path, t0: float) -> dict[str, tuple[str, float]]:
    """The strongest peer of each data set by a benchmark's table.json, which has areas at t0 = 60 and 20."""
    key = f"alc{t0:g}"
    try:
        sets = json.loads(path.read_text(encoding="utf-8"))["sets"]
        found = {}
        for name, learners in sets.items():
            areas = {who: row[key][0] for who, row in learners.items() if who not in OWN and row.get(key)}
            if areas:
                best = max(areas, key=lambda who: areas[who])
                found[name] = (best, float(areas[best]))
        return found
    except OSError as error:
        raise BadInput(f"--peers {str(path)!r} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise BadInput(f"--peers {str(path)!r} is no table.json of the benchmark") from error
