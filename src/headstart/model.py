"""A published model: files in, class posteriors out. What `predict` loads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.backbones.session import Session, open_graph, open_session
from headstart.backbones.table import Precision, digest
from headstart.data import films
from headstart.data.arrays import Pictures
from headstart.data.frames import frames_of
from headstart.data.kinds import is_film
from headstart.data.scan import scan_unlabelled
from headstart.data.squares import at_sizes, clips_at_sizes
from headstart.errors import BadModel
from headstart.heads.ensemble import Ensemble, Member
from headstart.heads.kernel import Kernel, Matrix, unit
from headstart.heads.trained import Trained
from headstart.learn.embedding import embedded
from headstart.store import snapshot as files
from headstart.words.config import Stage, stage_of
from headstart.words.task import Kind, LabelKind, Skipped, Task

_FILES_AT_ONCE = 32
PathLike = str | os.PathLike[str]
Items = Sequence[Any] | NDArray[Any]
"""Paths, PIL images or arrays: see `data.arrays.Pictures`."""


@dataclass(frozen=True)
class Prediction:
    """What a model says about one file.

    label: of the class with the largest posterior; of a multi-label task all that reach their threshold,
        joined by `;`; empty where no posterior is as large as was asked for. confidence: the largest
        posterior, 0 to 1. posteriors: of every class.
    """

    path: str
    label: str
    confidence: float
    posteriors: NDArray[np.float32]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels one by one."""
        return tuple(self.label.split(";")) if self.label else ()


@dataclass(frozen=True)
class Model:
    """Classes, the ensemble that tells them apart, and the precision that its features were computed at.

    thresholds: of a multi-label task, from which posterior on each label is given, float32 [classes].
    """

    classes: tuple[str, ...]
    kind: Kind
    labels: LabelKind
    precision: Precision
    evidence: float
    samples_seen: int
    ensemble: Ensemble
    thresholds: NDArray[np.float32] | None = None
    path: Path | None = None

    def posteriors(self, what: Items) -> tuple[Matrix, tuple[Skipped, ...]]:
        """Posteriors float32 [n, classes] for files or pictures in memory; NaN in the rows of unreadable ones."""
        skipped: list[Skipped] = []
        pictures = Pictures(what, self.kind)
        parts = [part for _, part in self._pieces("", pictures.names, pictures, skipped)]
        return np.concatenate([np.empty((0, len(self.classes)), np.float32), *parts]), tuple(skipped)

    def predict(self, what: PathLike | Items, min_confidence: float = 0.0) -> list[Prediction]:
        """Predictions for a folder (all files below it), a file, or a list of files, PIL images or arrays.

        Those that cannot be read are left out. Labels whose posterior is below `min_confidence` are not given.
        """
        return list(self.stream(what, min_confidence=min_confidence))

    def stream(
        self, what: PathLike | Items, skipped: list[Skipped] | None = None, min_confidence: float = 0.0
    ) -> Iterator[Prediction]:
        """As `predict`, one at a time; files that cannot be read are added to `skipped`."""
        unusable = [] if skipped is None else skipped
        root, names, pictures = self._files(what, unusable)
        for some, posteriors in self._pieces(root, names, pictures, unusable):
            for name, row in zip(some, posteriors, strict=True):
                if not np.isnan(row[0]):
                    yield Prediction(name, self._label(row, min_confidence), float(row.max()), row)

    def _label(self, row: NDArray[np.float32], least: float) -> str:
        """The label or labels of one sample that reach `least`."""
        if self.labels == "single":
            best = int(row.argmax())
            return self.classes[best] if row[best] >= least else ""
        given = row >= np.maximum(0.5 if self.thresholds is None else self.thresholds, least)
        return ";".join(name for name, is_given in zip(self.classes, given, strict=True) if is_given)

    def _files(
        self, what: PathLike | Items, skipped: list[Skipped]
    ) -> tuple[str, Sequence[str], Pictures | None]:
        if not isinstance(what, (str, os.PathLike)):
            pictures = Pictures(what, self.kind)
            return "", pictures.names, pictures
        if os.path.isfile(what):
            return "", [os.fspath(what)], None
        samples, unusable = scan_unlabelled(what, self.kind)
        skipped.extend(unusable)
        return samples.root, samples.paths, None

    def _pieces(
        self, root: str, names: Sequence[str], pictures: Pictures | None, skipped: list[Skipped]
    ) -> Iterator[tuple[list[str], Matrix]]:
        """A few files at a time: their names, and posteriors with NaN in the rows of unreadable ones."""
        if self.kind == "video" and any(map(is_film, names[:1])):
            films.check()
        sessions: dict[str, Session] = {}
        at_once = _FILES_AT_ONCE // (4 if self.kind == "video" else 1)
        for first in range(0, len(names), at_once):
            some = list(names[first : first + at_once])
            features, read = self._features(
                [os.path.join(root, n) for n in some], pictures, sessions, skipped
            )
            result = np.full((len(some), len(self.classes)), np.nan, np.float32)
            if len(read):
                result[read] = self.ensemble(features)
            yield some, result

    def _features(
        self,
        paths: Sequence[str],
        pictures: Pictures | None,
        sessions: dict[str, Session],
        skipped: list[Skipped],
    ) -> tuple[dict[str, Matrix], NDArray[np.int64]]:
        stages = self._stages()
        sizes: dict[int, list[int]] = {}
        for stage in stages:
            sizes.setdefault(stage.frames, []).append(stage.pixels)
        if self.ensemble.trained is not None:
            sizes.setdefault(self.ensemble.trained.frames, []).append(self.ensemble.trained.pixels)
        sizes = {frames: sorted(set(wanted)) for frames, wanted in sizes.items()}
        read: list[int] = []
        items: dict[tuple[int, int], list[Any]] = {(f, size): [] for f in sizes for size in sizes[f]}
        for place, path in enumerate(paths):
            found = self._pixels(path, sizes, pictures)
            if isinstance(found, Skipped):
                skipped.append(found)
                continue
            read.append(place)
            for key, item in found.items():
                items[key].append(item)
        features: dict[str, Matrix] = {}
        if read and self.ensemble.trained is not None:
            features |= self._trained(self.ensemble.trained, items, sessions)
        for stage in stages if read else ():
            if stage.backbone not in sessions:
                sessions[stage.backbone] = open_session(stage.backbone, self.precision)
            values = embedded(stage, sessions[stage.backbone], items[stage.frames, stage.pixels])
            for block, value in zip(stage.blocks, values, strict=True):
                stored = value.astype(np.float16).astype(np.float32)  # as the run's cache keeps them
                features[block] = unit(stored)
        return features, np.array(read, np.int64)

    def _trained(
        self, trained: Trained, items: Mapping[tuple[int, int], list[Any]], sessions: dict[str, Session]
    ) -> dict[str, Matrix]:
        """The posteriors of the networks that were trained on this task."""
        pixels = np.stack([frames_of(one, trained.frames) for one in items[trained.frames, trained.pixels]])
        logits: list[NDArray[np.floating]] = []
        for number, graph in enumerate(trained.graphs):
            key = f"{trained.block} {number}"
            if key not in sessions:
                sessions[key] = open_graph(graph, ("logits",))
            logits.append(sessions[key](pixels)["logits"])
        return {trained.block: trained.posteriors(logits, self.labels)}

    def _stages(self) -> list[Stage]:
        """What must be computed: one stage for each backbone, size and number of frames."""
        outputs: dict[tuple[str, int, int], list[str]] = {}
        for block in self.ensemble.blocks:
            one = stage_of(block)
            outputs.setdefault((one.backbone, one.pixels, one.frames), []).append(one.outputs[0])
        return [Stage(name, pixels, tuple(o), frames) for (name, pixels, frames), o in outputs.items()]

    def _pixels(
        self, path: str, sizes: Mapping[int, list[int]], pictures: Pictures | None
    ) -> dict[tuple[int, int], Any] | Skipped:
        """A sample's square or clip for each number of frames and size; or why it cannot be read."""
        result: dict[tuple[int, int], Any] = {}
        for frames, wanted in sizes.items():
            found: Sequence[Any] | Skipped
            if pictures is not None and pictures.in_memory(path):
                made = [pictures(path, size, frames) for size in wanted]
                found = next((one for one in made if isinstance(one, Skipped)), made)
            elif self.kind == "video":
                found = clips_at_sizes(path, frames, wanted)
            else:
                found = at_sizes(path, wanted)
            if isinstance(found, Skipped):
                return found
            result |= {(frames, size): item for size, item in zip(wanted, found, strict=True)}
        return result


