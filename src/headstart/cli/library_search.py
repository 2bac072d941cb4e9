"""Search good configurations for prior data sets, offline: BOHB (Hyperband's brackets, and a model of what was good
so far), on the simulated clock of a cost table. Features of a data set are computed once. The same command goes on
where a killed one stopped. What was found goes into the library.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.cli.drawing import printable
from headstart.cli.library import folders, opened
from headstart.cli.library_list import complain
from headstart.errors import BadInput
from headstart.words.clock import Budget

if TYPE_CHECKING:
    from headstart.cli.search_jobs import Replays
    from headstart.meta.library import Library
    from headstart.meta.objective import Outcome, Plan, Pool
    from headstart.meta.record import Record
    from headstart.meta.search import Evaluation
    from headstart.words.config import Config
    from headstart.words.task import Task


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `library search`."""
    add = parser.add_argument
    add(
        "data",
        nargs="+",
        metavar="DATA",
        help="labelled folders, each with a labelled test/, that were added",
    )
    add("--space", default="fit", help="of configurations: fit, frozen, paper or all (default fit)")
    add(
        "--network", action="append", metavar="NAME[@PIXELS]", help="of those that are trained, only this one"
    )
    add("--trials", type=int, default=54, help="configurations per data set, in whole brackets (default 54)")
    add("--table", metavar="NAME|FILE", help="cost table of the simulated clock (default: of this machine)")
    add("--budget", default="20m", help="of the longest runs (default 20m)")
    add("--first", default="30s", help="of the shortest runs (default 30s)")
    add("--t0", type=float, default=60.0, help="of the area, in seconds (default 60)")
    add("--model", choices=("tpe", "random"), default="tpe", help="random: proposals without a model")
    add("--seed", type=int, default=0, help="of proposals and runs (default 0)")
    add("--across", action="store_true", help="also run the best of each data set on all the others")
    add("--store", metavar="FOLDER|URL", help="where evaluations are kept (default: beside your library)")
    add("--features", metavar="FOLDER", help="where features of data sets are kept (default: in the cache)")
    add("--workers", type=int, default=1, help="processes of this machine (default 1)")
    add("--scheduler", metavar="ADDRESS", help="of a Dask cluster instead, such as tcp://HOST:8786")
    folders(parser)


@dataclass(frozen=True)
class _Subject:
    """A data set that is searched on, and what the library knows of it."""

    name: str
    source: str
    path: str
    task: Task


def run(options: argparse.Namespace) -> int:
    """Runs `library search`; returns the exit code."""
    library, plan = opened(options), _plan(options)
    subjects = [_subject(path, library) for path in options.data]
    if len({subject.name for subject in subjects}) < len(subjects):
        raise BadInput("two of the data sets have one name: give each folder once")
    jobs = _jobs(options)
    incumbents: dict[str, Evaluation] = {}
    with _pool(options) as pool:
        for subject in subjects:
            found = list(_searched(subject, options, plan, jobs, pool))
            most = max(evaluation.budget for evaluation in found)
            best = max((e for e in found if e.budget == most), key=lambda e: (e.value, -e.place.iteration))
            incumbents[subject.name] = best
            records = [_record(e, subject, options, plan) for e in _whole(found, most)]
            library = library.add_runs(subject.name, records)
        if options.across:
            library = _across(subjects, incumbents, library, options, plan, jobs, pool)
    complain(library.problems)
    _say(options, incumbents, library)
    return 0


def _whole(found: Sequence[Evaluation], most: float) -> list[Evaluation]:
    """Those whose curve is that of a run with the largest budget, each configuration once."""
    whole = [e for e in found if e.budget == most or e.outcome.complete or e.outcome.error]
    return list({e.config.digest: e for e in sorted(whole, key=lambda e: (e.place, e.budget))}.values())


def _plan(options: argparse.Namespace) -> Plan:
    from headstart.meta.brackets import Schedule
    from headstart.meta.objective import Plan

    if options.trials < 1 or options.seed < 0 or not options.t0 > 0:
        raise BadInput("--trials must be 1 or more, --seed 0 or more, and --t0 above 0")
    if options.workers < 1:
        raise BadInput(f"--workers is {options.workers}, but at least one process is needed")
    iterations = 1
    while Schedule(iterations=iterations).configurations < options.trials:
        iterations += 1
    seconds, first = Budget.parse(options.budget).seconds, Budget.parse(options.first).seconds
    return Plan(
        Schedule(iterations=iterations),
        seconds,
        min(first, seconds),
        options.t0,
        options.seed,
        model=options.model,
    )


def _subject(path: str, library: Library) -> _Subject:
    from headstart.challenge.labelled import labelled

    task = labelled(path).task
    if task.test is None or task.test.targets is None:
        raise BadInput(f"{path} has no labelled test/: a search must see what a run was worth")
    from headstart.meta.prior import name_of

    name = name_of(task.name)
    if name not in library.entries:
        raise BadInput(f"the library has no prior {name}: describe it first, `headstart library add {path}`")
    return _Subject(name, library.entry(name).prior.source, str(Path(path).resolve()), task)


