"""Index: the table of areas of a whole library folder in one small file, so that `fit` chooses in milliseconds.

`FOLDER/index.safetensors.gz` is derived and may be deleted at any time. It says of each prior which files of runs it
was made of; where these are others by now, the prior's runs are read themselves. It holds areas at T0 for a few
budgets, and `quick` takes the nearest of them: which configuration is better hardly depends on more than that.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.errors import BadConfig, BadModel
from headstart.meta.bundle import Configs, read_config, unpacked
from headstart.meta.library import Entry, Library, bundle_files
from headstart.meta.performance import Performance
from headstart.store import tensors as tensor_file
from headstart.store.atomic import write_atomically
from headstart.words.config import Config
from headstart.words.scoring import T0

FILE = "index.safetensors.gz"
BUDGETS = (30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0)  # seconds
_FORMAT = 1


@dataclass(frozen=True, eq=False, repr=False)
class Index:
    """What an index file says.

    files: of each prior (by name) its id and the names of its files of runs, sorted: what the rows were made of.
    configs: of each column name and JSON. origins: of each column, see `Performance`.
    values, spread: float64 [budgets, priors, columns]; n: int64 of the same shape; budgets as BUDGETS.
    """

    files: Mapping[str, Sequence[str]]
    configs: Sequence[tuple[str, str]]
    origins: Sequence[str]
    values: NDArray[np.float64]
    spread: NDArray[np.float64]
    n: NDArray[np.int64]


def build(root: Path) -> int:
    """Write the index of a library's folder; returns how many priors it has.

    Raises HeadstartError where the disk refuses.
    """
    library = Library.open(root)
    tables = [library.matrix(T0, budget, halves=False) for budget in BUDGETS]
    first = tables[0]
    if not first.priors:
        return 0
    files = {name: _files(library.entries[name]) for name in first.priors}
    settings = zip(first.configs, first.settings, strict=True)
    about: dict[str, Any] = {"format": _FORMAT, "files": files, "origins": first.origins}
    about["configs"] = [[name, config.to_json() if config else ""] for name, config in settings]
    tensors: dict[str, NDArray[Any]] = {
        "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
        "values": np.stack([table.values for table in tables]).astype(np.float32),
        "spread": np.stack([table.spread for table in tables]).astype(np.float16),
        "n": np.stack([table.n for table in tables]).astype(np.int16),
    }
    write_atomically(root / FILE, gzip.compress(b"".join(tensor_file.encode(tensors)), 9, mtime=0))
    return len(files)


def read(root: Path) -> Index | None:
    """The index of a folder; None where there is none that this version can use."""
    try:
        content = unpacked((root / FILE).read_bytes())
        if content is None:
            return None
        tensors, _ = tensor_file.decode(np.frombuffer(content, np.uint8), FILE)
        about = json.loads(tensors["about"].tobytes())
        if about["format"] != _FORMAT:
            return None
        configs = [(str(name), str(text)) for name, text in about["configs"]]
        values, spread = (tensors[key].astype(np.float64) for key in ("values", "spread"))
        shape = (len(BUDGETS), len(about["files"]), len(configs))
        if values.shape == spread.shape == tensors["n"].shape == shape and len(about["origins"]) == shape[2]:
            return Index(
                about["files"], configs, about["origins"], values, spread, tensors["n"].astype(np.int64)
            )
    except (OSError, BadModel, KeyError, ValueError, TypeError, AttributeError, zlib.error):
        pass
    return None


def quick(library: Library, budget: float) -> Performance:
    """`library.matrix(T0, budget)` without the halves, nearly: where there is an index, at the nearest of its budgets.

    budget: seconds. What no index covers is read as it is and put below the rows that one does.
    """
    configs: Configs = {}
    parts: list[Performance] = []
    covered: set[str] = set()
    for root in library.roots:
        index = read(root)
        rows = (
            []
            if index is None
            else [n for n in index.files if n not in covered and _covers(index, library, root, n)]
        )
        part = None if index is None or not rows else _table(index, library, rows, budget, configs)
        if part is not None:
            parts.append(part)
            covered |= set(rows)
    rest = [name for name in library if name not in covered]
    if rest or not parts:
        parts.append(library.only(*rest).matrix(T0, budget, halves=False))
    return join(parts)


def join(parts: Sequence[Performance]) -> Performance:
    """Tables of different priors as one, NaN where a configuration was not run; columns sorted by name, no halves."""
    if len(parts) == 1:
        return replace(parts[0], halves=None)
    settings: dict[str, Config | None] = {}
    origins: dict[str, str] = {}
    for part in parts:
        for name, config, origin in zip(part.configs, part.settings, part.origins, strict=True):
            settings[name] = settings.get(name) or config
            origins[name] = origins.get(name) or origin
    columns = sorted(settings)
    place = {name: at for at, name in enumerate(columns)}
    shape = (sum(len(part.priors) for part in parts), len(columns))
    values, spread, n = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, np.int64)
    top = 0
    for part in parts:
        at = np.ix_(range(top, top + len(part.priors)), [place[name] for name in part.configs])
        values[at], spread[at], n[at] = part.values, part.spread, part.n
        top += len(part.priors)
    return Performance(
        tuple(name for part in parts for name in part.priors),
        tuple(source for part in parts for source in part.sources),
        tuple(columns),
        tuple(settings[name] for name in columns),
        tuple(origins[name] for name in columns),
        values,
        spread,
        n,
    )


def _files(entry: Entry) -> list[str]:
    return [entry.id, *(path.name for path in bundle_files(entry.folders[-1]))]


def _covers(index: Index, library: Library, root: Path, name: str) -> bool:
    """Whether a prior of the library lies in this folder only and is what the index was made of."""
    entry = library.entries.get(name)
    return entry is not None and entry.folders == (root / name,) and _files(entry) == list(index.files[name])


def _table(
    index: Index, library: Library, rows: Sequence[str], budget: float, configs: Configs
) -> Performance | None:
    """The rows of these priors; None where this version cannot read a configuration (then the runs are read)."""
    nearest = min(range(len(BUDGETS)), key=lambda at: abs(math.log(BUDGETS[at] / budget)))
    places = list(index.files)
    own = [places.index(name) for name in rows]
    used = np.flatnonzero(index.n[nearest][own].any(axis=0)).tolist()
    try:
        known = [read_config(*index.configs[at], configs) for at in used]
    except BadConfig:
        return None
    at = np.ix_(own, used)
    return Performance(
        tuple(rows),
        tuple(library.entries[name].prior.source for name in rows),
        tuple(name for name, _ in known),
        tuple(config for _, config in known),
        tuple(index.origins[at] for at in used),
        index.values[nearest][at],
        index.spread[nearest][at],
        index.n[nearest][at],
    )
