"""EfficientNet b0 and DenseNet121 with fewer channels than timm has names for. There are no weights for them."""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

from headstart.transfer.timm_model import quiet

_STAGES = (  # of EfficientNet b0, in timm's notation
    "ds_r1_k3_s1_e1_c16_se0.25",
    "ir_r2_k3_s2_e6_c24_se0.25",
    "ir_r2_k5_s2_e6_c40_se0.25",
    "ir_r3_k3_s2_e6_c80_se0.25",
    "ir_r3_k5_s1_e6_c112_se0.25",
    "ir_r4_k5_s2_e6_c192_se0.25",
    "ir_r1_k3_s1_e6_c320_se0.25",
)
_STEM, _HEAD = 32, 1280
_GROWTH, _DEPTH = 32, (6, 12, 24, 16)  # of DenseNet121


def efficientnet(multiplier: float) -> Any:
    """EfficientNet b0 of timm with so many times its channels everywhere, random weights, no classifier.

    timm must be loaded by then (`timm_model` does it): it needs torchvision's operators declared.
    """
    timm = importlib.import_module("timm.models.efficientnet")
    narrowed = partial(timm.round_channels, multiplier=multiplier)
    with quiet():
        return timm.EfficientNet(
            block_args=timm.decode_arch_def([[stage] for stage in _STAGES]),
            num_classes=0,
            num_features=narrowed(_HEAD),
            stem_size=_STEM,
            round_chs_fn=narrowed,
            act_layer=timm.resolve_act_layer({}, "swish"),
        )


def densenet(multiplier: float) -> Any:
    """DenseNet121 of timm with so many times its growth, random weights, no classifier."""
    timm = importlib.import_module("timm.models.densenet")
    with quiet():
        return timm.DenseNet(growth_rate=round(_GROWTH * multiplier), block_config=_DEPTH, num_classes=0)
