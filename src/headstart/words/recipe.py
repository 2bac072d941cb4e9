"""Recipe: how a network is trained by gradient, as plain data that round-trips through JSON inside a Config."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from headstart.words.checks import Rules, check, number, one_of, whole

Optimiser = Literal["adam", "sgd", "adamw"]
Selection = Literal["even", "random", "segments", "middle", "keyframe"]
Aggregation = Literal["logits", "features", "convolution", "gru"]
Schedule = Literal["constant", "cosine"]
Mixing = Literal["none", "mixup", "cutmix"]
Augmentation = Literal["none", "shift", "flip", "light"]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    network: a row of `transfer.networks.NETWORKS`. pixels: of the side of the square that is fed in.
    weights: "pretrained" (bundled with the package, else of the hub), "random", or "file:PATH".
    frames: of each clip; selection: which of them (section 4 of the paper): "even" over the clip, "random",
        random within consecutive "segments", random with a bias to the "middle", or the first "keyframe".
    aggregation: g of eq. (1): the mean of the "logits" (eq. 2) or of the "features" over frames, a temporal
        "convolution", or a "gru" over the features.
    optimiser: "sgd" has a Nesterov momentum of .9. batch: samples per step. rate: learning rate.
    dropout: before the classifier. weight_decay: per step, as the optimiser defines it.
    epochs: passes over the training samples after which training ends; 0 = as long as the budget allows.
    schedule: of the rate over `epochs` (needs them), after a linear warm-up over `warmup` of the steps.
    smoothing: of the labels. layer_decay: factor of the rate per block, counted from the classifier down.
    blocks: only the last so many blocks (and the classifier) are trained, 0 = the classifier alone, None = all.
    mixing: of the samples of a batch. augmentation: of a batch: "shift" moves and scales a little, "flip" mirrors,
        "light" does both and changes brightness and contrast.
    averaging: decay per step of the exponential average of the weights that predicts; 0 = the weights themselves.
    balanced: the loss weighs classes equally. norm_momentum: of BatchNorm's running statistics.
    Raises BadConfig that names the field, its value and what is allowed.
    """

    network: str
    pixels: int
    weights: str = "pretrained"
    frames: int = 1
    selection: Selection = "even"
    aggregation: Aggregation = "logits"
    optimiser: Optimiser = "adam"
    batch: int = 32
    rate: float = 1e-3
    dropout: float = 0.1
    weight_decay: float = 0.0
    epochs: int = 0
    schedule: Schedule = "constant"
    warmup: float = 0.0
    smoothing: float = 0.0
    layer_decay: float = 1.0
    blocks: int | None = None
    mixing: Mixing = "none"
    augmentation: Augmentation = "none"
    averaging: float = 0.0
    balanced: bool = False
    norm_momentum: float = 0.1

    def __post_init__(self) -> None:
        check(self, _RULES, "a recipe")
        if self.schedule == "cosine" and self.epochs == 0:
            check(self, {"epochs": whole(1, "for a cosine schedule")}, "a recipe")

    @property
    def name(self) -> str:
        """Network, pixels and frames: `small@32`, `lite0@64x8`."""
        return f"{self.network}@{self.pixels}" + (f"x{self.frames}" if self.frames > 1 else "")


def _name(value: Any) -> bool:
    return type(value) is str and value != "" and not any(c.isspace() or c in "@/" for c in value)


def _weights(value: Any) -> bool:
    return type(value) is str and (value in ("pretrained", "random") or value[:5] == "file:" != value)


_RULES: Rules = {
    "network": (_name, "a name without blanks, @ and /"),
    "pixels": whole(8),
    "weights": (_weights, '"pretrained", "random" or "file:PATH"'),
    "frames": whole(1),
    "selection": one_of(get_args(Selection)),
    "aggregation": one_of(get_args(Aggregation)),
    "optimiser": one_of(get_args(Optimiser)),
    "batch": whole(1),
    "rate": number(0.0, 10.0, "above 0 and at most 10", open_below=True),
    "dropout": number(0.0, 0.99, "from 0 to .99"),
    "weight_decay": number(0.0, 1.0, "from 0 to 1"),
    "epochs": whole(0),
    "schedule": one_of(get_args(Schedule)),
    "warmup": number(0.0, 1.0, "from 0 to 1"),
    "smoothing": number(0.0, 0.9, "from 0 to .9"),
    "layer_decay": number(0.0, 1.0, "above 0 and at most 1", open_below=True),
    "blocks": (lambda v: v is None or (type(v) is int and v >= 0), "null or a whole number, 0 or more"),
    "mixing": one_of(get_args(Mixing)),
    "augmentation": one_of(get_args(Augmentation)),
    "averaging": number(0.0, 0.9999, "from 0 to .9999"),
    "balanced": (lambda v: type(v) is bool, "true or false"),
    "norm_momentum": number(0.0, 1.0, "above 0 and at most 1", open_below=True),
}
