"""Writes headstart as a submission for the AutoDL challenge: `model.py`, and a copy of the package with its weights."""

from __future__ import annotations

import os
import shutil
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import headstart
from headstart.errors import BadInput, DiskFull
from headstart.version import __version__

LIMIT = 300_000_000  # bytes: what the challenge takes
_TEMPLATE = Path(__file__).with_name("template")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
_LICENCES = ("LICENSE", "NOTICE")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # in archives, so that equal content gives equal files
_README = f"""headstart {__version__} as a submission for the AutoDL challenge
(https://autodl.chalearn.org). Apache License 2.0.

model.py    class Model: train, test, done_training
headstart/  the package with its weights
site/       not there; packages that the interpreter lacks are found in it

It needs Python 3.11 or newer with numpy, onnxruntime, Pillow, scipy and threadpoolctl, on a processor:
no graphics card is used, nothing is downloaded or installed.
"""


@dataclass(frozen=True)
class Exported:
    """What was written: where, how many files, and their bytes (of an archive, its own)."""

    path: Path
    files: int
    size: int


def export_submission(out: str | os.PathLike[str]) -> Exported:
    """Write the submission as a folder, or as one archive where the name ends with `.zip`; whole or not at all.

    Raises BadInput where that exists, cannot be written, or comes out larger than the challenge takes.
    """
    target = Path(os.path.abspath(out))
    if os.path.lexists(target) and not _is_empty(target):
        raise BadInput(f"{target} is there already: name a new folder, or a new file that ends with .zip")
    partial = target.with_name(f".{target.name}.part-{os.getpid()}")
    archive = partial.with_name(partial.name + ".zip")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _fill(partial)
        content = sorted(path for path in partial.rglob("*") if path.is_file())
        if target.suffix.lower() == ".zip":
            _pack(partial, content, archive)
        size = archive.stat().st_size if archive.exists() else sum(path.stat().st_size for path in content)
        if size > LIMIT:
            raise BadInput(f"the submission has {size / 1e6:.0f} MB, the challenge takes 300: remove weights")
        os.replace(archive if archive.exists() else partial, target)
    except OSError as error:
        if error.errno == 28:  # ENOSPC
            raise DiskFull(f"the disk is full: {target} was not written") from error
        raise BadInput(f"{target} cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        with suppress(OSError):
            archive.unlink()
    return Exported(target, len(content), size)


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _fill(folder: Path) -> None:
    """Put all files into a new folder."""
    folder.mkdir()
    shutil.copy(_TEMPLATE / "model.py", folder / "model.py")
    shutil.copytree(Path(headstart.__file__).parent, folder / "headstart", ignore=_LEFT_OUT)
    (folder / "README.txt").write_text(_README, encoding="utf-8")
    for name in _LICENCES:
        text = _licence(name)
        if text:
            (folder / name).write_text(text, encoding="utf-8")


def _licence(name: str) -> str | None:
    """A text that was installed beside the package, or lies beside its source."""
    with suppress(metadata.PackageNotFoundError):
        if text := metadata.distribution("headstart").read_text(f"licenses/{name}"):
            return text
    beside = Path(headstart.__file__).parents[2] / name
    return beside.read_text(encoding="utf-8") if beside.is_file() else None


def _pack(folder: Path, content: list[Path], archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in content:
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _LONG_AGO)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            packed.writestr(entry, path.read_bytes())
