"""The official kind of feed: a tf.data.Dataset of (float32 (T, H, W, C), float32 (classes)), for the runner beside it.

Runs with TensorFlow from 1.13 on. Records are parsed and decoded by TensorFlow; files in folders by Pillow, in
several threads. The order is that of the files. A dataset is neither repeated nor shuffled: that is up to the model.
"""

import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headstart.challenge import submission_data as data
    from headstart.challenge import submission_records as files
else:
    import submission_data as data
    import submission_records as files


def dataset(tf: Any, split: Any) -> Any:
    """The split as tf.data.Dataset; `tf` is the module."""
    made = _records(tf, split) if isinstance(split, data.RecordSplit) else _files(tf, split)
    shape = [split.metadata.get_sequence_size(), *split.metadata.get_tensor_size()]
    if split.metadata.is_compressed() and shape[0] != 1:
        shape[0] = -1  # clips come with their own number of frames, whatever the metadata promise
    outputs = split.metadata.get_output_size()

    def shaped(example: Any, labels: Any) -> Any:
        example.set_shape([None if size < 0 else size for size in shape])
        labels.set_shape([outputs])
        return example, labels

    return made.map(shaped)


def _records(tf: Any, split: Any) -> Any:
    about = split.metadata
    rows, columns, channels = about.get_tensor_size()
    key = files.COMPRESSED if about.is_compressed() else files.DENSE
    kind = tf.string if about.is_compressed() else tf.float32
    told = {"label_index": tf.io.VarLenFeature(tf.int64), "label_score": tf.io.VarLenFeature(tf.float32)}

    def decode(image: Any) -> Any:
        return _decoded(tf, image, channels)

    def parse(record: Any) -> Any:
        context, lists = tf.io.parse_single_sequence_example(
            record, context_features=told, sequence_features={key: tf.io.VarLenFeature(kind)}
        )
        index, score = context["label_index"].values, context["label_score"].values
        labels = tf.scatter_nd(index[:, None], score, tf.constant([about.get_output_size()], tf.int64))
        values = lists[key].values
        if not about.is_compressed():
            return tf.reshape(values, [-1, rows, columns, channels]), labels
        if about.get_sequence_size() == 1:
            return decode(values[0])[None], labels
        how = {"fn_output_signature" if _second(tf) else "dtype": tf.float32}
        return tf.map_fn(decode, values, **how), labels

    return tf.data.TFRecordDataset(split.shards).map(parse, num_parallel_calls=_as_many_as_help(tf))


def _files(tf: Any, split: Any) -> Any:
    """Numbers of samples, turned into pixels by Pillow; where that is not there, pictures by TensorFlow."""
    call = getattr(tf, "numpy_function", None) or tf.py_func
    alone = not split.video and importlib.util.find_spec("PIL") is None
    paths = tf.constant(split.paths)

    def load(number: Any) -> Any:
        labels = call(split.labels, [number], tf.float32)
        if alone:
            return _decoded(tf, tf.io.read_file(paths[number]), 3)[None], labels
        return call(split.example, [number], tf.float32), labels

    return tf.data.Dataset.range(len(split)).map(load, num_parallel_calls=_as_many_as_help(tf))


def _decoded(tf: Any, image: Any, channels: int) -> Any:
    """The content of an image file as float32 (H, W, channels) in 0 to 1."""
    once = {"expand_animations": False} if _second(tf) else {}
    pixels = tf.image.decode_image(image, channels=channels, **once)
    return tf.image.convert_image_dtype(pixels, tf.float32)


def _second(tf: Any) -> bool:
    return int(tf.__version__.split(".")[0]) >= 2


def _as_many_as_help(tf: Any) -> Any:
    return getattr(tf.data, "AUTOTUNE", None) or tf.data.experimental.AUTOTUNE
