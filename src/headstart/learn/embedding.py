"""From pixels to feature blocks, for pictures and for clips: what learning and prediction share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from headstart.backbones.motion import motion
from headstart.backbones.temporal import parted, summary
from headstart.data.frames import Clip
from headstart.words.config import Stage

Matrix = NDArray[np.float32]
_AT_ONCE = 32  # frames in one call of a network: more do not fit the processor's cache


class Network(Protocol):
    """A backbone session: uint8 [n, h, w, 3] to features float32 [n, dim] per output."""

    def __call__(self, images: NDArray[np.uint8]) -> Mapping[str, Matrix]: ...


def embedded(
    stage: Stage, network: Network, items: Sequence[NDArray[np.uint8]] | Sequence[Clip]
) -> list[Matrix]:
    """The features of some samples, float32 [n, dim], for each output of a stage.

    items: squares uint8 [pixels, pixels, 3] where the stage looks at one frame, else clips. A picture's
    features are the network's; a clip's are statistics over its frames (temporal.py, motion.py).
    """
    if stage.frames == 1:
        features = network(np.stack(items))  # type: ignore[arg-type]
        return [features[output] for output in stage.outputs]
    clips = [item for item in items if isinstance(item, Clip)]
    if stage.backbone == "motion":
        moved = [motion(clip.frames, clip.after) for clip in clips]
        return [np.stack([one[output] for one in moved]) for output in stage.outputs]
    return _over_frames(stage, network, clips)


def _over_frames(stage: Stage, network: Network, clips: Sequence[Clip]) -> list[Matrix]:
    wanted = {parted(output)[0] for output in stage.outputs}
    frames = np.concatenate([clip.frames for clip in clips])
    parts = [network(frames[first : first + _AT_ONCE]) for first in range(0, len(frames), _AT_ONCE)]
    whole = {name: np.concatenate([part[name] for part in parts]) for name in wanted}
    ends = np.cumsum([len(clip.frames) for clip in clips])[:-1]
    result = []
    for output in stage.outputs:
        plain, statistic = parted(output)
        result.append(np.stack([summary(some, statistic) for some in np.split(whole[plain], ends)]))
    return result
