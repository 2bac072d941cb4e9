"""The library that ships with the package: priors described from their data, and the runs that `matrix` has made.

    python -m benchmarks.library --data FOLDER --runs OUT [OUT…] --out src/headstart/meta/priors [--manifest FILE]

Each data set in OUT becomes a prior: simple numbers, features of 256 training samples, held-out evidence of the first
pass of `fit` (its landmarks, as seed 0 of "default" left them), and its runs. Sources are those of
`benchmarks/sources.py`; the manifest, a JSON list with "name" and "licence", says under which licence the data are.
What is in --out is replaced.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.sources import held_out_with
from headstart.challenge.labelled import labelled
from headstart.learn.plan import passes
from headstart.meta import index
from headstart.meta.fingerprint import fingerprint
from headstart.meta.library import Library
from headstart.meta.prior import Features, Prior
from headstart.meta.record import Record
from headstart.words.config import Config

LARGEST = 3_000_000  # bytes


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """What `matrix` left of one data set, in the order of the files' names."""
    for path in sorted(folder.glob("*.json")):
        yield json.loads(path.read_bytes())


def record_of(told: dict[str, Any]) -> Record:
    """The run as the library keeps it. The seed is the run's; the halves let an oracle be judged."""
    config = Config.from_json(json.dumps(told["config"]))
    return Record.of(
        config, [(t, s) for t, s in told["curve"]], clock=told["clock"], budget=told["T"], status=told["status"],
        n=told["n"], versions=told["versions"], halves=[(a, b) for a, b in told["halves"]],
    )  # fmt: skip


def landmarks_of(runs: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Evidence of the stages of the first pass of `fit`, by the run of its plan with seed 0."""
    told = next(run for run in runs if run["label"] == "default" and run["seed"] == 0)
    config = Config.from_json(json.dumps(told["config"]))
    names = [stage.name for stage in passes(config)[0].stages]
    return {name: told["landmarks"][name] for name in names if name in told["landmarks"]}


def describe(data: Path, runs: Sequence[dict[str, Any]], licence: str) -> tuple[Prior, Features]:
    """The prior of a data set."""
    task = replace(labelled(str(data)).task, name=data.name)
    told = fingerprint(task)
    test = len(task.test) if task.test is not None else 0
    prior = Prior.of(
        data.name, held_out_with(data.name), told.simple, test=test, licence=licence, landmarks=landmarks_of(runs)
    )  # fmt: skip
    return prior, Features.of(told)


def make(root: Path, data: Path, folders: Sequence[Path], licences: dict[str, str]) -> int:
    """Write the library into an empty folder; returns the number of runs."""
    library, total = Library.open(root), 0
    for name in sorted(
        {path.name for folder in folders for path in folder.iterdir() if any(path.glob("*.json"))}
    ):
        runs = [run for folder in folders for run in records(folder / name)]
        prior, features = describe(data / name, runs, licences.get(name, ""))
        library = library.add_prior(prior, features)
        library = library.add_runs(name, [record_of(run) for run in runs])
        total += len(runs)
        spent = sum(run["cpu_seconds"] for run in runs)
        print(f"{name}: {len(runs)} runs, {spent:.0f} CPU-s")
    index.build(root)
    return total


def main() -> None:
    """Writes the library, and says how large it is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="--out of `matrix`")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--manifest", type=Path)
    options = parser.parse_args()
    told = json.loads(options.manifest.read_bytes()) if options.manifest else []
    began = time.process_time()
    with tempfile.TemporaryDirectory(dir=options.out.absolute().parent) as scratch:
        root = Path(scratch) / "priors"
        root.mkdir()
        total = make(root, options.data, options.runs, {one["name"]: one["licence"] for one in told})
        size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
        if size > LARGEST:
            raise SystemExit(f"the library would have {size} bytes, but at most {LARGEST} are shipped")
        shutil.rmtree(options.out, ignore_errors=True)
        shutil.copytree(root, options.out)
    print(f"{total} runs, {size} bytes in {options.out}, {time.process_time() - began:.0f} CPU-s")


if __name__ == "__main__":
    main()
