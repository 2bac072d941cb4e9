"""Prior: a data set that was learnt before, described without its samples; a folder of files that never change.

`FOLDER/prior.json` says what the data set is and ends with a checksum over itself, the prior's id; it names the
checksum of `FOLDER/features.safetensors`, which is written first. Runs lie in `FOLDER/runs/`, see `bundle`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from headstart.errors import BadInput, BadModel
from headstart.meta.moments import MOMENTS, moments
from headstart.store.atomic import write_atomically
from headstart.store.tensors import decode, encode
from headstart.words.task import Kind, LabelKind

if TYPE_CHECKING:
    from headstart.meta.fingerprint import Fingerprint, Simple

FORMAT = 1
ROWS = 48  # reference rows of a prior; a shipped library holds dozens of priors
DESCRIPTION, FEATURES, RUNS = "prior.json", "features.safetensors", "runs"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class Prior:
    """What is known of a data set.

    name: a word of letters, digits, _ . and -; also the name of its folder.
    source: what it was made from: priors of one source are held out together.
    kind, labels: as of a task. classes, samples: of the training part; test: samples of the test part, 0 = none.
    per_class: samples of the average class. rarest: samples of the rarest class. pixels: side of a square with as
        many pixels as the typical file. 0 where one of these is not known.
    licence: of the data, for whoever gets the library.
    landmarks: held-out evidence of cheap models, by name (for example {"pixels@16/means": .61}).
    Raises BadInput that names the field.
    """

    name: str
    source: str
    kind: Kind = "image"
    labels: LabelKind = "single"
    classes: int = 0
    samples: int = 0
    test: int = 0
    per_class: float = 0.0
    rarest: int = 0
    pixels: float = 0.0
    licence: str = ""
    landmarks: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and NAME.fullmatch(self.name)):
            raise BadInput(
                f"{self.name!r:.60} cannot name a prior: use up to 100 letters, digits, _ . and -, no . _ - in front"
            )
        object.__setattr__(self, "landmarks", dict(self.landmarks))
        _check(self)

    @staticmethod
    def of(
        name: str,
        source: str,
        simple: Simple,
        *,
        test: int = 0,
        licence: str = "",
        landmarks: Mapping[str, float] | None = None,
    ) -> Prior:
        """From the simple meta-features of `meta.fingerprint`."""
        return Prior(
            name, source, simple.kind, simple.labels, simple.classes, simple.samples, test, simple.per_class,
            simple.rarest, simple.pixels, licence, landmarks or {},
        )  # fmt: skip

    @property
    def simple(self) -> Simple:
        """The simple meta-features, as `meta.fingerprint` gives them for a new task."""
        from headstart.meta.fingerprint import Simple

        return Simple(
            self.samples, self.classes, self.per_class, self.rarest, self.pixels, self.kind, self.labels
        )


@dataclass(frozen=True, eq=False)
class Features:
    """What a prior looks like to a network.

    rows: float16 [r, d], at most 48 reference samples, class-balanced. classes: int32 [r], of each (-1: none).
    moments: float32 [6 * d], the MOMENTS of all `n` samples that were looked at, as `meta.moments` gives them.
    Raises BadInput where the arrays do not fit together.
    """

    rows: NDArray[np.float16]
    classes: NDArray[np.int32]
    moments: NDArray[np.float32]
    n: int

    def __post_init__(self) -> None:
        if self.rows.ndim != 2 or self.classes.shape != self.rows.shape[:1] or self.n < len(self.rows):
            raise BadInput(
                f"features of shape {self.rows.shape} do not fit {self.classes.shape} classes of {self.n} samples"
            )
        if self.moments.shape != (len(MOMENTS) * self.rows.shape[1],):
            raise BadInput(f"moments of shape {self.moments.shape} do not fit features of {self.rows.shape}")
        if not (np.isfinite(self.rows).all() and np.isfinite(self.moments).all()):
            raise BadInput("features of a prior must be finite numbers")

    @staticmethod
    def of(fingerprint: Fingerprint, rows: int = ROWS) -> Features:
        """From a fingerprint: its first `rows` rows, and the moments of all."""
        first = fingerprint.reference(rows)
        told = moments(fingerprint.features).astype(np.float16).astype(np.float32)  # as it will be read again
        return Features(
            first.features.astype(np.float16), first.classes, told, len(fingerprint.features)
        )  # fmt: skip

    def moment(self, name: str) -> NDArray[np.float32]:
        """One of MOMENTS, float32 [d]."""
        width = self.rows.shape[1]
        at = MOMENTS.index(name) * width
        return self.moments[at : at + width]


def name_of(title: str, longest: int = 100) -> str:
    """A name made of a folder's: what a prior's name may not hold becomes `_`."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", title).strip("._-")[:longest] or "prior"


