"""The paper's method 1 as a configuration: a pretrained image network per frame, joined by g, trained as it is.

Section 4 names MobileNet as the network and Inception v3 beside it; section 5.4 the optimisers, batch sizes,
learning rates and dropouts that are searched (`words.space.PAPER`). What it leaves open is decided here and said.
"""

from __future__ import annotations

from headstart.words.config import Config
from headstart.words.recipe import Recipe
from headstart.words.task import Kind

WEIGHT_DECAY = 1e-6  # with SGD, which has a Nesterov momentum of .9 (section 5.4)
FRAMES = 8  # of a clip; the paper gives no number
PIXELS = 128  # as the group's own program; the paper gives none
NETWORK = "lite0"
"""A MobileNet's successor whose weights come with the package: no hub is needed. The paper's own networks are
`mobilenetv2_100` and `inception_v3` (rows of `transfer.networks.NETWORKS`), whose weights come from the hub."""


def config_for(kind: Kind = "image", network: str = NETWORK, pixels: int = PIXELS) -> Config:
    """The configuration without any stage for tasks of a kind. Raises BadConfig for a name or size that cannot be.

    Of a clip frames are drawn at random within consecutive segments, and their logits averaged (eq. 2).
    """
    recipe = Recipe(
        network,
        pixels,
        frames=FRAMES if kind == "video" else 1,
        selection="segments" if kind == "video" else "even",
        optimiser="adam",
        batch=32,
        rate=1e-3,
        dropout=0.1,
    )
    why = f"method 1 of the paper: {recipe.name}, trained alone by {recipe.optimiser}"
    return Config(stages=(), recipe=recipe, reason=why)
