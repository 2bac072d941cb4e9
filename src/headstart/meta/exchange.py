"""Libraries between people: merge one folder into another, and pack and unpack one as a single file.

Merging copies the files that are missing; as entries never change and runs are named by their content, it can be done
in any order and any number of times. The single file is a ZIP of these files and nothing else.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from headstart.errors import BadInput
from headstart.meta import prior as stored
from headstart.meta.bundle import LARGEST, decode
from headstart.meta.library import SUFFIX, Library, bundle_files, make_folder, prior_folders
from headstart.store.atomic import write_atomically

_MEMBER = re.compile(
    rf"({stored.NAME.pattern})/"
    rf"({re.escape(stored.DESCRIPTION)}|{re.escape(stored.FEATURES)}|{stored.RUNS}/[0-9a-f]{{64}}{re.escape(SUFFIX)})"
)
_MEMBERS = 100_000
_WHOLE = 4 << 30  # bytes that a packed library may unpack to
_THEN = (2020, 1, 1, 0, 0, 0)  # of every file in a packed library: the same content gives the same bytes


@dataclass(frozen=True)
class Merged:
    """What merging did: names of priors that are new, how many files of runs are, and what was left out and why."""

    priors: tuple[str, ...]
    runs: int
    problems: tuple[str, ...]


def merge(source: Path, target: Path) -> Merged:
    """Copy what `target` lacks of the library in the folder `source`. Files of runs are all read and checked.

    Raises BadInput where `source` is no folder, HeadstartError where the disk refuses.
    """
    if not source.is_dir():
        raise BadInput(
            f"{str(source)!r} is no folder: merge takes the folders of libraries (or import a packed one)"
        )
    new: list[str] = []
    problems: list[str] = []
    runs = 0
    for folder in prior_folders(source):
        try:
            told = stored.read(folder)[1]
            new += [folder.name] if _take_prior(folder, target, told) else []
        except BadInput as error:
            problems.append(str(error))
            continue
        runs += _take_runs(folder, target / folder.name, told, problems)
    return Merged(tuple(new), runs, tuple(problems))


def pack(library: Library, path: Path, names: Sequence[str] | None = None) -> int:
    """Write priors of a library, with all their runs, as one file; returns how many. names: None = all.

    What is damaged is left out and named in `library.problems`. Raises BadInput for an unknown name and where
    nothing is left, HeadstartError where the disk refuses.
    """
    members: dict[str, Path] = {}
    count = 0
    for name in library if names is None else names:
        files = library.sound_files(name)
        members |= {f"{name}/{place}": path for place, path in files.items()}
        count += bool(files)
    if not count:
        raise BadInput("there is nothing to export: the library has no prior that is whole")
    make_folder(path.absolute().parent)
    write_atomically(path, lambda file: _zip(file, members))
    return count


def unpack(path: Path, target: Path) -> Merged:
    """Merge a packed library into the folder `target`. Nothing outside of it is written, whatever the file says.

    Raises BadInput for what is no packed library, HeadstartError where the disk refuses.
    """
    make_folder(target)
    try:
        with (
            zipfile.ZipFile(path) as packed,
            tempfile.TemporaryDirectory(prefix=".headstart-import-", dir=target) as aside,
        ):
            _spread(packed, path, Path(aside))
            return merge(Path(aside), target)
    except OSError as error:
        raise BadInput(
            f"the packed library {str(path)!r} cannot be read: {error.strerror or error}"
        ) from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise BadInput(f"{str(path)!r} is no packed library, or it is damaged: {error}") from error


def _take_prior(folder: Path, target: Path, told: str) -> bool:
    """Whether the prior was copied. Raises BadInput where the target has another one of its name."""
    place = target / folder.name
    if (place / stored.DESCRIPTION).exists():
        if stored.read(place)[1] != told:
            raise BadInput(
                f"the prior {folder.name} is left out: {target} has another one of this name; rename or remove one"
            )
        return False
    make_folder(place / stored.RUNS)
    stored.copy(folder, place)
    return True


def _take_runs(folder: Path, place: Path, told: str, problems: list[str]) -> int:
    taken = 0
    for file in bundle_files(folder):
        goal = place / stored.RUNS / file.name
        if goal.exists():
            continue
        try:
            content = file.read_bytes()
            decode(content, file.name.removesuffix(SUFFIX), told)
        except (BadInput, OSError) as error:
            problems.append(f"the runs {file} are left out: {error}")
            continue
        make_folder(goal.parent)
        write_atomically(goal, content)
        taken += 1
    return taken


def _zip(file: BinaryIO, members: dict[str, Path]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in sorted(members):
            packed.writestr(zipfile.ZipInfo(name, _THEN), members[name].read_bytes(), zipfile.ZIP_DEFLATED)


def _spread(packed: zipfile.ZipFile, path: Path, aside: Path) -> None:
    """The members as files below `aside`. Names and sizes are checked first, so that no other place can be reached."""
    members = packed.infolist()
    _refuse_odd(members, path)
    for member in members:
        with packed.open(member) as stream:
            content = stream.read(LARGEST + 1)  # what a header says of its size may be untrue
        if len(content) > LARGEST:
            raise BadInput(f"{str(path)!r} is no packed library: {member.filename!r:.80} is far too large")
        goal = aside / member.filename
        goal.parent.mkdir(parents=True, exist_ok=True)
        goal.write_bytes(content)


def _refuse_odd(members: Iterable[zipfile.ZipInfo], path: Path) -> None:
    whole = count = 0
    for member in members:
        whole, count = whole + member.file_size, count + 1
        if not _MEMBER.fullmatch(member.filename):
            raise BadInput(
                f"{str(path)!r} is no packed library: it holds {member.filename!r:.80}, and a library holds priors only"
            )
    if count > _MEMBERS or whole > _WHOLE:
        raise BadInput(f"{str(path)!r} is too large for a packed library: {count} files of {whole} bytes")
