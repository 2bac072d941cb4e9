"""Rules of selection on the library of the shared data sets: one source left out, the headline fixed before (019).

    python -m benchmarks.selection_shared --data FOLDER --table TABLE.json --work FOLDER [--library FOLDER]

Two tables: of all configurations in the library, and of those that `fit` can still go on with after its first pass.
Portfolios are probed by replays on training samples alone; their seconds are charged. Probes are kept in --work.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from benchmarks.selection import portfolios
from headstart.bench.probing import Prober
from headstart.challenge.calibrate_tables import load
from headstart.challenge.labelled import labelled
from headstart.choosing import continues
from headstart.learn.plan import default_config
from headstart.meta.evaluate import Evidence, evaluate
from headstart.meta.kinds import of_kind
from headstart.meta.library import SHIPPED, Library
from headstart.meta.performance import Performance
from headstart.meta.rules import HEADLINE, rules
from headstart.meta.select import evidence_of
from headstart.meta.selectors.contract import Probe, Probed
from headstart.meta.selectors.table import as_data, markdown
from headstart.words.config import Config
from headstart.words.costs import CostTable
from headstart.words.task import Kind

RESULTS = Path(__file__).parent / "results" / "meta"


class Kept:
    """A probe whose answers are kept in a file from one program to the next."""

    def __init__(self, path: Path, inner: Probe) -> None:
        self._path, self._inner = path, inner
        self._said: dict[str, list[float]] = json.loads(path.read_bytes()) if path.exists() else {}

    def __call__(self, config: str, share: float) -> Probed:
        """As the inner one says, or said."""
        key = f"{config} {share:g}"
        if key not in self._said:
            said = self._inner(config, share)
            self._said[key] = [said.estimate, said.seconds]
            self._path.write_text(json.dumps(self._said))
        return Probed(*self._said[key])


def probes(data: Path, configs: Mapping[str, Config], table: CostTable, work: Path) -> Any:
    """Of each prior what tries configurations on its training samples."""

    def of(prior: str) -> Probe:
        task = replace(labelled(str(data / prior)).task, name=prior)
        return Kept(work / f"{prior}.probes.json", Prober(task, configs, table, work / "features"))

    return of


def open_to_fit(table: Performance, kinds: Mapping[str, Kind]) -> list[str]:
    """The configurations that `fit` can go on with, of either kind."""
    plans = [default_config(0, 0, (), kind) for kind in sorted(set(kinds.values()))]
    return [name for name in table.configs if any(continues(table.config(name), plan) for plan in plans)]


def portfolio(performance: Performance, kinds: Mapping[str, Kind], kind: Kind) -> tuple[str, dict[str, Any]]:
    """Average best over the size, of one kind."""
    text, grown = portfolios(of_kind(performance, kinds, kind), f"portfolio ({kind}s)")
    data = {"members": grown.members, "inside": grown.inside.tolist(), "left_out": grown.left_out.tolist()}
    return text, data


def sections(
    tables: Sequence[tuple[str, Performance]], evidence: Evidence, kinds: Mapping[str, Kind]
) -> tuple[str, dict[str, Any]]:
    """One comparison of all rules per table."""
    said, data = "# Selection on the shared library\n", {}
    for title, table in tables:
        verdict = evaluate(table, rules(), evidence)
        said += f"\n## {title}\n\n{markdown(verdict, HEADLINE.name)}"
        data[title] = as_data(verdict)
        for kind in sorted(set(kinds.values())):
            text, numbers = portfolio(table, kinds, kind)
            said += f"\n{text}\n"
            data[title][f"portfolio {kind}"] = numbers
    return said, data


def main() -> None:
    """Writes selection_shared.md and .json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--table", type=Path, required=True, help="the cost table of the runs")
    parser.add_argument("--work", type=Path, required=True, help="where features and probes are kept")
    parser.add_argument("--library", type=Path, default=SHIPPED)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    library = Library.open(options.library)
    every = library.matrix()
    kinds = {name: library.priors[name].kind for name in every.priors}
    configs = {name: config for name in every.configs if (config := every.config(name)) is not None}
    probe = probes(options.data, configs, load(str(options.table)), options.work)
    evidence = replace(evidence_of(library, every), probe=probe)
    fitting = every.subset(configs=open_to_fit(every, kinds))
    tables = (("All configurations", every), ("What `fit` can go on with", fitting))
    said, data = sections(tables, evidence, kinds)
    (options.out / "selection_shared.md").write_text(said)
    (options.out / "selection_shared.json").write_text(json.dumps(data))


if __name__ == "__main__":
    main()
