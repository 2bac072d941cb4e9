"""headstart: a folder of labelled images or videos and a time budget in, the best classifier at every moment out.

    import headstart

    model = headstart.fit("photos/", "5m", "run/")
    for prediction in model.predict("new/"):
        print(prediction.path, prediction.label, prediction.confidence)

Everything public is exported here; the rooms behind it load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headstart.version import __version__

if TYPE_CHECKING:
    from headstart.api import fit, watch
    from headstart.errors import HeadstartError
    from headstart.estimator import HeadstartClassifier
    from headstart.inspection import inspect
    from headstart.learn.snapshot import Snapshot
    from headstart.model import Model, Prediction, load
    from headstart.words.config import Config, Stage

_PLACES = {
    "Config": "headstart.words.config",
    "HeadstartClassifier": "headstart.estimator",
    "HeadstartError": "headstart.errors",
    "Model": "headstart.model",
    "Prediction": "headstart.model",
    "Snapshot": "headstart.learn.snapshot",
    "Stage": "headstart.words.config",
    "fit": "headstart.api",
    "inspect": "headstart.inspection",
    "load": "headstart.model",
    "watch": "headstart.api",
}

__all__ = [
    "Config",
    "HeadstartClassifier",
    "HeadstartError",
    "Model",
    "Prediction",
    "Snapshot",
    "Stage",
    "__version__",
    "fit",
    "inspect",
    "load",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'headstart' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
