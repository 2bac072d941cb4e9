"""Framing, checksums, messages, metadata and solutions of the AutoDL format."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.data.autodl import metadata, records, solution
from headstart.data.autodl.crc32c import crc32c, masked
from headstart.data.autodl.examples import (
    Example,
    Labels,
    Unsupported,
    one_hot,
    parse,
    parse_labels,
    peek_labels,
    serialise,
)
from headstart.data.autodl.metadata import MatrixSpec, Metadata
from headstart.data.autodl.protobuf import Malformed, message, number
from headstart.data.autodl.records import Corrupt, Place
from headstart.data.autodl.textproto import BadText
from headstart.data.autodl.textproto import parse as parse_text
from headstart.errors import BadDataset


def slow_crc(data: bytes) -> int:
    """Bit by bit, as the standard defines it."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),  # these three are in RFC 3720
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_the_checksum_is_the_one_of_the_standard(data: bytes, value: int) -> None:
    assert crc32c(data) == value


@pytest.mark.parametrize("size", [1, 4, 31, 32, 33, 255, 256, 257, 1000, 65535, 65536, 65537, 150_001])
def test_the_fast_checksum_equals_the_slow_one(size: int) -> None:
    data = np.random.default_rng(size).bytes(size)
    assert crc32c(data) == slow_crc(data)
    assert crc32c(memoryview(data)) == slow_crc(data)


def test_the_mask_is_the_one_of_tfrecord() -> None:
    # A record with the data "a", as TensorFlow 2.21 writes it.
    assert records.framed(b"a") == struct.pack("<QI", 1, masked(struct.pack("<Q", 1))) + b"a" + struct.pack(
        "<I", masked(b"a")
    )
    assert masked(b"123456789") == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) & 0xFFFFFFFF


@settings(deadline=None, max_examples=50)
@given(st.lists(st.binary(max_size=500), max_size=6))
def test_records_come_back_by_their_places(
    tmp_path_factory: pytest.TempPathFactory, data: list[bytes]
) -> None:
    path = str(tmp_path_factory.mktemp("records") / "sample")
    assert records.write(path, data) == len(data)
    with open(path, "rb") as file:
        places = list(records.walk(file, path))
        assert [records.read(file, path, place) for place in places] == data
    assert [records.read_at(path, place) for place in reversed(places)] == data[::-1]


def walked(path: Path) -> list[Place]:
    with path.open("rb") as file:
        return list(records.walk(file, str(path)))


def test_a_corrupt_record_is_named_by_file_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "sample-x"
    whole = records.framed(b"first") + records.framed(b"second" * 20)
    second = len(records.framed(b"first"))

    path.write_bytes(whole[:-3])
    with pytest.raises(Corrupt, match=f"sample-x, byte {second}: a record of 120 bytes, but the file ends"):
        walked(path)
    path.write_bytes(whole[: second + 5])
    with pytest.raises(Corrupt, match=f"byte {second}: the file ends within the length"):
        walked(path)
    path.write_bytes(whole[:second] + b"\x01" + whole[second + 1 :])
    with pytest.raises(Corrupt, match=f"byte {second}: the length of a record is damaged"):
        walked(path)
    path.write_bytes(whole.replace(b"secondsecond", b"secondSecond", 1))
    places = walked(path)
    assert records.read_at(str(path), places[0]) == b"first"
    with pytest.raises(Corrupt, match=f"byte {second}: the data of a record are damaged"):
        records.read_at(str(path), places[1])
    with pytest.raises(Corrupt, match="the file ends within a record"):
        records.read_at(str(path), Place(0, 10**6))
    with pytest.raises(Corrupt, match="cannot be read"):
        records.read_at(str(tmp_path / "none"), places[0])


