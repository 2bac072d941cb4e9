"""`evidence.npz`: out-of-fold posteriors of training samples, without pickle.

Its arrays are rows, posteriors and targets as in `Evidence`, and the paths as one run of bytes: path_blob
uint8 [bytes] (UTF-8 with surrogateescape, so that any file name survives), path_ends int64 [n].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.errors import BadModel
from headstart.store.atomic import write_atomically
from headstart.store.tables import encoded


@dataclass(frozen=True)
class Evidence:
    """What the published model says about training samples that it was not solved from.

    rows: int64 [n], indices into the training split. posteriors: float16 [n, classes].
    targets: int32 [n] (class index), or uint8 [n, classes] of a multi-label task.
    paths: n paths relative to the root of the split, or none; they let a report show the pictures.
    """

    rows: NDArray[np.int64]
    posteriors: NDArray[np.float16]
    targets: NDArray[Any]
    paths: Sequence[str] = ()

    def check(self) -> None:
        """Raises ValueError for shapes that do not belong together."""
        n = len(self.posteriors)
        agree = self.posteriors.ndim == 2 and self.rows.shape == (n,) and len(self.paths) in {0, n}
        if not agree or self.targets.shape not in {(n,), self.posteriors.shape}:
            shapes = (self.rows.shape, self.posteriors.shape, self.targets.shape, (len(self.paths),))
            raise ValueError(f"rows, posteriors, targets and paths of shapes {shapes} do not belong together")


def write(path: Path, evidence: Evidence) -> None:
    """Replace the file at `path` in one step. Raises ValueError (see `Evidence.check`), DiskFull."""
    evidence.check()
    blobs = [encoded(name) for name in evidence.paths]
    arrays: dict[str, Any] = {
        "rows": np.asarray(evidence.rows, np.int64),
        "posteriors": np.asarray(evidence.posteriors, np.float16),
        "targets": np.asarray(evidence.targets, np.int32 if evidence.targets.ndim == 1 else np.uint8),
        "path_blob": np.frombuffer(b"".join(blobs), np.uint8),
        "path_ends": np.cumsum([len(blob) for blob in blobs], dtype=np.int64),
    }
    write_atomically(path, lambda file: np.savez(file, **arrays))


def read(path: Path) -> Evidence:
    """What the file at `path` holds; nothing in it is run. Raises BadModel: missing or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            names = _paths(arrays["path_blob"].tobytes(), arrays["path_ends"].tolist())
            evidence = Evidence(arrays["rows"], arrays["posteriors"], arrays["targets"], names)
        evidence.check()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadModel(f"{path.parent} is no run folder of headstart: there is no {path.name}") from error
    except Exception as error:  # a damaged archive fails in a dozen ways, with errors of five modules
        raise BadModel(f"{path} is damaged: {error}; run `headstart fit` again on its folder") from error
    return evidence


def _paths(blob: bytes, ends: Sequence[int]) -> tuple[str, ...]:
    starts = [0, *ends[:-1]]
    return tuple(
        blob[start:end].decode("utf-8", "surrogateescape") for start, end in zip(starts, ends, strict=False)
    )
