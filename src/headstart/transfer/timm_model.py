"""A network of timm without its classifier, with weights from the hub, from a file, or on request at random."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import os
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from headstart.errors import BadInput, BadWeights
from headstart.transfer.detection_operators import declare_if_missing
from headstart.transfer.weights_file import load_into, read_state

_PATIENCE = 5.0  # seconds that the hub has for an answer; its own client would try for most of a minute
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")
_LOCAL, _RANDOM = "that of its weights file", "none: random weights"


@dataclass(frozen=True)
class Loaded:
    """A network in evaluation mode, its classifier cut.

    mean, std: of the three colours, for pixels from 0 to 1. pixels: the side that it was trained at.
    digest: the checksum of all its tensors.
    """

    name: str
    model: Any
    mean: tuple[float, ...]
    std: tuple[float, ...]
    pixels: int
    licence: str
    origin: str
    digest: str


def load(name: str, weights: Path | None, random: bool) -> Loaded:
    """The network `name` (of timm, without prefix) with weights of the hub, of the file `weights` or at `random`.

    Raises BadInput for a name that timm does not know, BadWeights where the weights cannot be had or do not fit.
    """
    timm = timm_itself()
    config = _config(timm, name)
    with quiet():
        if random:
            model, origin, licence = (
                _random(timm, name),
                "random weights, which know nothing: for tests only",
                _RANDOM,
            )
        elif weights is not None:
            model = _from_file(timm, name, config, weights)
            origin, licence = f"weights file {weights.name}", _LOCAL
        else:
            model = _pretrained(timm, name, config)
            tagged = f"{config.architecture}.{config.tag}" if config.tag else name
            origin, licence = (
                f"pretrained weights {tagged} of {config.hf_hub_id or config.url}",
                config.license,
            )
    model.float().eval().requires_grad_(False)
    return Loaded(
        f"timm:{name}",
        model,
        tuple(config.mean),
        tuple(config.std),
        config.input_size[1],
        licence or "unknown: see its page",
        f"{name} of timm {timm.__version__}, {origin}; classifier cut",
        _digest(model),
    )


def timm_itself() -> Any:
    """The package timm, with what its torchvision lacks here declared before. Raises BadInput where it cannot load."""
    declare_if_missing()
    try:
        with quiet():
            return importlib.import_module("timm")
    except Exception as error:  # a torchvision of another version may raise anything
        raise BadInput(
            f"timm cannot be loaded ({str(error).strip().splitlines()[0][:120]}): install timm and the torchvision "
            f"that belongs to torch {torch.__version__}"
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings that these libraries give their developers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _config(timm: Any, name: str) -> Any:
    """What timm knows about a name: sizes, colours, where the weights are."""
    architecture = name.partition(".")[0]
    if not timm.is_model(architecture):
        near = difflib.get_close_matches(architecture, timm.list_models(), 3)
        hint = f"is it {' or '.join(near)}?" if near else "timm.list_models() lists what there is"
        raise BadInput(f"timm {timm.__version__} has no network {architecture!r}: {hint}")
    config = None
    with suppress(RuntimeError, KeyError):
        config = timm.get_pretrained_cfg(name, allow_unregistered=False)
    if config is None:
        known = timm.list_pretrained(f"{architecture}.*")
        raise BadInput(f"timm {timm.__version__} has no {name!r}: it has {', '.join(known) or architecture}")
    if config.input_size[0] != 3:
        raise BadInput(f"timm:{name} takes {config.input_size[0]} colours, not 3: choose another network")
    return config


def _classifiers(config: Any) -> tuple[str, ...]:
    found = config.classifier or ()
    return (found,) if isinstance(found, str) else tuple(found)


def _cut(model: Any) -> Any:
    model.reset_classifier(0)
    return model


def _random(timm: Any, name: str) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return _cut(timm.create_model(name, pretrained=False))


def _from_file(timm: Any, name: str, config: Any, weights: Path) -> Any:
    model = timm.create_model(name, pretrained=False)
    whole = set(model.state_dict())
    spare = [*(whole - set(_cut(model).state_dict())), *(f"{layer}." for layer in _classifiers(config))]
    load_into(model, read_state(weights), spare, f"the weights of {str(weights)!r} for timm:{name}")
    return model


def _pretrained(timm: Any, name: str, config: Any) -> Any:
    """With the weights of the hub: those in its cache without asking it, or after a short look whether it is there.

    Nothing is cut before the weights are in: only then does timm insist on each tensor.
    """
    if not config.has_weights:
        raise BadWeights(
            f"there are no pretrained weights for timm:{name}: give a local file (--weights FILE)"
        )
    kept = _kept(config)
    if kept is None:
        _reach(name, config)
    try:
        overlay = None if kept is None else {"file": kept}
        return _cut(timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay))
    except Exception as error:  # of the connection, of the disk, of the file
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120].rstrip(".")
        raise BadWeights(
            f"the weights of timm:{name} could not be loaded ({reason}): try again, or give a local file "
            "(--weights FILE)"
        ) from error


def _kept(config: Any) -> str | None:
    """The path of the weights in the hub's own cache."""
    if not config.hf_hub_id or config.custom_load:
        return None
    hub: Any = importlib.import_module("huggingface_hub")
    names = (config.hf_hub_filename,) if config.hf_hub_filename else _HUB_FILES
    found = (hub.try_to_load_from_cache(config.hf_hub_id, file) for file in names)
    return next((path for path in found if isinstance(path, str) and os.path.isfile(path)), None)


def _reach(name: str, config: Any) -> None:
    """That whoever has the weights answers at all. Raises BadWeights."""
    constants: Any = importlib.import_module("huggingface_hub.constants")
    place = constants.ENDPOINT if config.hf_hub_id else config.url
    reason = "HF_HUB_OFFLINE is set" if config.hf_hub_id and constants.HF_HUB_OFFLINE else ""
    if not reason:
        try:
            request = urllib.request.Request(place, method="HEAD", headers={"User-Agent": "headstart"})
            urllib.request.urlopen(request, timeout=_PATIENCE).close()
        except urllib.error.HTTPError as error:
            error.close()
            reason = f"it answers {error.code}" if error.code >= 500 else ""  # else it is there, and is asked
        except (OSError, ValueError) as error:
            reason = str(getattr(error, "reason", error))
    if reason:
        raise BadWeights(
            f"the weights of timm:{name} are not on this machine and {place} cannot be reached ({reason}): connect "
            "once, or give a local weights file (--weights FILE)"
        )


def _digest(model: torch.nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()
