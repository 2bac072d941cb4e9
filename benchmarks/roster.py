"""The learners of the table: how each is started and what it needs."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType


@dataclass(frozen=True)
class Learner:
    """module: in benchmarks.learners. peer: whether it counts as a rival (the others are our own steps).

    needs: modules that must be installed. network: whether it needs the checkpoint for torch.
    on_headstart: whether it runs headstart's code, so that a change there changes it.
    """

    module: str
    shown: str
    options: tuple[str, ...] = ()
    peer: bool = True
    needs: tuple[str, ...] = ()
    network: bool = False
    on_headstart: bool = False


def _practitioner(pixels: int, strength: int) -> Learner:
    return Learner(
        "practitioner",
        f"(d) torch Lite0 {pixels} px, length 1, LogisticRegression C={strength}",
        ("--pixels", str(pixels), "-C", str(strength)),
        needs=("torch", "sklearn"),
        network=True,
    )


LEARNERS: Mapping[str, Learner] = MappingProxyType(
    {
        "ours": Learner("ours", "**headstart**", peer=False, on_headstart=True),
        "average": Learner(
            "ours", "headstart, frames averaged only", ("--variant", "average"), peer=False, on_headstart=True
        ),
        "whole": Learner(
            "ours", "headstart, no keyframes first", ("--variant", "whole"), peer=False, on_headstart=True
        ),
        "prototype": Learner(
            "prototype", "one-page engine, 64 → 128 → 224 px", peer=False, on_headstart=True
        ),
        "mean5": Learner(
            "mean5", "mean of the 5 best of 21 by evidence", peer=False, on_headstart=True, needs=("sklearn",)
        ),
        "frozen64": Learner(
            "frozen", "(a) Lite0 64 px, ridge, streamed", ("--pixels", "64"), on_headstart=True
        ),
        "frozen128": Learner(
            "frozen", "(a) Lite0 128 px, ridge, streamed", ("--pixels", "128"), on_headstart=True
        ),
        "finetune64": Learner(
            "finetune", "(b) fine-tune Lite0 64 px", ("--pixels", "64"), needs=("torch",), network=True
        ),
        "pixels_lr": Learner(
            "pixels", "(c) 16x16 pixels, LogisticRegression", ("--head", "lr"), needs=("sklearn",)
        ),
        "pixels_trees": Learner(
            "pixels", "(c) 16x16 pixels, ExtraTrees", ("--head", "trees"), needs=("sklearn",)
        ),
        "clips128": Learner(
            "by_hand",
            "(e) torch Lite0 128 px, mean of 8 frames, LogisticRegression",
            ("--pixels", "128"),
            needs=("torch", "sklearn", "av"),
            network=True,
        ),
        "flow_lr": Learner(
            "flow",
            "(f) dense optical flow in cells, LogisticRegression",
            needs=("cv2", "sklearn", "av"),
        ),
        **{f"practitioner{p}_c{c}": _practitioner(p, c) for p in (128, 224) for c in (1, 100)},
    }
)


def missing(learner: Learner, weights: Path | None, package: Path | None) -> str:
    """Why a learner cannot run here; empty when it can."""
    absent = [name for name in learner.needs if importlib.util.find_spec(name) is None]
    if absent:
        return f"{', '.join(absent)} not installed"
    if not learner.network:
        return ""
    if weights is None or not weights.is_file():
        return "no checkpoint: give --weights"
    if package is None and importlib.util.find_spec("efficientnet_lite_pytorch") is None:
        return "efficientnet-lite-pytorch not installed: give --package"
    return ""
