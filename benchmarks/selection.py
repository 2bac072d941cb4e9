"""Rules of selection on tables of other people: does choosing by likeness beat the best average configuration?

    python -m benchmarks.selection --matrices FOLDER

FOLDER holds CSV files (a row per data set, a column per configuration, cells areas under the learning curve) and
`meta_features_old.csv` (channels, classes, n, size of the data sets), the only features there are. Each file is
evaluated twice: each row held out with the column of its name, as the tables' authors did, and by source, where
rows that are one data set under two names, or an extension of another, are held out together.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from headstart.meta.evaluate import Evidence, Likeness, Verdict, evaluate
from headstart.meta.matrices import read
from headstart.meta.performance import Performance, Table
from headstart.meta.portfolio import Growth, growth
from headstart.meta.regret import RegretModel
from headstart.meta.rules import HEADLINE
from headstart.meta.selectors.contract import Rule
from headstart.meta.selectors.guarded import NeverLose
from headstart.meta.selectors.neighbours import SoftNeighbours
from headstart.meta.selectors.plain import NearestIncumbent, RandomConfiguration, RandomPrior, SingleBest
from headstart.meta.selectors.table import as_data, markdown

RESULTS = Path(__file__).parent / "results" / "meta"
FEATURES = "meta_features_old.csv"
STATED = {  # regret of the best average column, as the README beside the tables says
    "resnet_24x20": 0.0168,
    "efficientnet_23x18": 0.0899,
    "efficientnet_20x20": 0.0195,
    "efficientnet_21x10": 0.0371,
}
SAME = {  # one data set under two names, an extension, or a new test part of the same
    "cifar100": "Chucky",
    "mnist": "Munster",
    "caltech_birds2011": "caltech_birds2010",
    "cifar10_1": "cifar10",
}
SIDE = 224.0  # of data sets whose pictures have many sizes
_LONG = re.compile(
    r"(.+?)_num_classes_(\d+)_num_dev_examples_(\d+)_num_test_examples_\d+_resolution_(\d+)_num_channels_(\d+)"
)


def simple_features(path: Path) -> dict[str, list[float]]:
    """Channels, log classes, log n, log size by data set; long names in the tables carry the same numbers."""
    found = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            side = float(row["resolution_0"])
            numbers = float(row["num_classes"]), float(row["num_train"]), side if side > 0 else SIDE
            found[row[""]] = [float(row["num_channels"]), *np.log(numbers).tolist()]
    found.setdefault("mnist", found["Munster"])
    return found


def long_features(path: Path) -> dict[str, list[float]]:
    """The same from names like `mnist_num_classes_10_num_dev_examples_63000_…`."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        said = _LONG.match(line.split(",")[0])
        if said:
            numbers = [float(said[k]) for k in (2, 3, 4)]
            found[said[1]] = [float(said[5]), *np.log(numbers).tolist()]
    return found


def table(path: Path, by_source: bool, features: Mapping[str, list[float]]) -> tuple[Performance, Table]:
    """The matrix, of the rows that have features, and those features, float64 [rows, 4]."""
    matrix = read(path)
    same: Mapping[str, str] = SAME if by_source else {}
    sources = [same.get(row, row) for row in matrix.rows]
    origins = [same.get(column, column) if column in matrix.rows else "" for column in matrix.columns]
    whole = Performance.of(matrix.rows, matrix.columns, matrix.values, sources=sources, origins=origins)
    known = [row for row in matrix.rows if row in features]
    return whole.subset(known), np.array([features[row] for row in known])


def likeness(performance: Performance, features: Table) -> Likeness:
    """Minus the distance of the features, each in standard deviations over the priors that are asked about."""

    def said(task: str, priors: tuple[str, ...]) -> dict[str, float]:
        rows = [performance.row(prior) for prior in priors]
        scale = features[rows].std(axis=0)
        scale[scale == 0] = 1.0
        apart = (features[rows] - features[performance.row(task)]) / scale
        return dict(zip(priors, (-np.sqrt((apart**2).mean(axis=1))).tolist(), strict=True))

    return said


def compared() -> list[Rule]:
    """The rules that can be tried without images and curves; the last is the headline with the features there are."""
    model = RegretModel(("simple",), "regret model")
    plain = [SingleBest(), NearestIncumbent(), RandomPrior(), RandomConfiguration()]
    return [*plain, SoftNeighbours(), NeverLose(SoftNeighbours()), model, NeverLose(model)]


def baseline(path: Path) -> float:
    """Regret of the single best on all rows, each left out with the column of its name: the number that is stated."""
    return evaluate(read(path).performance(), [SingleBest()], Evidence()).lines[0].regret


def portfolios(performance: Performance, title: str = "portfolio") -> tuple[str, Growth]:
    """The average best over the size, and the numbers behind it."""
    grown = growth(performance, 6)
    rows = [("in-sample", grown.inside), ("left out, in hindsight", grown.left_out)]
    lines = [f"| {title} | {' | '.join(str(k + 1) for k in range(len(grown.inside)))} | oracle |"]
    lines.append("|---|" + "---:|" * (len(grown.inside) + 1))
    lines += [f"| {name} | {' | '.join(f'{v:.4f}' for v in vs)} | {grown.oracle:.4f} |" for name, vs in rows]
    return "\n".join(lines), grown


def section(path: Path, described: Mapping[str, list[float]]) -> tuple[str, dict[str, object]]:
    """One file: the stated number again, both comparisons, the portfolio."""
    name, found = path.stem, baseline(path)
    features = {**described, **long_features(path)}
    stated = STATED.get(name)
    said = f"## {name}\n\nBest average column, each row and its column left out, all rows: regret {found:.4f}"
    said += f" (stated: {stated:.4f}).\n" if stated is not None else ".\n"
    data: dict[str, object] = {"single_best_all_rows": found, "stated": stated}
    for by_source, title in ((False, "row and column of the name left out"), (True, "source left out")):
        performance, rows = table(path, by_source, features)
        verdict = verdict_of(performance, rows)
        said += f"\n### {title.capitalize()}\n\n{markdown(verdict, compared()[-1].name)}"
        data["by_source" if by_source else "by_name"] = as_data(verdict)
        if by_source:
            said += f"\n{portfolios(performance)[0]}\n"
    return said, data


def verdict_of(performance: Performance, rows: Table) -> Verdict:
    """All rules on one table."""
    return evaluate(performance, compared(), Evidence(likeness(performance, rows), {"simple": rows}))


def main() -> None:
    """Writes selection_matrices.md and .json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--matrices", type=Path, required=True, help="folder of the tables")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args()
    described = simple_features(options.matrices / FEATURES)
    paths = sorted(p for p in options.matrices.glob("*.csv") if p.name != FEATURES)
    page = (
        "# Rules of selection on matrices of other people\n\n"
        "Made by `python -m benchmarks.selection --matrices FOLDER`. Features: channels, log classes, log n, log size; "
        "rows without them are left out below. There are no images and no curves, so no moments, no landmarks and no "
        "probe: these tables show whether a rule does harm where features are weak, not what it can do.\n"
        f"In bold the default of `fit` ({HEADLINE.name}) with the features there are. Its form, its caution (.1) "
        "and its record (1 standard error) were chosen on these very tables, after some 60 variants had been tried "
        "on them: the bold lines are optimistic. Data sets of the shared library were not looked at.\n\n"
    )
    data = {}
    for path in paths:
        said, data[path.stem] = section(path, described)
        page += said + "\n"
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "selection_matrices.md").write_text(page.rstrip() + "\n", encoding="utf-8")
    (options.out / "selection_matrices.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
