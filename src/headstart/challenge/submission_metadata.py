"""The metadata object that a submission gets: the official methods, for the runner beside this file.

Runs in any Python from 3.6 on; the methods are named and ordered as the challenge's own object has them.
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headstart.challenge import submission_records as files
else:
    import submission_records as files

FILE = "metadata.textproto"


class Metadata:
    """What a submission is told of a split, by the methods that the official object has.

    name: the folder of the split, as the official program names its data. Sizes are -1 where they vary.
    """

    def __init__(self, name: str, count: int, classes: "dict[str, int]", outputs: int) -> None:
        self.name, self.count, self.labels, self.outputs = name, count, classes, outputs
        self.sequence_size, self.rows, self.columns, self.channels = 1, -1, -1, 3
        self.format = "COMPRESSED"
        self.channel_map: dict[str, int] = {}
        self.feature_map: dict[str, int] = {}

    def get_dataset_name(self) -> str:
        return self.name

    def is_compressed(self, bundle_index: int = 0) -> bool:
        return self.format == "COMPRESSED"

    def is_sparse(self, bundle_index: int = 0) -> bool:
        return self.format == "SPARSE"

    def get_bundle_size(self) -> int:
        return 1

    def get_matrix_size(self, bundle_index: int = 0) -> "tuple[int, int]":
        return self.rows, self.columns

    def get_num_channels(self, bundle_index: int = 0) -> int:
        return self.channels

    def get_tensor_size(self, bundle_index: int = 0) -> "tuple[int, int, int]":
        return self.rows, self.columns, self.channels

    def get_tensor_shape(self, bundle_index: int = 0) -> "tuple[int, int, int, int]":
        return self.sequence_size, self.rows, self.columns, self.channels

    def get_sequence_size(self) -> int:
        return self.sequence_size

    def get_output_size(self) -> int:
        return self.outputs

    def size(self) -> int:
        return self.count

    def get_label_to_index_map(self) -> "dict[str, int]":
        return dict(self.labels)

    def get_channel_to_index_map(self) -> "dict[str, int]":
        return dict(self.channel_map)

    def get_feature_to_index_map(self) -> "dict[str, int]":
        return dict(self.feature_map)

    def text(self) -> str:
        """As `metadata.textproto`; submissions look for sample_count in the first lines of that file."""
        spec = (("col_count", self.columns), ("row_count", self.rows), ("num_channels", self.channels))
        lines = [f"sample_count: {self.count}", f"sequence_size: {self.sequence_size}"]
        lines += [f"output_dim: {self.outputs}", "matrix_spec {"]
        lines += [f"  {name}: {value}" for name, value in spec] + [f"  format: {self.format}", "}"]
        for name, index in sorted(self.labels.items(), key=lambda item: item[1]):
            lines += ["label_to_index_map {", f'  key: "{_quoted(name)}"', f"  value: {index}", "}"]
        return "\n".join(lines) + "\n"


def _quoted(name: str) -> str:
    """Bytes other than printable ASCII, and the marks themselves, as octal escapes."""
    data = name.encode("utf-8", "surrogateescape")
    return "".join(chr(c) if 32 <= c < 127 and c not in b"\"\\'" else f"\\{c:03o}" for c in data)


def read(folder: str) -> Metadata:
    """The metadata of a split in the challenge's own form. Raises Broken."""
    path = os.path.join(folder, FILE)
    fields = files.read_text(path)
    single = dict(fields)
    spec = dict(single.get("matrix_spec", ()))
    try:
        maps = [_map(fields, f"{name}_to_index_map") for name in ("label", "channel", "feature")]
        found = Metadata(folder, int(single["sample_count"]), maps[0], int(single["output_dim"]))
        found.channel_map, found.feature_map = maps[1:]
        found.sequence_size = int(single.get("sequence_size", 1))
        found.rows, found.columns = int(spec.get("row_count", -1)), int(spec.get("col_count", -1))
        form = str(spec.get("format", "DENSE"))
        found.format = {"0": "DENSE", "1": "SPARSE", "2": "COMPRESSED"}.get(form, form)
        channels = int(spec.get("num_channels", -1))
    except (KeyError, ValueError, TypeError) as error:
        raise files.Broken(f"{path}: {error} is missing or no number") from None
    found.channels = channels if channels > 0 else 3 if found.is_compressed() else 1
    return found


def _map(fields: "files.Fields", name: str) -> "dict[str, int]":
    entries = [dict(value) for key, value in fields if key == name]
    return {str(entry.get("key", "")): int(entry.get("value", 0)) for entry in entries}
