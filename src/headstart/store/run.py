"""The run folder: all that a run leaves on disk, valid after every write.

run/
├── model/            what `predict` loads (see snapshot.py)
├── curve.csv         one row per published prediction (see curve.py)
├── predictions.csv   for --test: path, label, confidence, one column per class
├── skipped.csv       path, reason
├── run.json          budget, clock, versions, machine, configuration and why, state
├── evidence.npz      out-of-fold posteriors of the training samples
├── cache/            features (see cache.py)
├── report.html
└── .lock             held by the process that writes, with its id
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from numpy.typing import NDArray

from headstart.errors import BadInput, BadModel
from headstart.store import curve, evidence
from headstart.store.atomic import failure, sweep, write_atomically
from headstart.store.curve import CurveRow
from headstart.store.evidence import Evidence
from headstart.store.lock import hold
from headstart.store.predictions import write_predictions
from headstart.store.tables import line, read_table, write_table
from headstart.words.task import LabelKind, Skipped

__all__ = ["CurveRow", "Evidence", "RunFolder"]

_LOCK = ".lock"
_OURS = (_LOCK, "run.json", "curve.csv")


class RunFolder:
    """A folder that one process writes and any number read. Use `open`, and `close` or a `with` block."""

    def __init__(self, path: Path, lock: BinaryIO | None) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def open(cls, path: Path, *, exclusive: bool = True) -> RunFolder:
        """The run folder at `path`: to write, made where needed and locked; or (not exclusive) only to read.

        Raises Busy where another process holds it, BadInput where it is a file or holds other things,
        DiskFull or HeadstartError where it cannot be written, and BadModel where there is nothing to read.
        """
        if not exclusive:
            if not path.is_dir():
                raise BadModel(f"{path} is no run folder of headstart: there is no such folder")
            return cls(path, None)
        try:
            _make(path)
            run = cls(path, hold(path / _LOCK))
        except OSError as error:
            raise failure(path, error) from error
        try:
            run._make_ready()
        except BaseException:
            run.close()
            raise
        return run

    def _make_ready(self) -> None:
        """The folders are there, and what a killed writer left half done is gone."""
        for folder in (self.path, self.model_path, self.cache_path):
            try:
                folder.mkdir(exist_ok=True)
            except OSError as error:
                raise failure(folder, error) from error
            sweep(folder)
        curve.repair(self.curve_path)

    def close(self) -> None:
        """Let others write; may be called twice."""
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def model_path(self) -> Path:
        """The folder that `snapshot.publish` writes and `snapshot.read` reads."""
        return self.path / "model"

    @property
    def cache_path(self) -> Path:
        """The folder for feature caches; anything in it can be computed again."""
        return self.path / "cache"

    @property
    def curve_path(self) -> Path:
        """The curve as CSV."""
        return self.path / "curve.csv"

    @property
    def predictions_path(self) -> Path:
        """The predictions for the unlabelled files, as CSV."""
        return self.path / "predictions.csv"

    @property
    def report_path(self) -> Path:
        """The self-contained page."""
        return self.path / "report.html"

    def start_curve(self) -> None:
        """Begin the curve anew: rows of an earlier run in this folder go."""
        curve.start(self.curve_path)

    def append_curve(self, row: CurveRow) -> None:
        """Add the row of one published prediction. Raises DiskFull; the rows before then stand."""
        curve.append(self.curve_path, row)

    def read_curve(self) -> list[CurveRow]:
        """All rows, oldest first. Raises BadModel."""
        return curve.read(self.curve_path)

    def write_run(self, document: Mapping[str, Any]) -> None:
        """Replace run.json. Numbers that are not finite become null, which JSON has no other word for."""
        text = json.dumps(_finite(document), indent=2, ensure_ascii=False)
        try:
            content = text.encode()
        except UnicodeEncodeError:  # a file name that is no UTF-8
            content = json.dumps(_finite(document), indent=2).encode()
        write_atomically(self.path / "run.json", content + b"\n")

    def read_run(self) -> dict[str, Any]:
        """What run.json holds. Raises BadModel."""
        path = self.path / "run.json"
        try:
            document = json.loads(path.read_bytes())
        except OSError as error:
            raise _unreadable(path, error) from error
        except (ValueError, RecursionError) as error:
            raise BadModel(f"{path} is damaged: {error}") from error
        if not isinstance(document, dict):
            raise BadModel(f"{path} is damaged: it is no JSON object")
        return document

    def write_skipped(self, skipped: Iterable[Skipped]) -> None:
        """Replace skipped.csv."""
        lines = (line((item.path, item.reason)) for item in skipped)
        write_table(self.path / "skipped.csv", ("path", "reason"), lines)

    def read_skipped(self) -> list[Skipped]:
        """What skipped.csv lists. Raises BadModel."""
        path = self.path / "skipped.csv"
        header, rows = read_table(path)
        if header != ["path", "reason"] or any(len(row) != 2 for row in rows):
            raise BadModel(f"{path} is damaged: it is no list of paths and reasons")
        return [Skipped(*row) for row in rows]

    def write_predictions(
        self,
        paths: Sequence[str],
        classes: Sequence[str],
        posteriors: NDArray[Any],
        label_kind: LabelKind,
        thresholds: NDArray[Any] | None = None,
    ) -> None:
        """Replace predictions.csv; posteriors: float [len(paths), len(classes)]. See predictions.py."""
        write_predictions(self.predictions_path, paths, classes, posteriors, label_kind, thresholds)

    def write_evidence(self, item: Evidence) -> None:
        """Replace evidence.npz."""
        evidence.write(self.path / "evidence.npz", item)

    def read_evidence(self) -> Evidence:
        """What evidence.npz holds. Raises BadModel."""
        return evidence.read(self.path / "evidence.npz")


def _make(path: Path) -> None:
    """Make the folder, and refuse one that holds other things: a run must not spread over someone's files."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        names = {item.name for item in path.iterdir()}
        if not names.intersection(_OURS) and any(not name.startswith(".") for name in names):
            raise BadInput(f"{path} holds files that are no run of headstart: name a new or an empty folder")
    except (FileExistsError, NotADirectoryError) as error:
        raise BadInput(f"{path} is a file: name a folder for the run") from error


def _unreadable(path: Path, error: OSError) -> BadModel:
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return BadModel(f"{path.parent} is no run folder of headstart: there is no {path.name}")
    return BadModel(f"{path} cannot be read: {error.strerror or error}")


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
