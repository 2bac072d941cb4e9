"""Weights from a local file: only tensors are read, never code, and they must fit in full."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from headstart.errors import BadInput, BadWeights

_WRAPPED = (
    "state_dict_ema",
    "model_ema",
    "state_dict",
    "model",
)  # what training scripts put around the tensors
_PREFIXES = ("_orig_mod.", "module.")  # what compiled and parallel networks put before the names
_TRAINING = ("AuxLogits.",)  # heads that are used in training only
Tensors = dict[str, Any]


def read_state(path: Path) -> Tensors:
    """The tensors of a .safetensors file or of a PyTorch file with a state dict, by name.

    Raises BadInput where there is no such file, BadWeights where it holds anything else than tensors.
    """
    if not path.is_file():
        raise BadInput(f"there is no weights file {str(path)!r}")
    try:
        content = _load(path)
    except Exception as error:  # a damaged file may raise anything
        reason = str(error).strip().split("\n")[0][:120].rstrip(".")
        raise BadWeights(
            f"the weights file {str(path)!r} cannot be read ({reason}): it must be a state dict, saved by torch.save "
            "or as .safetensors"
        ) from error
    while isinstance(content, dict) and (inner := next((key for key in _WRAPPED if key in content), None)):
        content = content[inner]
    if not isinstance(content, dict) or not content or not all(map(torch.is_tensor, content.values())):
        raise BadWeights(f"the weights file {str(path)!r} holds no state dict: save model.state_dict()")
    return {_bare(str(name)): tensor for name, tensor in content.items()}


def _load(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _bare(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def load_into(model: torch.nn.Module, state: Tensors, spare: Sequence[str], what: str) -> None:
    """Put the tensors into a network whose classifier is cut. Raises BadWeights where they do not fit in full.

    spare: beginnings of the names of what was cut; such tensors may be there. what: names file and network.
    """
    own = model.state_dict()
    wrong = [
        f"{name} is missing" for name in own if name not in state and not name.endswith("num_batches_tracked")
    ]
    wrong += [
        f"{name} is unknown"
        for name in state
        if name not in own and not name.startswith((*_TRAINING, *spare))
    ]
    wrong += [
        f"{name} has the shape {list(tensor.shape)} and not {list(own[name].shape)}"
        for name, tensor in state.items()
        if name in own and tensor.shape != own[name].shape
    ]
    if wrong:
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise BadWeights(
            f"{what} do not fit: {wrong[0]}{more}; they must have the names that the network itself gives its tensors"
        )
    model.load_state_dict({name: tensor for name, tensor in state.items() if name in own}, strict=False)
