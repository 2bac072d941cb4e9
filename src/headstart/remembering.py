"""A run becomes a prior of the user's library: how its data look, and how well its configuration did on them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from headstart.learn.features import Features as Run
from headstart.store.curve import CurveRow
from headstart.version import __version__
from headstart.words.clock import Budget
from headstart.words.config import Config
from headstart.words.task import Task

_LOOKED_AT = 256


def remember(
    task: Task,
    config: Config,
    features: Run,
    landmarks: Mapping[str, float],
    curve: list[CurveRow],
    clock: str,
    budget: Budget,
    folder: Path | None = None,
) -> str | None:
    """Add what a run has learnt to the library in `folder` (None: the user's); the prior's name, None where it saw
    nothing to remember.

    The curve of a user's run is of evidence on training samples: there are no test labels. Raises BadInput, and
    HeadstartError where the disk refuses.
    """
    from headstart.meta import index
    from headstart.meta import prior as priors
    from headstart.meta.fingerprint import BLOCK, Fingerprint, from_block, simple
    from headstart.meta.library import SHIPPED, Library, user_folder
    from headstart.meta.record import Record

    if not curve or features.pass_of.get(BLOCK) is None:
        return None
    rows, seen = features.raw(BLOCK, _LOOKED_AT)
    if len(rows) < 2:
        return None
    assert task.train.targets is not None
    targets = task.train.targets[features.splits["train"][1][rows]]
    classes = targets.argmax(axis=1) if targets.ndim == 2 else targets
    told = simple(task)
    print_of = Fingerprint(from_block(seen), classes.astype(np.int32), told)
    looks = priors.Features.of(print_of)
    own = folder or user_folder()
    library = Library.open(SHIPPED, own)
    name = priors.name_of(task.name, 90)  # room for what tells it from another of that name
    prior = priors.Prior.of(name, name, told, landmarks=dict(landmarks))
    if name in library.entries and library.entry(name).id != priors.identity(prior, looks):
        name = f"{name}-{priors.identity(prior, looks)[:6]}"
        prior = priors.Prior.of(name, name, told, landmarks=dict(landmarks))
    library = library.add_prior(prior, looks)
    record = Record.of(
        config,
        [(row.seconds, row.score) for row in curve],
        clock=clock,
        budget=budget.seconds,
        n=len(task.train),
        versions={"headstart": __version__},
    )
    library.add_run(name, record)
    index.build(own)
    return name