EXAMPLES = [
    Example(one_hot([2], 7), images=(b"\x89PNG picture",)),
    Example(one_hot([0, 3, 300], 2**40), images=(b"a", b"", b"c" * 300)),
    Example(Labels((1, 2), (0.25, 1.0)), numbers=(np.arange(12, dtype=np.float32), np.ones(12, np.float32))),
    Example(Labels((), (), -5), numbers=(np.zeros(1, np.float32),)),
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_comes_back_equal(example: Example) -> None:
    record = serialise(example)
    found = parse(record)
    assert found.labels == example.labels == parse_labels(record)
    assert found.images == example.images and found.steps == example.steps
    assert len(found.numbers) == len(example.numbers)
    for one, other in zip(found.numbers, example.numbers, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("example", EXAMPLES)
def test_untold_labels_are_empty_but_there(example: Example) -> None:
    record = serialise(example, told=False)
    assert parse(record).labels == Labels((), (), example.labels.id)
    assert b"label_index" in record and b"label_score" in record


def test_labels_are_found_in_the_first_bytes() -> None:
    example = Example(one_hot([2, 5], 7), images=(b"x" * 5000,))
    record = serialise(example)
    assert peek_labels(record[:200], len(record)) == one_hot([2, 5])
    assert peek_labels(record[:20], len(record)) is None
    # Lists first, as a writer of another language may put them: all of the record is needed.
    cut = 2 + record[1]  # tag, length, context
    context, lists = record[:cut], record[cut:]
    assert peek_labels((lists + context)[:200], len(record)) is None
    assert parse(lists + context) == example


def unpacked_floats(values: list[float]) -> bytes:
    return message(2, b"".join(number(1 << 3 | 5) + struct.pack("<f", value) for value in values))


def test_unpacked_numbers_and_unknown_fields_are_read() -> None:
    context = b"".join(
        (
            message(
                1,
                message(1, b"label_index"),
                message(2, message(3, number(8) + number(3) + number(8) + number(1))),
            ),
            message(1, message(1, b"label_score"), message(2, unpacked_floats([1.0, 0.5]))),
            message(1, message(1, b"more"), message(2, message(1, message(1, b"text")))),
            message(9, b"of a later version"),
        )
    )
    steps = message(1, message(1, b"0_dense_input"), message(2, message(1, unpacked_floats([1.0, 2.0, 3.0]))))
    found = parse(message(1, context) + message(2, steps) + number(7 << 3) + number(5))
    assert found.labels == Labels((3, 1), (1.0, 0.5))
    assert found.numbers[0].tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (b"\xff" * 12, "more than 64 bits"),
        (b"\x0a\x05ab", "a field of 5 bytes, but 2 are left"),
        (b"\x0b", "wire type 3"),
        (b"\x00", "a field without a number"),
        (b"\x08\x01", "a number where a message is needed"),
        (message(1, message(1, message(1, b"label_index"), message(2, message(1, b"")))), "of another type"),
        (
            message(1, message(1, message(1, b"label_index"), message(2, message(3, message(1, b"\1"))))),
            "1 label indi",
        ),
    ],
)
def test_what_is_no_message_is_refused(record: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        parse_labels(record)


def test_text_and_tables_are_no_pictures() -> None:
    sparse = message(2, message(1, message(1, b"0_sparse_value"), message(2, b"")))
    with pytest.raises(Unsupported, match="text or a table"):
        parse(sparse)
    with pytest.raises(Unsupported, match="neither"):
        parse(b"")


OFFICIAL = """# from a donor
is_sequence: false
sample_count : 428 ; sequence_size: 1, output_dim: 97
matrix_spec <
  col_count: -1   # varies
  row_count: 32
  has_locality_col: true
  format: COMPRESSED
>
label_to_index_map { key: 'it\\'s' value: 3 }
label_to_index_map: { key: "\\303\\266l" "baum" value: 0 }
something_new: [1, 2.5, 'x'] other { deep { deeper: -1e3 } }
"""


def test_metadata_is_read_as_people_write_it() -> None:
    found = metadata.from_text(OFFICIAL)
    assert (found.sample_count, found.output_dim, found.sequence_size) == (428, 97, 1)
    assert found.matrix == MatrixSpec(32, -1, 3, "COMPRESSED")
    assert found.labels == {"it's": 3, "ölbaum": 0}
    assert found.classes()[:5] == ("ölbaum", "1", "2", "it's", "4")


def test_metadata_comes_back_equal() -> None:
    about = Metadata(
        5, 3, MatrixSpec(-1, 40, 1, "DENSE"), -1, True, {"a 'b' \\ \n c": 1, 'ü"x"': 0}, {"r": 0}, {"f": 2}
    )
    assert metadata.from_text(metadata.to_text(about)) == about


def test_channels_left_open_depend_on_the_format() -> None:
    compressed = "output_dim: 2 matrix_spec { format: COMPRESSED num_channels: -1 }"
    assert metadata.from_text(compressed).matrix.channels == 3
    assert metadata.from_text("output_dim: 2 matrix_spec { col_count: 2 }").matrix == MatrixSpec(
        -1, 2, 1, "DENSE"
    )
    assert metadata.from_text("output_dim: 2 matrix_spec { format: 2 }").matrix.format == "COMPRESSED"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "output_dim is 0"),
        ("output_dim: 3 matrix_spec {", "line 1: the end where the name of a field is needed"),
        ("output_dim: 3\n}", "line 2"),
        ("output_dim 3", "where : or { is needed"),
        ("output_dim: 'three'", "no whole number"),
        ("output_dim: 2.5", "no whole number"),
        ("output_dim: 3 sample_count: -2", "below zero"),
        ("output_dim: 3 matrix_spec { format: JPEG }", "none of DENSE"),
        ("output_dim: 3 matrix_spec: 5", "not a message"),
        ("output_dim: 3 matrix_spec {} matrix_spec {}", "2 matrix_specs"),
        ("output_dim: 3 \x00", "cannot be read"),
        ("a {" * 100, "messages in messages"),
        ("output_dim: " + "9" * 5000, "no number that can be read|no whole number"),
    ],
)
def test_metadata_that_make_no_sense_are_refused(text: str, why: str) -> None:
    with pytest.raises(BadText, match=why):
        metadata.from_text(text)


