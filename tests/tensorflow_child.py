"""Reads and writes AutoDL records with TensorFlow, in an interpreter that has it: `python tensorflow_child.py FOLDER`.

FOLDER/ours holds records of ours, a folder for each set. What TensorFlow reads in them goes to FOLDER/read.json as
checksums; the same samples as TensorFlow writes them go to FOLDER/theirs.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any


def read(path: Path) -> list[dict[str, Any]]:
    import numpy as np
    import tensorflow as tf  # type: ignore[import-not-found,import-untyped,unused-ignore]

    found = []
    context = {
        "id": tf.io.FixedLenFeature([], tf.int64),
        "label_index": tf.io.VarLenFeature(tf.int64),
        "label_score": tf.io.VarLenFeature(tf.float32),
    }
    for record in tf.data.TFRecordDataset([str(path)]):
        dense = b"0_dense_input" in record.numpy()
        kind = tf.io.VarLenFeature(tf.float32) if dense else tf.io.FixedLenSequenceFeature([], tf.string)
        key = "0_dense_input" if dense else "0_compressed"
        about, lists = tf.io.parse_single_sequence_example(record, context, {key: kind})
        if dense:
            steps = [tf.sparse.to_dense(lists[key]).numpy().astype("<f4")]
        else:
            steps = [
                tf.image.decode_image(one, channels=3, expand_animations=False).numpy() for one in lists[key]
            ]
        found.append(
            {
                "id": int(about["id"]),
                "labels": about["label_index"].values.numpy().tolist(),
                "scores": about["label_score"].values.numpy().tolist(),
                "steps": [hashlib.sha256(np.ascontiguousarray(s).tobytes()).hexdigest() for s in steps],
                "shapes": [list(s.shape) for s in steps],
            }
        )
    return found


def write(source: Path, target: Path) -> None:
    """The same messages, parsed and put together again by TensorFlow's own protocol buffers."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(target)) as writer:
        for record in tf.data.TFRecordDataset([str(source)]):
            theirs = tf.train.SequenceExample.FromString(record.numpy())
            again = tf.train.SequenceExample(
                context=tf.train.Features(feature=dict(theirs.context.feature)),
                feature_lists=tf.train.FeatureLists(feature_list=dict(theirs.feature_lists.feature_list)),
            )
            writer.write(again.SerializeToString())


def main() -> None:
    folder = Path(sys.argv[1])
    result = {}
    for path in sorted(folder.glob("ours/*.data/*/sample*")):
        name = str(path.relative_to(folder / "ours"))
        result[name] = read(path)
        target = folder / "theirs" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        write(path, target)
    (folder / "read.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
