"""Tensor files are of the safetensors format, both ways, and damaged ones are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load as their_load
from safetensors.numpy import load_file, save_file

from headstart.errors import BadModel
from headstart.store.tensors import decode, encode, load, save

DTYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "?")

arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)
names = st.text(st.characters(codec="utf-8"), max_size=8).filter(lambda name: name != "__metadata__")


def _file(header: Any, data: bytes = b"", length: int | None = None) -> NDArray[np.uint8]:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    size = len(text) if length is None else length
    return np.frombuffer(size.to_bytes(8, "little") + text + data, np.uint8)


def _same(found: dict[str, NDArray[Any]], given: dict[str, NDArray[Any]]) -> None:
    assert found.keys() == given.keys()
    for name, array in given.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(names, arrays, max_size=5), st.dictionaries(names, names, max_size=3))
def test_what_is_written_is_read_here_and_by_the_library(
    tensors: dict[str, NDArray[Any]], metadata: dict[str, str]
) -> None:
    content = b"".join(encode(tensors, metadata))
    found, described = decode(np.frombuffer(content, np.uint8), "x")
    _same(found, tensors)
    assert described == metadata
    assert all(array.flags.aligned and not array.flags.writeable for array in found.values())
    _same(their_load(content), tensors)


@pytest.mark.parametrize("memmap", [False, True])
def test_files_go_both_ways(tmp_path: Path, memmap: bool) -> None:
    tensors = {
        f"{dtype}-{i}": np.arange(12).reshape(3, 4).astype(dtype) for i, dtype in enumerate(DTYPES)
    } | {"empty": np.zeros((0, 3), np.float32), "one": np.array(2.5)}
    ours, theirs = tmp_path / "ours.safetensors", tmp_path / "theirs.safetensors"
    save(ours, tensors, {"made": "here"})
    save_file(tensors, theirs, {"made": "there"})
    _same(load_file(ours), tensors)
    with safe_open(ours, "np") as file:
        assert file.metadata() == {"made": "here"}
    found, metadata = load(theirs, memmap=memmap)
    _same(found, tensors)
    assert metadata == {"made": "there"}


def test_strided_and_big_endian_arrays_are_stored_as_their_values(tmp_path: Path) -> None:
    wide = np.arange(24, dtype=np.float32).reshape(4, 6)
    save(tmp_path / "a", {"t": wide.T, "s": wide[::2, 1::2], "b": wide.astype(">f4")})
    found, _ = load(tmp_path / "a")
    np.testing.assert_array_equal(found["t"], wide.T)
    np.testing.assert_array_equal(found["s"], wide[::2, 1::2])
    np.testing.assert_array_equal(found["b"], wide)


def test_equal_content_gives_equal_bytes() -> None:
    a, b = np.ones(3, np.float32), np.zeros(2, np.int64)
    assert b"".join(encode({"a": a, "b": b})) == b"".join(encode({"b": b, "a": a}))


@pytest.mark.parametrize(
    "array", [np.array(["text"]), np.array([{}]), np.zeros(2, complex), np.zeros(2, "u4")]
)
def test_other_dtypes_are_refused(array: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="cannot be stored"):
        encode({"a": array})


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
BROKEN = {
    "short": (np.zeros(7, np.uint8), "shorter than 8 bytes"),
    "long header": (_file({}, length=1000), "1000 bytes long"),
    "huge header": (_file({}, length=2**63), "bytes long"),
    "no object": (_file([1]), "start with"),
    "no json": (_file(b"{nonsense"), "Expecting property name"),
    "no utf-8": (_file(b'{"\xff": 1}'), "utf-8"),
    "deep": (_file(b'{"a":' * 100_000), "recursion"),
    "twice": (_file(b'{"a": 1, "a": 1}'), "twice"),
    "metadata": (_file({"__metadata__": {"a": 1}}), "not strings"),
    "metadata list": (_file({"__metadata__": []}), "not strings"),
    "no entry": (_file({"a": 3}), "malformed"),
    "more": (_file({"a": ENTRY | {"more": 1}}, bytes(8)), "malformed"),
    "dtype": (_file({"a": ENTRY | {"dtype": "BF16"}}, bytes(8)), "dtype 'BF16'"),
    "dtype list": (_file({"a": ENTRY | {"dtype": []}}, bytes(8)), "dtype"),
    "negative": (_file({"a": ENTRY | {"shape": [-2]}}, bytes(8)), "wrong shape"),
    "fraction": (_file({"a": ENTRY | {"shape": [2.0]}}, bytes(8)), "wrong shape"),
    "truth": (_file({"a": ENTRY | {"shape": [2, True]}}, bytes(8)), "wrong shape"),
    "many": (_file({"a": ENTRY | {"shape": [1] * 40 + [2]}}, bytes(8)), "wrong shape"),
    "vast": (_file({"a": {"dtype": "U8", "shape": [0, 2**62, 2**62], "data_offsets": [0, 0]}}), "too big"),
    "offsets": (_file({"a": ENTRY | {"data_offsets": [0, 8, 9]}}, bytes(8)), "wrong offsets"),
    "backwards": (_file({"a": ENTRY | {"data_offsets": [8, 0]}}, bytes(8)), "does not fit"),
    "shape": (_file({"a": ENTRY | {"shape": [3]}}, bytes(8)), "does not fit"),
    "overlap": (_file({"a": ENTRY, "b": ENTRY | {"data_offsets": [4, 12]}}, bytes(12)), "overlap"),
    "hole": (_file({"a": ENTRY, "b": ENTRY | {"data_offsets": [9, 17]}}, bytes(17)), "hole"),
    "cut": (_file({"a": ENTRY}, bytes(7)), "holds 7 bytes"),
    "trailing": (_file({"a": ENTRY}, bytes(9)), "holds 9 bytes"),
    "bool": (_file({"a": {"dtype": "BOOL", "shape": [1], "data_offsets": [0, 1]}}, b"\2"), "truth"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_files_are_refused_by_name(kind: str) -> None:
    content, said = BROKEN[kind]
    with pytest.raises(BadModel, match=f"model.safetensors is damaged.*{said}"):
        decode(content, "model.safetensors")


def test_no_flipped_byte_ends_in_another_error() -> None:
    content = bytearray(b"".join(encode({"a": np.ones((2, 3)), "b": np.array([True, False])}, {"k": "v"})))
    for place in range(len(content)):
        for flip in (1, 0x10, 0x80, 0xFF):
            changed = content.copy()
            changed[place] ^= flip
            try:
                decode(np.frombuffer(bytes(changed), np.uint8), "x")
            except BadModel as error:
                assert "x is damaged" in str(error)


@pytest.mark.parametrize("memmap", [False, True])
def test_missing_and_empty_files_are_named(tmp_path: Path, memmap: bool) -> None:
    with pytest.raises(BadModel, match="gone cannot be read: No such file"):
        load(tmp_path / "gone", memmap=memmap)
    (tmp_path / "empty").touch()
    with pytest.raises(BadModel, match="empty is damaged"):
        load(tmp_path / "empty", memmap=memmap)
