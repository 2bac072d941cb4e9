"""Whether an exported graph says what the model says, on pictures made for it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headstart.errors import HeadstartError
from headstart.export.blocks import clip_length, in_pairs, parsed
from headstart.heads.kernel import Matrix
from headstart.model import Model

ALLOWED = 1e-4
Pictures = NDArray[np.uint8]
Fed = dict[str, Pictures]

# Height and width: small and large, upright and wide, enlarged and reduced; as PNG all below 256 KiB.
_SHAPES = ((32, 32), (61, 90), (64, 64), (200, 30), (150, 224), (224, 224), (301, 530), (700, 480))


def largest_difference(content: bytes, model: Model) -> float:
    """The largest difference between the scores of an ONNX file's content and the model's posteriors."""
    session = opened(content)
    pairs = _of_pictures(model) if model.kind == "image" else _of_clips(model)
    found = [np.max(np.abs(session.run(["scores"], x)[0] - said)) for x, said in pairs]
    return float(np.max(found))  # not a number, should one of them be none


def refuse(difference: float) -> None:
    """Raises HeadstartError where a difference is more than is allowed, or not a number."""
    if not difference <= ALLOWED:
        import onnxruntime
        import PIL

        raise HeadstartError(
            f"the exported scores differ from those of predict by {difference:.2g}, more than {ALLOWED:g}: nothing "
            f"was written; try other versions of onnxruntime (here {onnxruntime.__version__}) and Pillow "
            f"(here {PIL.__version__})"
        )


def opened(content: bytes) -> Any:
    """A session of an ONNX file's content, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def pictures() -> list[Pictures]:
    """Pictures uint8 [height, width, 3] of several sizes: soft patches of colour with sharp discs; always the same."""
    return [_picture(np.random.default_rng(number), *shape) for number, shape in enumerate(_SHAPES)]


def _picture(rng: np.random.Generator, height: int, width: int) -> Pictures:
    patches = Image.fromarray(rng.integers(0, 256, (4, 5, 3), np.uint8))
    ground = np.array(patches.resize((width, height), Image.Resampling.BICUBIC))
    rows, columns = np.mgrid[:height, :width]
    for _ in range(6):
        row, column = rng.uniform(0, height), rng.uniform(0, width)
        radius = rng.uniform(0.05, 0.3) * min(height, width)
        ground[(rows - row) ** 2 + (columns - column) ** 2 < radius**2] = rng.integers(0, 256, 3)
    return ground


def _of_pictures(model: Model) -> Iterator[tuple[Fed, Matrix]]:
    """What the graph is fed, and what the model says about the same pixels in a PNG file."""
    images = pictures()
    with tempfile.TemporaryDirectory(prefix="headstart-") as folder:
        paths = [str(Path(folder) / f"{number}.png") for number in range(len(images))]
        for path, image in zip(paths, images, strict=True):
            Image.fromarray(image).save(path)
        said, _ = model.posteriors(paths)
    for number, image in enumerate(images):
        yield {"image": image[None]}, said[number : number + 1]


def _of_clips(model: Model) -> Iterator[tuple[Fed, Matrix]]:
    """As `_of_pictures`, of clips in memory: in one of n + 1 frames the model looks at the first n."""
    blocks = parsed(model.ensemble.blocks, model.kind)
    most = clip_length(blocks)
    for number, (shape, count) in enumerate(zip(_SHAPES[2:5], (most, max(1, most // 2), 1), strict=True)):
        clip = np.stack(
            [_picture(np.random.default_rng([number, frame]), *shape) for frame in range(count + 1)]
        )
        fed = {"image": clip[:-1], "after": clip[1:]}
        yield fed if in_pairs(blocks) else {"image": clip[:-1]}, model.posteriors([clip])[0]
