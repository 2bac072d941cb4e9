"""A published model: files in, class posteriors out. What `predict` loads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.backbones.session import Session, open_session
from headstart.backbones.table import Precision, digest
from headstart.data.scan import scan_unlabelled
from headstart.data.squares import at_sizes
from headstart.errors import BadModel
from headstart.heads.ensemble import Ensemble, Member
from headstart.heads.kernel import Kernel, Matrix, unit
from headstart.store import snapshot as files
from headstart.words.task import LabelKind, Skipped, Task

_FILES_AT_ONCE = 32


@dataclass(frozen=True)
class Prediction:
    """What a model says about one file: its label, how sure it is (0 to 1), and every class's posterior."""

    path: str
    label: str
    confidence: float
    posteriors: NDArray[np.float32]


@dataclass(frozen=True)
class Model:
    """Classes, the ensemble that tells them apart, and the precision that its features were computed at."""

    classes: tuple[str, ...]
    kind: str
    labels: LabelKind
    precision: Precision
    evidence: float
    samples_seen: int
    ensemble: Ensemble
    path: Path | None = None

    def posteriors(self, paths: Sequence[str]) -> tuple[Matrix, tuple[Skipped, ...]]:
        """Posteriors float32 [n, classes] for image files; NaN in the rows of files that cannot be read."""
        skipped: list[Skipped] = []
        parts = [part for _, part in self._pieces("", paths, skipped)]
        return np.concatenate([np.empty((0, len(self.classes)), np.float32), *parts]), tuple(skipped)

    def predict(self, what: str | os.PathLike[str] | Sequence[str]) -> list[Prediction]:
        """Predictions for a folder (all images below it), a file or a list of files, without unreadable ones."""
        return list(self.stream(what))

    def stream(
        self, what: str | os.PathLike[str] | Sequence[str], skipped: list[Skipped] | None = None
    ) -> Iterator[Prediction]:
        """As `predict`, one at a time; files that cannot be read are added to `skipped`."""
        unusable = [] if skipped is None else skipped
        root, names = _files(what, unusable)
        for some, posteriors in self._pieces(root, names, unusable):
            for name, row in zip(some, posteriors, strict=True):
                if not np.isnan(row[0]):
                    best = int(row.argmax())
                    yield Prediction(name, self.classes[best], float(row[best]), row)

    def _pieces(
        self, root: str, names: Sequence[str], skipped: list[Skipped]
    ) -> Iterator[tuple[list[str], Matrix]]:
        """A few files at a time: their names, and posteriors with NaN in the rows of unreadable ones."""
        sessions: dict[str, Session] = {}
        for first in range(0, len(names), _FILES_AT_ONCE):
            some = list(names[first : first + _FILES_AT_ONCE])
            features, read = self._features([os.path.join(root, name) for name in some], sessions, skipped)
            result = np.full((len(some), len(self.classes)), np.nan, np.float32)
            if len(read):
                result[read] = self.ensemble(features)
            yield some, result

    def _features(
        self, paths: Sequence[str], sessions: dict[str, Session], skipped: list[Skipped]
    ) -> tuple[dict[str, Matrix], NDArray[np.int64]]:
        wanted: dict[tuple[str, int], list[str]] = {}
        for block in self.ensemble.blocks:
            backbone, pixels, output = parts(block)
            wanted.setdefault((backbone, pixels), []).append(output)
        sizes = sorted({pixels for _, pixels in wanted})
        read: list[int] = []
        images: dict[int, list[NDArray[np.uint8]]] = {size: [] for size in sizes}
        for place, path in enumerate(paths):
            found = at_sizes(path, sizes)
            if isinstance(found, Skipped):
                skipped.append(found)
                continue
            read.append(place)
            for size, square in zip(sizes, found, strict=True):
                images[size].append(square)
        features: dict[str, Matrix] = {}
        for (backbone, pixels), outputs in wanted.items() if read else ():
            if backbone not in sessions:
                sessions[backbone] = open_session(backbone, self.precision)
            values = sessions[backbone](np.stack(images[pixels]))
            for output in outputs:
                stored = values[output].astype(np.float16).astype(np.float32)  # as the run's cache keeps them
                features[f"{backbone}@{pixels}/{output}"] = unit(stored)
        return features, np.array(read, np.int64)


def parts(block: str) -> tuple[str, int, str]:
    """`lite0@64/d10` as backbone, pixels and output."""
    backbone, rest = block.split("@")
    pixels, output = rest.split("/")
    return backbone, int(pixels), output


def _files(what: Any, skipped: list[Skipped]) -> tuple[str, Sequence[str]]:
    if isinstance(what, (str, os.PathLike)):
        if os.path.isfile(what):
            return "", [os.fspath(what)]
        samples, unusable = scan_unlabelled(what)
        skipped.extend(unusable)
        return samples.root, samples.paths
    return "", [os.fspath(path) for path in what]


def save(
    folder: Path, task: Task, precision: Precision, evidence: float, samples_seen: int, ensemble: Ensemble
) -> None:
    """Publish a model into `folder` in one step. Raises DiskFull."""
    tensors: dict[str, NDArray[Any]] = {}
    members = []
    for number, member in enumerate(ensemble.members):
        tensors[f"members/{number}/weights"] = member.weights.astype(np.float32)
        tensors[f"members/{number}/offset"] = member.offset.astype(np.float32)
        about = {key: getattr(member, key) for key in ("head", "landmarks", "temperature", "evidence")}
        members.append({**about, "blocks": list(member.blocks), "kernel": asdict(member.kernel)})
    for block, fixed in ensemble.landmarks.items():
        tensors[f"landmarks/{block}"] = fixed
    backbones = sorted({parts(block)[0] for block in ensemble.blocks})
    document = {
        "name": task.name,
        "kind": task.kind,
        "labels": task.labels,
        "classes": list(task.classes),
        "precision": precision,
        "evidence": evidence,
        "samples_seen": samples_seen,
        "members": members,
        "backbones": {name: digest(name, precision) for name in backbones},
    }
    files.publish(folder, document, tensors)


def load(path: str | os.PathLike[str]) -> Model:
    """The newest published model of a run folder (or of its `model/` folder). Raises BadModel."""
    folder = Path(path)
    inside = folder / "model"
    document, tensors = files.read(inside if inside.is_dir() else folder)
    for name, checksum in document["backbones"].items():
        if digest(name, document["precision"]) != checksum:
            raise BadModel(
                f"the model in {str(folder)!r} was made with other weights of {name} than this version of "
                "headstart has: fit again, or install the version that made it"
            )
    members = tuple(
        Member(
            about["head"],
            tuple(about["blocks"]),
            Kernel(**about["kernel"]),
            about["landmarks"],
            tensors[f"members/{number}/weights"],
            tensors[f"members/{number}/offset"],
            about["temperature"],
            about["evidence"],
        )
        for number, about in enumerate(document["members"])
    )
    landmarks = {
        key.removeprefix("landmarks/"): t.astype(np.float32)
        for key, t in tensors.items()
        if key.startswith("landmarks/")
    }
    return Model(
        tuple(document["classes"]),
        document["kind"],
        document["labels"],
        document["precision"],
        document["evidence"],
        document["samples_seen"],
        Ensemble(members, landmarks, document["labels"]),
        folder,
    )
