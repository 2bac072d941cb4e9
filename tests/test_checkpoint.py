"""The reader of the original weights: right on what it knows, and nothing else gets through."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from headstart.backbones.checkpoint import read_checkpoint
from headstart.errors import BadWeights

MAGIC = 0x1950A86A20F9469CFC6C


def saved(path: Path, tensors: dict[str, Any]) -> bytes:
    """What torch writes in the old format."""
    torch = pytest.importorskip("torch")
    torch.save(tensors, path, _use_new_zipfile_serialization=False)
    return path.read_bytes()


def test_tensors_come_back_with_their_numbers_shapes_and_strides(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    whole = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    tensors = {"whole": whole, "turned": whole.T, "part": whole[1:3, 2:], "count": torch.tensor(7)}
    saved(tmp_path / "a.pth", tensors)
    found: dict[str, NDArray[Any]] = read_checkpoint(tmp_path / "a.pth")
    assert list(found) == list(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor.numpy())
        assert found[name].dtype == tensor.numpy().dtype and found[name].shape == tuple(tensor.shape)


def test_a_file_cut_anywhere_or_with_more_behind_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "a.pth"
    content = saved(path, {"a": torch.ones(3, 4), "b": torch.zeros(5)})
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(BadWeights, match=r"a\.pth is damaged"):
            read_checkpoint(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(BadWeights, match="longer"):
        read_checkpoint(path)


def test_a_tensor_outside_of_its_data_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "a.pth"
    content = saved(path, {"a": torch.ones(60, 61)})
    shape, more = b"K<K=\x86", b"K<K\xff\x86"  # the pickled pair (60, 61), and (60, 255)
    assert content.count(shape) == 1
    path.write_bytes(content.replace(shape, more))
    with pytest.raises(BadWeights, match="outside"):
        read_checkpoint(path)


def test_other_formats_are_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"a": torch.ones(2)}, tmp_path / "zip.pth")
    (tmp_path / "number.pth").write_bytes(pickle.dumps(7))
    for name in ("zip.pth", "number.pth"):
        with pytest.raises(BadWeights, match=name):
            read_checkpoint(tmp_path / name)


class _Command:
    """Unpickled by a careless reader, this runs a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


@pytest.mark.parametrize("place", range(5))
def test_code_in_a_checkpoint_is_never_run(tmp_path: Path, place: int) -> None:
    parts: list[Any] = [MAGIC, 1001, {}, {}, []]
    parts[place] = _Command(f"touch '{tmp_path / 'ran'}'")
    path = tmp_path / "evil.pth"
    path.write_bytes(b"".join(pickle.dumps(part, protocol=2) for part in parts))
    with pytest.raises(BadWeights, match="refused"):
        read_checkpoint(path)
    assert not (tmp_path / "ran").exists()
