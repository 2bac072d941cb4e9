"""`metadata.textproto`: sizes, number of samples and names of classes of a split."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headstart.data.autodl.textproto import BadText, Field, Scalar, parse, quoted
from headstart.data.walk import why
from headstart.errors import BadDataset

FILE = "metadata.textproto"
VARIES = -1
_MOST_BYTES = 64 << 20
_MOST_CLASSES = 1 << 17
_FORMATS = {0: "DENSE", 1: "SPARSE", 2: "COMPRESSED"}
_WAY_OUT = "it must be a DataSpecification in text format, as the AutoDL challenge defines it"


@dataclass(frozen=True)
class MatrixSpec:
    """How one moment of a sample is stored. Sizes are -1 where they vary from sample to sample.

    format: "DENSE", "SPARSE" or "COMPRESSED". channels: never -1; where the file leaves it open, 3 for
    compressed images and 1 for others.
    """

    rows: int = VARIES
    columns: int = VARIES
    channels: int = 3
    format: str = "COMPRESSED"


@dataclass(frozen=True)
class Metadata:
    """What the file says. sequence_size: moments per sample, -1 where that varies. output_dim: classes.

    labels, channels, features: index of each name, empty where there are no names.
    """

    sample_count: int
    output_dim: int
    matrix: MatrixSpec = MatrixSpec()
    sequence_size: int = 1
    is_sequence: bool = False
    labels: Mapping[str, int] = field(default_factory=dict)
    channels: Mapping[str, int] = field(default_factory=dict)
    features: Mapping[str, int] = field(default_factory=dict)

    def classes(self) -> tuple[str, ...]:
        """A name for every column: of the label map, else the column's number. No name comes twice."""
        names = [str(column) for column in range(self.output_dim)]
        for name, column in self.labels.items():
            if 0 <= column < self.output_dim and names[column] == str(column):
                names[column] = name
        seen: set[str] = set()
        for column, name in enumerate(names):
            if name in seen:  # a class may be called by another one's number
                names[column] = f"{name} ({column})"
            seen.add(names[column])
        return tuple(names)


def read(path: str) -> Metadata:
    """The metadata in a file. Raises BadDataset: no such file, no text format, a number that makes no sense."""
    try:
        if os.path.getsize(path) > _MOST_BYTES:
            raise BadDataset(f"{path!r} is larger than metadata can be (64 MB): {_WAY_OUT}.")
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise BadDataset(f"{path!r} cannot be read ({why(error)}): {_WAY_OUT}.") from None
    try:
        return from_text(content.decode("utf-8-sig", "replace"))
    except BadText as error:
        raise BadDataset(f"{path!r}: {error}; {_WAY_OUT}.") from None


def from_text(text: str) -> Metadata:
    """The metadata in a text; fields that are not known are passed over. Raises BadText."""
    fields = parse(text)
    sizes = {name: _whole(fields, name, default) for name, default in _SIZES.items()}
    if not 1 <= sizes["output_dim"] <= _MOST_CLASSES:
        raise BadText(f"output_dim is {sizes['output_dim']}: it must be the number of classes")
    if sizes["sample_count"] < 0 or sizes["sequence_size"] < VARIES:
        raise BadText("sample_count or sequence_size is below zero")
    specs = [value for name, value in fields if name == "matrix_spec"]
    if len(specs) > 1:
        raise BadText(f"{len(specs)} matrix_specs: samples of several parts are not supported")
    return Metadata(
        sizes["sample_count"],
        sizes["output_dim"],
        _matrix(_message(specs[0], "matrix_spec") if specs else []),
        sizes["sequence_size"],
        _scalar(fields, "is_sequence") in (True, 1),
        _map(fields, "label_to_index_map"),
        _map(fields, "channel_to_index_map"),
        _map(fields, "feature_to_index_map"),
    )


_SIZES = {"sample_count": 0, "sequence_size": 1, "output_dim": 0}


def _scalar(fields: Sequence[Field], name: str) -> Scalar | None:
    """The last value of a field, as protocol buffers have it."""
    found: Scalar | None = None
    for key, value in fields:
        if key == name:
            if isinstance(value, list):
                raise BadText(f"{name} is a message, not a value")
            found = value
    return found


def _whole(fields: Sequence[Field], name: str, default: int) -> int:
    value = _scalar(fields, name)
    if value is None:
        return default
    if isinstance(value, str) or int(value) != value or abs(value) > 1 << 48:
        raise BadText(f"{name} is {str(value)[:20]}, which is no whole number of a sensible size")
    return int(value)


def _message(value: Scalar | list[Field], name: str) -> list[Field]:
    if not isinstance(value, list):
        raise BadText(f"{name} is a value, not a message")
    return value


def _matrix(fields: Sequence[Field]) -> MatrixSpec:
    form = _scalar(fields, "format")
    if not isinstance(form, str):
        form = _FORMATS.get(int(form), "") if form is not None else "DENSE"
    if form not in _FORMATS.values():
        raise BadText("format is none of DENSE, SPARSE, COMPRESSED")
    rows, columns = (_whole(fields, name, 0) for name in ("row_count", "col_count"))
    channels = _whole(fields, "num_channels", VARIES)
    if min(rows, columns, channels) < VARIES or max(rows, columns, channels) > 1 << 24:
        raise BadText("row_count, col_count or num_channels is no size of an image")
    return MatrixSpec(
        rows or VARIES,
        columns or VARIES,
        channels if channels > 0 else 3 if form == "COMPRESSED" else 1,
        form,
    )


def _map(fields: Sequence[Field], name: str) -> dict[str, int]:
    """Keys and values of repeated blocks."""
    found: dict[str, int] = {}
    for key, value in fields:
        if key == name:
            entry = _message(value, name)
            found[str(_scalar(entry, "key") or "")] = _whole(entry, "value", 0)
    return found


def to_text(metadata: Metadata) -> str:
    """The text that `from_text` reads."""
    matrix = metadata.matrix
    lines = [
        f"is_sequence: {str(metadata.is_sequence).lower()}",
        f"sample_count: {metadata.sample_count}",
        f"sequence_size: {metadata.sequence_size}",
        f"output_dim: {metadata.output_dim}",
        "matrix_spec {",
        f"  col_count: {matrix.columns}",
        f"  row_count: {matrix.rows}",
        "  is_sequence_col: false",
        "  is_sequence_row: false",
        f"  has_locality_col: {str(matrix.format != 'SPARSE').lower()}",
        f"  has_locality_row: {str(matrix.format != 'SPARSE').lower()}",
        f"  format: {matrix.format}",
        f"  num_channels: {matrix.channels}",
        "}",
    ]
    maps = (("label", metadata.labels), ("channel", metadata.channels), ("feature", metadata.features))
    for name, entries in maps:
        for key, value in sorted(entries.items(), key=lambda entry: entry[1]):
            lines += [f"{name}_to_index_map {{", f"  key: {quoted(key)}", f"  value: {value}", "}"]
    return "\n".join(lines) + "\n"
