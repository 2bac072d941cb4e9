"""The state of a training as named arrays, and true copies of weights: later steps never change a copy.

`state_dict()` of torch gives the tensors themselves; who stores those stores the latest weights under an old name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.errors import BadModel

Arrays = Mapping[str, NDArray[Any]]
Weights = dict[str, torch.Tensor]


def copied(module: torch.nn.Module) -> Weights:
    """A true copy of all parameters and buffers, on their device."""
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


@torch.no_grad()
def put(module: torch.nn.Module, weights: Weights) -> None:
    """Write such a copy into a module of the same shape, in place: whoever holds its tensors sees the values."""
    for name, tensor in module.state_dict().items():
        tensor.copy_(weights[name])


def arrays(prefix: str, weights: Weights) -> dict[str, NDArray[Any]]:
    """True copies as numpy arrays, named PREFIX/NAME, or NAME with an empty prefix."""
    start = f"{prefix}/" if prefix else ""
    return {f"{start}{name}": np.array(tensor.cpu().numpy()) for name, tensor in weights.items()}


def read(prefix: str, found: Arrays, like: torch.nn.Module) -> Weights:
    """The reverse of `arrays`, checked against a module. Raises BadModel for a missing tensor or another shape."""
    result = {}
    for name, tensor in like.state_dict().items():
        array = found.get(f"{prefix}/{name}")
        if array is None or array.shape != tuple(tensor.shape):
            shape = "is missing" if array is None else f"has the shape {list(array.shape)}"
            raise BadModel(
                f"the stored training does not fit the network: {prefix}/{name} {shape}, but {list(tensor.shape)}"
                " is needed; delete it to train anew"
            )
        result[name] = _tensor(array).to(tensor.device, tensor.dtype)
    return result


def moments(optimiser: torch.optim.Optimizer, parameters: Sequence[torch.Tensor]) -> dict[str, NDArray[Any]]:
    """What the optimiser remembers of each parameter, as optimiser/INDEX/NAME."""
    result = {}
    for index, parameter in enumerate(parameters):
        for key, value in optimiser.state.get(parameter, {}).items():
            if value is not None:
                result[f"optimiser/{index}/{key}"] = np.array(value.detach().cpu().numpy())
    return result


def remember(optimiser: torch.optim.Optimizer, parameters: Sequence[torch.Tensor], found: Arrays) -> None:
    """The reverse of `moments`. Raises BadModel for what belongs to no parameter or has another shape."""
    optimiser.state.clear()
    for name, array in found.items():
        head, _, rest = name.partition("/")
        if head != "optimiser":
            continue
        index, _, key = rest.partition("/")
        place = int(index) if index.isdecimal() else len(parameters)
        if place >= len(parameters) or array.shape not in ((), tuple(parameters[place].shape)):
            raise BadModel(f"the stored training does not fit the network: {name}; delete it to train anew")
        parameter = parameters[place]
        optimiser.state[parameter][key] = _like(parameter, _tensor(array))


def _like(parameter: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """On the device and in the memory order of its parameter, as the optimiser itself would have made it."""
    if value.shape != parameter.shape:
        return value.to(parameter.device)
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _tensor(array: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.array(array))  # a copy: arrays of a file are read-only