def test_a_class_that_bears_anothers_number_gets_another_name() -> None:
    found = Metadata(0, 3, labels={"1": 0}).classes()
    assert len(set(found)) == 3 and found[0] == "1"


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="ab:{}<>[]'\"\\#\n ;,-0159.exf", max_size=60))
def test_any_text_is_fields_or_a_reason(text: str) -> None:
    try:
        parse_text(text)
    except BadText as error:
        assert str(error)


def test_a_solution_comes_back_equal(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 2, (7, 5), np.uint8)
    path = str(tmp_path / "x.solution")
    solution.write(path, labels)
    np.testing.assert_array_equal(solution.read(path), labels)
    np.testing.assert_array_equal(solution.read(path, (7, 5)), labels)
    assert not solution.is_multiclass(labels)
    assert solution.is_multiclass(np.eye(3, dtype=np.uint8))
    assert not solution.is_multiclass(np.zeros((0, 3), np.uint8))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1 0\n0 .5\n", "line 2: '.5' is neither 0 nor 1"),
        ("1 0\n0 nan\n", "'nan' is neither"),
        ("1 0\n0\n", "line 2: 1 columns where there must be 2"),
        ("1 0\nx y\n", "'x' is neither"),
        ("1 0\n", "has 1 rows, but there are 2 test samples"),
    ],
)
def test_a_solution_that_cannot_be_scored_is_refused(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "x.solution").write_text(text)
    with pytest.raises(BadDataset, match=why):
        solution.read(str(tmp_path / "x.solution"), (2, 2))


def test_a_solution_may_be_written_as_floats(tmp_path: Path) -> None:
    (tmp_path / "x.solution").write_text("1.0 0.0\r\n\r\n0 1e0\n")
    assert solution.read(str(tmp_path / "x.solution")).tolist() == [[1, 0], [0, 1]]