def identity(prior: Prior, features: Features | None) -> str:
    """The id that a prior with these features has: 64 hex digits."""
    return _sealed(prior, features)[0]


def write(folder: Path, prior: Prior, features: Features | None) -> str:
    """Write a prior into its folder, which is made, and return its id. Writing the same again changes nothing.

    Raises BadInput where the folder holds another prior of the name; HeadstartError where the disk refuses.
    """
    told, text, tensors = _sealed(prior, features)
    path = folder / DESCRIPTION
    if path.exists():
        if read(folder)[1] != told:
            raise BadInput(
                f"the prior {prior.name} is in {folder.parent} already and described otherwise: entries never change, "
                "so take another name or remove its folder"
            )
        return told
    (folder / RUNS).mkdir(parents=True, exist_ok=True)
    if features is not None:
        write_atomically(folder / FEATURES, tensors)
    write_atomically(path, text)
    return told


def copy(folder: Path, target: Path) -> None:
    """Write the prior of one folder into another, byte for byte. Raises BadInput where the first is damaged."""
    features = read(folder)[2]
    if features:
        read_features(folder, features)
    for name in (FEATURES, DESCRIPTION) if features else (DESCRIPTION,):
        write_atomically(target / name, (folder / name).read_bytes())


def read(folder: Path) -> tuple[Prior, str, str]:
    """The prior of a folder, its id, and the checksum of its features ("" where it has none).

    Raises BadInput, naming the file, where it is missing or damaged.
    """
    path = folder / DESCRIPTION
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"the entry {path} cannot be read: {error.strerror}") from error
    try:
        body = json.loads(content)
        told = body.pop("sha256")
        if body["format"] != FORMAT:
            raise BadInput(
                f"the entry {path} is of format {body['format']!r:.20}, not {FORMAT}: update headstart"
            )
        if told != _checksum(body) or body["prior"]["name"] != folder.name:
            raise ValueError
        return Prior(**body["prior"]), told, str(body["features"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInput(
            f"the entry {path} is damaged: its content does not have the checksum that it ends with"
        ) from error


def read_features(folder: Path, checksum: str) -> Features:
    """The features of a prior. checksum: as `read` gives it. Raises BadInput where the file is missing or damaged."""
    path = folder / FEATURES
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"the features {path} cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != checksum:
        raise BadInput(f"the features {path} are damaged: they do not have the checksum that the prior names")
    try:
        tensors, about = decode(np.frombuffer(content, np.uint8), str(path))
        return Features(
            tensors["rows"], tensors["classes"], tensors["moments"].astype(np.float32), int(about["n"])
        )
    except (BadModel, KeyError, ValueError) as error:
        raise BadInput(f"the features {path} are of another version of headstart") from error


def _sealed(prior: Prior, features: Features | None) -> tuple[str, bytes, bytes]:
    """Id, description and tensors as they are written."""
    tensors = b"" if features is None else _tensors(features)
    body: dict[str, Any] = {"format": FORMAT, "prior": dataclasses.asdict(prior)}
    body["features"] = hashlib.sha256(tensors).hexdigest() if tensors else ""
    told = _checksum(body)
    return told, (json.dumps(body | {"sha256": told}, indent=1) + "\n").encode(), tensors


def _tensors(features: Features) -> bytes:
    arrays: dict[str, NDArray[Any]] = {
        "rows": features.rows,
        "classes": features.classes,
        "moments": features.moments.astype(np.float16),
    }
    return b"".join(encode(arrays, {"n": str(features.n)}))


def _checksum(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _check(prior: Prior) -> None:
    who = f"the prior {prior.name}"
    if not isinstance(prior.source, str) or not prior.source.strip():
        raise BadInput(f"{who} names no source: say what it was made from, or its own name")
    for key, allowed in (("kind", get_args(Kind)), ("labels", get_args(LabelKind))):
        if getattr(prior, key) not in allowed:
            raise BadInput(
                f'"{key}" of {who} is {getattr(prior, key)!r:.40}, but must be one of {", ".join(allowed)}'
            )
    for key in ("classes", "samples", "test", "per_class", "rarest", "pixels"):
        value = getattr(prior, key)
        if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
            raise BadInput(f'"{key}" of {who} is {value!r:.40}, but must be a number, 0 or more')
    for key, value in prior.landmarks.items():
        if type(value) not in (int, float) or not math.isfinite(value):
            raise BadInput(f"the landmark {key!r:.40} of {who} is {value!r:.40}, but must be a finite number")
    if not isinstance(prior.licence, str):
        raise BadInput(f'"licence" of {who} must be text')