def _jobs(options: argparse.Namespace) -> Replays:
    from headstart.backbones import cached
    from headstart.challenge import calibrate_tables as tables
    from headstart.cli.search_jobs import Replays

    which = options.table or tables.own_name()
    tables.load(which)  # what is wrong with it is said now
    file = which if Path(which).suffix == ".json" else str(tables.path_of(which))
    features = Path(options.features) if options.features else cached.folder() / "priors"
    return Replays(str(Path(file).resolve()), str(features.resolve()))


@contextmanager
def _pool(options: argparse.Namespace) -> Iterator[Pool]:
    """Who evaluates: this process, others of this machine, or a cluster."""

    from headstart.meta.objective import Here

    if options.scheduler is None and options.workers == 1:
        yield Here()
        return
    from headstart.meta import cluster

    with cluster.opened(options.workers, options.scheduler) as pool:
        yield pool


def _searched(
    subject: _Subject, options: argparse.Namespace, plan: Plan, jobs: Replays, pool: Pool
) -> Iterator[Evaluation]:
    """All evaluations of the search on one data set, those that were there already first."""
    from headstart.meta import journal
    from headstart.meta.database import is_address
    from headstart.meta.library import user_folder
    from headstart.meta.search import Search
    from headstart.words.space import find_space

    space = find_space(options.space, subject.task.kind, options.network or ())
    where = options.store or str(user_folder().parent / "searches")
    place = where if is_address(where) else Path(where) / f"{subject.name}.journal"
    with journal.opened(place) as store:
        search = Search(store, subject.name, space, plan, subject.path)
        there, total = len(search.done), plan.schedule.evaluations
        yield from [search.done[at] for at in sorted(search.done)]
        for number, evaluation in enumerate(search.run(jobs, pool), there + 1):
            _progress(subject.name, number, total, evaluation, search.best)
            yield evaluation


def _progress(name: str, number: int, total: int, evaluation: Evaluation, best: Evaluation | None) -> None:
    """A line per evaluation on a terminal, one in ten elsewhere; every failure."""
    if evaluation.outcome.error:
        print(f"{printable(name)}: {printable(evaluation.outcome.error)}", file=sys.stderr)
    if best is not None and (sys.stderr.isatty() or number % 10 == 0 or number == total):
        print(f"{printable(name)}: {number} of {total}, best {best.value:.4f}", file=sys.stderr)


def _across(
    subjects: Sequence[_Subject],
    incumbents: dict[str, Evaluation],
    library: Library,
    options: argparse.Namespace,
    plan: Plan,
    jobs: Replays,
    pool: Pool,
) -> Library:
    """Each data set's best on all the others of its kind, as far as the library has no such run yet."""
    from headstart.meta.objective import Job

    for subject in subjects:
        known = {(record.name, record.origin) for record in library.records(subject.name)}
        todo = []
        for other in subjects:
            config = dataclasses.replace(incumbents[other.name].config, seed=plan.seed)
            if other.task.kind == subject.task.kind and (config.digest, other.source) not in known:
                todo.append((other, pool.submit(jobs, Job(subject.path, config, plan.seconds)), config))
        records = [
            _made(config, f.result(), other.source, subject, options, plan) for other, f, config in todo
        ]
        library = library.add_runs(subject.name, records) if records else library
    return library


def _record(evaluation: Evaluation, subject: _Subject, options: argparse.Namespace, plan: Plan) -> Record:
    config = dataclasses.replace(evaluation.config, seed=plan.seed)
    return _made(config, evaluation.outcome, subject.source, subject, options, plan)


def _made(
    config: Config, outcome: Outcome, origin: str, subject: _Subject, options: argparse.Namespace, plan: Plan
) -> Record:
    from headstart.challenge.calibrate_tables import own_name
    from headstart.meta.record import Record
    from headstart.running import versions

    return Record.of(
        config,
        outcome.curve,
        clock=f"table:{Path(options.table).stem if options.table else own_name()}",
        budget=plan.seconds,
        status="failed" if outcome.error else "ok",
        n=len(subject.task.train),
        versions=versions(),
        halves=outcome.halves,
        origin=origin,
    )


def _say(options: argparse.Namespace, incumbents: dict[str, Evaluation], library: Library) -> None:
    """What was found: the best of each data set."""
    if options.json:
        rows = {
            name: {"alc": e.value, "digest": e.config.digest, "config": dataclasses.asdict(e.config)}
            for name, e in incumbents.items()
        }
        print(json.dumps({"folder": str(library.roots[-1]), "best": rows, "problems": library.problems}))
        return
    for name, e in incumbents.items():
        print(f"{printable(name)}: {e.value:.4f} by {e.config.digest}: {_named(e.config)}")
    print(f"in {printable(str(library.roots[-1]))}")


def _named(config: Config) -> str:
    """A configuration in a few words."""
    stages = [f"{stage.name}/{'+'.join(stage.outputs)}" for stage in config.stages]
    return ", ".join([*stages, *([f"trained {config.recipe.name}"] if config.recipe else [])])
