"""Kinds: what was run on clips says nothing of pictures, nor the reverse, so a task is compared with its own kind."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from headstart.meta.performance import Performance


def of_kind(table: Performance, kinds: Mapping[str, str], kind: str) -> Performance:
    """The rows of priors of this kind, and the columns that were run on any of them; no rows where there are none.

    kinds: of each prior ("image" or "video"); one that is missing is of any kind.
    """
    rows = [i for i, prior in enumerate(table.priors) if kinds.get(prior, kind) == kind]
    ran = np.flatnonzero((table.n[rows] > 0).any(axis=0)).tolist()
    return table.subset([table.priors[i] for i in rows], [table.configs[j] for j in ran])
