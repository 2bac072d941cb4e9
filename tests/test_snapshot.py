"""The published model is whole at every moment, and a damaged one is refused."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from faults import run, run_on_small_disk, start
from headstart.errors import BadModel
from headstart.store import snapshot
from headstart.store.snapshot import publish, read

DOCUMENT = {"classes": ["Bär", "猫", "\udcff"], "members": [{"head": "lda", "weight": 0.5}], "note": None}


def _tensors(number: int, size: int = 500) -> dict[str, NDArray[Any]]:
    return {"w": np.full(size, number, np.float32), "i": np.arange(number % 7, dtype=np.int64)}


def _tensor_files(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("tensors-*")}


def test_what_is_published_is_read(tmp_path: Path) -> None:
    publish(tmp_path / "new" / "model", DOCUMENT, _tensors(3))
    document, tensors = read(tmp_path / "new" / "model")
    assert document == DOCUMENT
    np.testing.assert_array_equal(tensors["w"], np.full(500, 3, np.float32))
    assert tensors["i"].dtype == np.int64


def test_the_files_are_plain(tmp_path: Path) -> None:
    publish(tmp_path, DOCUMENT, _tensors(3))
    content = json.loads((tmp_path / "model.json").read_text())
    assert content["format"] == "headstart model"
    assert content["version"] == snapshot.FORMAT_VERSION
    assert content["document"] == DOCUMENT
    assert load_file(tmp_path / content["tensors"]["file"]).keys() == {"w", "i"}


def test_the_last_tensor_file_stays_and_older_ones_go(tmp_path: Path) -> None:
    (tmp_path / "tensors-of-mine.txt").touch()
    seen = []
    for number in range(4):
        publish(tmp_path, {}, _tensors(number))
        seen.append(json.loads((tmp_path / "model.json").read_text())["tensors"]["file"])
    assert _tensor_files(tmp_path) == {*seen[-2:], "tensors-of-mine.txt"}
    publish(tmp_path, {"again": 1}, _tensors(3))
    assert read(tmp_path)[0] == {"again": 1}


def test_a_document_that_json_cannot_hold_changes_nothing(tmp_path: Path) -> None:
    publish(tmp_path, {"n": 1}, _tensors(1))
    with pytest.raises(ValueError, match="JSON compliant"):
        publish(tmp_path, {"n": float("nan")}, _tensors(2))
    assert read(tmp_path)[0] == {"n": 1}


def test_nothing_published_yet(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=r"holds no model of headstart: there is no model.json"):
        read(tmp_path)
    with pytest.raises(BadModel, match="holds no model of headstart"):
        read(tmp_path / "missing")
    (tmp_path / "model.json").write_text('{"format": "layers-model"}')
    with pytest.raises(BadModel, match="is no model of headstart"):
        read(tmp_path)


def test_every_flipped_byte_is_refused(tmp_path: Path) -> None:
    publish(tmp_path, DOCUMENT, _tensors(3, size=60))
    rng = np.random.default_rng(0)
    for path in list(tmp_path.iterdir()):
        content = path.read_bytes()
        for place in range(len(content)):
            changed = bytearray(content)
            changed[place] ^= int(rng.integers(1, 256))
            path.write_bytes(changed)
            with pytest.raises(BadModel, match=path.name):
                read(tmp_path)
        path.write_bytes(content)
    assert read(tmp_path)[0] == DOCUMENT


def test_the_message_says_what_is_damaged_and_the_way_out(tmp_path: Path) -> None:
    publish(tmp_path, DOCUMENT, _tensors(3))
    path = next(tmp_path.glob("tensors-*"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BadModel, match=r"tensors-.* is damaged: checksum differs; run `headstart fit` again"):
        read(tmp_path)
    path.write_bytes(content[:-5])
    with pytest.raises(BadModel, match=r"it has .* bytes instead of"):
        read(tmp_path)
    path.unlink()
    with pytest.raises(BadModel, match=r"there is no tensors-[0-9a-f]+\.safetensors in it"):
        read(tmp_path)


@pytest.mark.parametrize("cut", [0, 1, 40, 100, -1, -70, -80])
def test_a_cut_model_json_is_refused(tmp_path: Path, cut: int) -> None:
    publish(tmp_path, DOCUMENT, _tensors(3))
    path = tmp_path / "model.json"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(BadModel, match=r"model.json is"):
        read(tmp_path)
    publish(tmp_path, DOCUMENT, _tensors(4))  # and is replaced by the next model
    assert read(tmp_path)[0] == DOCUMENT


def _entry(**changes: object) -> dict[str, Any]:
    entry = {"file": "tensors-0123456789ab.safetensors", "sha256": "0" * 64, "bytes": 8}
    return {"version": snapshot.FORMAT_VERSION, "tensors": entry | changes, "document": {}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"version": 99, "anything": 1}, "of model format 99 .* up to 1: install a newer headstart"),
        ({"version": 0}, "missing or of the wrong type"),
        (_entry(file="../../etc/passwd"), "missing or of the wrong type"),
        (_entry(bytes="8"), "missing or of the wrong type"),
        ({"version": 1, "document": [], "tensors": {}}, "missing or of the wrong type"),
    ],
)
def test_sealed_files_of_strangers_and_of_later_versions(
    tmp_path: Path, content: dict[str, Any], said: str
) -> None:
    (tmp_path / "model.json").write_bytes(snapshot._seal(content))
    with pytest.raises(BadModel, match=said):
        read(tmp_path)


READER = """
import sys
from pathlib import Path
from headstart.store.snapshot import read

