"""An objective without any learning, for tests of the search: as plain functions that can be sent to workers."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

from headstart.errors import BadInput
from headstart.meta.objective import Job, Outcome


def bowl(job: Job) -> Outcome:
    """Best at a rate of .002 and a dropout of .3; with more time the same a little better."""
    recipe = job.config.recipe
    assert recipe is not None
    good = 0.9 - 0.06 * (math.log10(recipe.rate) + 2.7) ** 2 - 0.2 * (recipe.dropout - 0.3) ** 2
    return Outcome(((1.0, good * 0.5), (10.0, good)))


def ended(job: Job) -> Outcome:
    """As `bowl`, but nothing is left to do after the second prediction."""
    return Outcome(bowl(job).curve, complete=True)


def fussy(job: Job) -> Outcome:
    """Cannot be run with SGD."""
    recipe = job.config.recipe
    assert recipe is not None
    return Outcome((), error="no SGD here") if recipe.optimiser == "sgd" else bowl(job)


def broken(job: Job) -> Outcome:
    """What a mistake in a program looks like."""
    raise BadInput("this must not happen")


def slow(job: Job) -> Outcome:
    """Notes in the folder, which is the prior, that it was begun and that it ended; takes a moment."""
    noted(job, "begun")
    time.sleep(0.1)
    noted(job, "ended")
    return bowl(job)


def busy(job: Job) -> Outcome:
    """A quarter of a second of processor time."""
    end = time.process_time() + 0.25
    while time.process_time() < end:
        pass
    return bowl(job)


def deadly(job: Job) -> Outcome:
    """Takes its process down, whoever does it."""
    recipe = job.config.recipe
    if recipe is not None and recipe.optimiser == "sgd":
        os._exit(9)
    return bowl(job)


def noted(job: Job, what: str) -> None:
    """A line in a file of the folder."""
    with (Path(job.prior) / what).open("a") as file:
        file.write(f"{job.config.digest} {job.seconds}\n")
