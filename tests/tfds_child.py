"""Makes a small dataset as TensorFlow Datasets keeps it, and prepares it: `python tfds_child.py FOLDER FORM`.

The pictures are handed over as PNG files, for encoding pixels would need TensorFlow.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def drawn(number: int) -> np.ndarray[Any, Any]:
    """A picture of 0 and 1, as Binary Alphadigits holds them."""
    return np.random.default_rng(number).integers(0, 2, (20, 16), np.uint8)


def make(folder: Path) -> None:
    import tensorflow_datasets as tfds  # type: ignore[import-not-found,unused-ignore]

    features = tfds.features.FeaturesDict(
        {"image": tfds.features.Image(shape=(20, 16, 1)), "label": tfds.features.ClassLabel(num_classes=36)}
    )

    class BinaryAlphaDigits(tfds.core.GeneratorBasedBuilder):  # type: ignore[misc,unused-ignore]
        VERSION = tfds.core.Version("1.0.0")
        pkg_dir_path = None

        def _info(self) -> Any:
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, _manager: Any) -> dict[str, Any]:
            return {"train": self._generate_examples()}

        def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
            for number in range(40):
                file = io.BytesIO()
                Image.fromarray(drawn(number)).save(file, "PNG")
                file.seek(0)
                yield number, {"image": file, "label": number % 2}

    BinaryAlphaDigits(data_dir=str(folder), file_format="array_record").download_and_prepare()


def main() -> None:
    folder, form = Path(sys.argv[1]), sys.argv[2]
    if not (folder / "data").exists():
        (folder / "data").mkdir()
        make(folder / "data")
    from headstart.challenge.prepare import prepare
    from headstart.data.catalogue import find

    done = prepare(find("binary alphadigits"), folder / form, form, data_dir=folder / "data")  # type: ignore[arg-type]
    about = {key: value for key, value in vars(done).items() if key != "skipped"}
    print(json.dumps(about | {"tensorflow": "tensorflow" in sys.modules, "skipped": len(done.skipped)}))


if __name__ == "__main__":
    main()