folder, last, reads = Path(sys.argv[1]), -1, 0
print("reading", flush=True)
while last < 200:
    document, tensors = read(folder)
    assert (tensors["w"] == document["number"]).all()
    assert document["number"] >= last
    last, reads = document["number"], reads + 1
print(reads)
"""


def test_readers_see_whole_models_while_200_are_published(tmp_path: Path) -> None:
    publish(tmp_path, {"number": 0}, _tensors(0))
    wrong: list[object] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            document, tensors = read(tmp_path)
            if not (tensors["w"] == document["number"]).all():
                wrong.append(document)

    thread = threading.Thread(target=look)
    with start(READER, tmp_path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        thread.start()
        for number in range(1, 201):
            publish(tmp_path, {"number": number}, _tensors(number))
        done.set()
        thread.join()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert int(out) > 20
    assert not wrong
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_reader_overtaken_by_a_new_model_reads_that_one(tmp_path: Path) -> None:
    publish(tmp_path, {"number": 1}, _tensors(1))
    path = next(tmp_path.glob("tensors-*"))
    path.unlink()
    os.mkfifo(path)  # the reader of the old model.json waits here until we have published
    found: list[Any] = []
    reader = threading.Thread(target=lambda: found.append(read(tmp_path)[0]))
    reader.start()
    with path.open("wb") as pipe:  # opens once the reader has come so far
        publish(tmp_path, {"number": 2}, _tensors(2))
        pipe.write(b"no longer what it was")
    reader.join()
    assert found == [{"number": 2}]


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
import numpy as np
from headstart.store.atomic import sweep
from headstart.store.snapshot import publish, read

folder, chance, last, torn = Path(sys.argv[1]), random.Random(0), 0, 0
publish(folder, {"number": 0}, {"w": np.zeros(20000, np.float32)})
for _ in range(30):
    child = os.fork()
    if not child:
        for number in range(last, last + 1000):
            publish(folder, {"number": number}, {"w": np.full(20000, number, np.float32)})
    time.sleep(chance.uniform(0, 0.1))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    document, tensors = read(folder)
    assert (tensors["w"] == document["number"]).all() and document["number"] >= last
    torn += any(path.suffix == ".part" for path in folder.iterdir())
    last = document["number"]
sweep(folder)
publish(folder, {"number": 0}, {"w": np.zeros(3)})
publish(folder, {"number": 0}, {"w": np.zeros(4)})
print(last, torn, len(list(folder.iterdir())))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_kill_9_always_leaves_a_model(tmp_path: Path) -> None:
    last, torn, files = map(int, run(KILLED, tmp_path).split())
    assert last > 10
    assert torn > 0, "no kill fell into a write: the test tests nothing"
    assert files == 3


FULL = """
import sys
from pathlib import Path
import numpy as np
from headstart.errors import DiskFull
from headstart.store.snapshot import publish, read

folder = Path(sys.argv[1])
for number in range(3):
    publish(folder, {"number": number}, {"w": np.full(10_000, number, np.float32)})
before = sorted(path.name for path in folder.iterdir())
for document, size in (({}, 200_000), ({"long": "x" * 150_000}, 10_000)):
    try:
        publish(folder, document, {"w": np.full(size, 9, np.float32)})
        print("published")
    except DiskFull as error:
        print(error)
    assert sorted(path.name for path in folder.iterdir()) == before
    found, tensors = read(folder)
    assert found == {"number": 2} and (tensors["w"] == 2).all()
publish(folder, {"number": 3}, {"w": np.full(10_000, 3, np.float32)})
"""


def test_a_full_disk_leaves_the_model_before(tmp_path: Path) -> None:
    said = run_on_small_disk(FULL, tmp_path, kilobytes=200)
    assert said.count("there is no room to write") == 2
    assert "published" not in said


def test_a_model_can_be_copied(tmp_path: Path) -> None:
    publish(tmp_path / "a", DOCUMENT, _tensors(5))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert read(tmp_path / "b")[0] == DOCUMENT
