"""EfficientNet-Lite0 in torch, from its architecture package and its checkpoint."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.learners.pictures import load_all
from benchmarks.learners.protocol import Matrix

_BATCH = 32


def pretrained(weights: Path, package: Path | None) -> Any:
    """The network with its 1000 ImageNet outputs. package: a wheel or folder to import from, if not installed."""
    if package is not None:
        sys.path.insert(0, str(package))
    from efficientnet_lite_pytorch import EfficientNet

    torch.set_num_threads(1)
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(weights, weights_only=True))
    return network


def scaled(images: np.ndarray[Any, Any]) -> torch.Tensor:
    """uint8 [n, h, w, 3] to what the network was trained on, float32 [n, 3, h, w]."""
    return ((torch.from_numpy(images).float() - 127) / 128).permute(0, 3, 1, 2).contiguous()


def pooled(network: Any, paths: Sequence[str], pixels: int) -> Matrix:
    """The mean of the last feature map, float32 [n, 1280]."""
    network.eval()
    found = []
    with torch.inference_mode():
        for first in range(0, len(paths), _BATCH):
            images = scaled(load_all(paths[first : first + _BATCH], pixels))
            found.append(network.extract_features(images).mean((2, 3)).numpy())
    return np.concatenate(found)
