"""A network of torchvision, with weights from the hub, from a file, or on request at random."""

from __future__ import annotations

import importlib
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import torch

from headstart.errors import BadInput, BadWeights
from headstart.transfer.detection_operators import declare_if_missing
from headstart.transfer.timm_model import quiet
from headstart.transfer.weights_file import load_into, read_state

_PATIENCE = 5.0  # seconds that the hub has for an answer
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of its pretrained weights, for pixels from 0 to 1


def load(name: str, weights: Path | None, random: bool) -> Any:
    """The network with its classifier, which is not used, in train mode. At random: from torch's random stream.

    Raises BadInput where torchvision cannot be loaded, BadWeights where weights cannot be had or do not fit.
    """
    models = _models()
    with quiet():
        model = models.get_model(name, weights=None)
        if random:
            return model
        state = _of_hub(models, name) if weights is None else read_state(weights)
    own = model.state_dict()
    classifier = tuple(key for key in own if key.startswith(("classifier.", "fc.")))
    state |= {key: own[key] for key in classifier}  # of any number of classes: it is cut
    where = "the hub" if weights is None else repr(str(weights))
    load_into(model, state, (), f"the weights of {where} for torchvision's {name}")
    return model


def _models() -> Any:
    declare_if_missing()
    try:
        with quiet():
            return importlib.import_module("torchvision.models")
    except Exception as error:  # a torchvision of another version may raise anything
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        raise BadInput(
            f"torchvision cannot be loaded ({reason}): install the one that belongs to torch {torch.__version__}"
        ) from error


def _of_hub(models: Any, name: str) -> dict[str, Any]:
    weights: Any = models.get_model_weights(name).DEFAULT
    kept = Path(torch.hub.get_dir()) / "checkpoints" / str(weights.url).rpartition("/")[2]
    if not kept.is_file():
        _reach(name, weights.url)
    try:
        return dict(weights.get_state_dict(progress=False, check_hash=True))
    except Exception as error:  # of the connection, of the disk, of the file
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120].rstrip(".")
        raise BadWeights(
            f"the weights of torchvision's {name} could not be loaded ({reason}): try again, or give a local file "
            '("weights": "file:PATH")'
        ) from error


def _reach(name: str, address: str) -> None:
    """That whoever has the weights answers at all. Raises BadWeights."""
    try:
        request = urllib.request.Request(address, method="HEAD", headers={"User-Agent": "headstart"})
        urllib.request.urlopen(request, timeout=_PATIENCE).close()
    except urllib.error.HTTPError as error:
        error.close()  # it is there, and says why when it is asked
    except (OSError, ValueError) as error:
        raise BadWeights(
            f"the weights of torchvision's {name} are not on this machine and {address} cannot be reached "
            f'({getattr(error, "reason", error)}): connect once, or give a local file ("weights": "file:PATH")'
        ) from error