def save(
    folder: Path,
    task: Task,
    precision: Precision,
    evidence: float,
    samples_seen: int,
    ensemble: Ensemble,
    thresholds: NDArray[np.float32] | None = None,
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
    trained = ensemble.trained
    for number, network in enumerate(trained.graphs if trained is not None else ()):
        tensors[f"trained/{number}"] = np.frombuffer(network, np.uint8)
    if thresholds is not None:
        tensors["thresholds"] = thresholds.astype(np.float32)
    backbones = sorted({stage_of(block).backbone for block in ensemble.blocks})
    document = {
        "name": task.name,
        "kind": task.kind,
        "labels": task.labels,
        "classes": list(task.classes),
        "precision": precision,
        "evidence": evidence,
        "samples_seen": samples_seen,
        "members": members,
        "temperature": ensemble.temperature,
        "trained": None if trained is None else _about(trained, ensemble.share),
        "backbones": {name: digest(name, precision) for name in backbones},
    }
    files.publish(folder, document, tensors)


def _about(trained: Trained, share: float) -> dict[str, Any]:
    """All but the graphs."""
    keys = ("name", "pixels", "frames", "temperature", "evidence", "samples")
    return {**{key: getattr(trained, key) for key in keys}, "networks": len(trained.graphs), "share": share}


def _read_trained(document: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Trained | None:
    about = document.get("trained")
    if about is None:
        return None
    graphs = tuple(tensors[f"trained/{number}"].tobytes() for number in range(about["networks"]))
    return Trained(
        about["name"],
        about["pixels"],
        about["frames"],
        graphs,
        about["temperature"],
        about["evidence"],
        about["samples"],
    )


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
        Ensemble(
            members,
            landmarks,
            document["labels"],
            document.get("temperature", 1.0),
            _read_trained(document, tensors),
            (document.get("trained") or {}).get("share", 0.0),
        ),
        tensors.get("thresholds"),
        folder,
    )
