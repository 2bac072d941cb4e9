"""What is to be learnt: classes, kinds and sample lists. A Task holds no pixels and opens no file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["image", "video"]
LabelKind = Literal["single", "multi"]


@dataclass(frozen=True)
class Samples:
    """A list of samples.

    paths: where each sample lies, relative to `root`; n entries.
    targets: None where labels are not known; else int32 [n] (class index) for single-label
        tasks and uint8 [n, classes] (0 or 1) for multi-label ones.
    """

    root: str
    paths: Sequence[str]
    targets: NDArray[np.generic] | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def content(self) -> Iterator[bytes]:
        """All paths in their order as bytes that no other list of paths gives, for checksums."""
        whole = getattr(self.paths, "content", None)
        if whole is not None:  # a long list need not be taken apart for it
            yield from whole()
            return
        for path in self.paths:
            yield len(path).to_bytes(8, "little") + path.encode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class Skipped:
    """A file that cannot be used, and why. A value on the stream, not an exception."""

    path: str
    reason: str


@dataclass(frozen=True)
class Task:
    """A classification task: what the classes are and which samples each split has.

    notes: how kind, labels and split were found, for the user; each can be overridden.
    """

    name: str
    kind: Kind
    labels: LabelKind
    classes: tuple[str, ...]
    train: Samples
    test: Samples | None = None
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()

    def indicator(self) -> NDArray[np.uint8]:
        """The training targets as 0/1 columns, uint8 [n, classes]."""
        targets = self.train.targets
        if targets is None:
            raise ValueError("a training split has targets")
        if targets.ndim == 2:
            return targets.astype(np.uint8, copy=False)
        columns = np.zeros((len(targets), len(self.classes)), np.uint8)
        columns[np.arange(len(targets)), targets] = 1
        return columns
