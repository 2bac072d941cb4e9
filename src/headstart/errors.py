"""The tree of errors. Each message names the thing and the way out.

HeadstartError
├── BadInput          what the user gave cannot be worked with (the command exits with 2)
│   ├── BadDataset    a folder of samples from which nothing can be learnt
│   ├── BadBudget     a time budget that cannot be read
│   ├── BadConfig     a configuration with unknown or impossible values
│   └── BadModel      a model or run folder that is missing, damaged or of another version
├── Busy              a run folder that another process is using
├── BadWeights        backbone weights that are damaged or of another format
└── DiskFull          the disk holds no more; what was published before stands
"""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """Text from files and their names on one line: a terminal must not take it for commands."""
    return "".join(c if unicodedata.category(c) != "Cc" else repr(c)[1:-1] for c in text)


class HeadstartError(Exception):
    """Any failure that headstart explains in one sentence."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class BadInput(HeadstartError):
    """What the user gave cannot be worked with."""


class BadDataset(BadInput):
    """A folder of samples from which nothing can be learnt."""


class BadBudget(BadInput):
    """A time budget that cannot be read."""


class BadConfig(BadInput):
    """A configuration with unknown or impossible values."""


class BadModel(BadInput):
    """A model or run folder that is missing, damaged or of another version."""


class Busy(HeadstartError):
    """A run folder that another process is using."""


class BadWeights(HeadstartError):
    """Backbone weights that are damaged or of another format."""


class DiskFull(HeadstartError):
    """The disk holds no more; what was published before stands."""
