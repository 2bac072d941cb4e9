"""Library: folders of priors, one laid over the other: the one that comes with headstart, and the user's own.

A prior that is in two folders is one prior with the runs of both. What is damaged is left out and named in `problems`;
the rest stands. Nothing is read before it is asked for: opening reads the descriptions, recognition the features,
and only the matrix the runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from headstart.errors import BadConfig, BadInput
from headstart.meta import prior as stored
from headstart.meta.bundle import Bundle, Configs, decode, encode
from headstart.meta.performance import Performance
from headstart.meta.prior import Features, Prior
from headstart.meta.record import Record
from headstart.meta.table import tabulate
from headstart.store.atomic import failure, write_atomically
from headstart.words.config import Config
from headstart.words.scoring import BUDGET, T0

SHIPPED = Path(__file__).parent / "priors"
SUFFIX = ".safetensors.gz"


def user_folder() -> Path:
    """Where the user's own library is kept: HEADSTART_LIBRARY, or the user's folder for data on this system."""
    own = os.environ.get("HEADSTART_LIBRARY")
    if own:
        return Path(own).expanduser()
    if sys.platform == "win32":
        place = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        place = Path.home() / "Library" / "Application Support"
    else:
        place = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return place / "headstart" / "library"


@dataclass(frozen=True)
class Entry:
    """A prior in the library. folders: where it lies, lowest layer first. id: checksum of its description.

    features: checksum of its features, "" where it has none.
    """

    prior: Prior
    id: str
    features: str
    folders: tuple[Path, ...]


@dataclass(frozen=True, eq=False)
class Library:
    """Priors by name.

    roots: folders, lowest layer first; what is added goes into the last. entries: by name, sorted.
    problems: what was left out so far and why, a sentence each; grows as files are read.
    """

    roots: tuple[Path, ...]
    entries: Mapping[str, Entry]
    problems: list[str] = field(default_factory=list)
    _bundles: dict[Path, Bundle | None] = field(default_factory=dict, repr=False)
    _configs: Configs = field(default_factory=dict, repr=False)

    @staticmethod
    def open(*paths: Path | str) -> Library:
        """The library in these folders, later ones over earlier ones; without any, the shipped one under the user's.

        A folder that is not there is an empty one; one that is added to is made. Raises BadInput for what is no folder.
        """
        roots = tuple(Path(path) for path in paths) or (SHIPPED, user_folder())
        entries: dict[str, Entry] = {}
        problems: list[str] = []
        for root in roots:
            for folder in prior_folders(root):
                _lay(folder, entries, problems)
        return Library(roots, {name: entries[name] for name in sorted(entries)}, problems)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    @property
    def priors(self) -> dict[str, Prior]:
        """The descriptions by name."""
        return {name: entry.prior for name, entry in self.entries.items()}

    def entry(self, name: str) -> Entry:
        """A prior of the library; BadInput where there is none of the name."""
        if name not in self.entries:
            raise BadInput(
                f"the library has no prior {name!r:.80}: `headstart library list` shows the {len(self)} it has"
            )
        return self.entries[name]

    def features(self, name: str) -> Features | None:
        """What a prior looks like; None where it has no features, or damaged ones (then `problems` says so)."""
        entry = self.entry(name)
        if not entry.features:
            return None
        found = (self._features(folder, entry) for folder in entry.folders)
        return next((features for features in found if features is not None), None)

    def all_features(self) -> dict[str, Features]:
        """The features of all priors that have some, by name."""
        found = ((name, self.features(name)) for name in self)
        return {name: features for name, features in found if features is not None}

    def bundles(self, name: str) -> list[Bundle]:
        """All runs of a prior as columns, a bundle per file; damaged files are left out and named in `problems`."""
        told = self.entry(name).id
        paths = self._bundle_paths(name)
        return [bundle for path in paths if (bundle := self._bundle(path, told)) is not None]

    def sound_files(self, name: str) -> dict[str, Path]:
        """The files of a prior by their place in its folder, damaged ones left out and named in `problems`.

        Empty where the prior itself is damaged.
        """
        entry, sound = self.entry(name), {}
        if entry.features:
            folders = [folder for folder in entry.folders if self._features(folder, entry) is not None]
            if not folders:
                return {}
            sound[stored.FEATURES] = folders[0] / stored.FEATURES
        sound[stored.DESCRIPTION] = entry.folders[0] / stored.DESCRIPTION
        for path in self._bundle_paths(name):
            if self._bundle(path, entry.id) is not None:
                sound[f"{stored.RUNS}/{path.name}"] = path
        return sound

    def records(self, name: str) -> list[Record]:
        """All runs of a prior, none twice. Those whose configuration this version does not know are left out."""
        found: dict[str, Record] = {}
        for bundle in self.bundles(name):
            for row in range(len(bundle)):
                if self._known(bundle, int(bundle.config[row])) is not None:
                    record = bundle.record(row, self._configs)
                    found.setdefault(repr(record), record)
        return list(found.values())

    def matrix(
        self, t0: float = T0, budget: float = BUDGET, clock: str | None = None, *, halves: bool = True
    ) -> Performance:
        """P(θ, t): the area of every configuration on every prior that has runs, mean over seeds.

        t0, budget: seconds; a run whose own budget was shorter than `budget` counts only where the prior has no longer
        one, and its last score is held. clock: only runs by this clock; None = by any. NaN where nothing was run.
        halves: also the table by halves of the test parts, where any run has it; without, it is a little faster.
        """
        told = {name: self.bundles(name) for name in self}
        return tabulate(self.priors, told, self._known, t0, budget, clock, halves)

    def without(self, sources: Collection[str]) -> Library:
        """This library without the priors of some sources: what a run on data of such a source may know."""
        left = {name: entry for name, entry in self.entries.items() if entry.prior.source not in sources}
        return Library(self.roots, left, self.problems, self._bundles, self._configs)

    def only(self, *names: str) -> Library:
        """This library with these priors alone; BadInput for an unknown name."""
        left = {name: self.entry(name) for name in names}
        return Library(self.roots, left, self.problems, self._bundles, self._configs)

    def add_prior(self, prior: Prior, features: Features | None = None) -> Library:
        """Put a prior into the uppermost folder; returns the library that has it.

        Adding what is there already changes nothing. Raises BadInput where another prior has the name, HeadstartError
        where the disk refuses.
        """
        there = self.entries.get(prior.name)
        if there is not None and there.id != stored.identity(prior, features):
            raise BadInput(
                f"the library has another prior {prior.name} (in {there.folders[-1].parent}): take another name"
            )
        folder = self.roots[-1] / prior.name
        make_folder(folder)
        stored.write(folder, prior, features)
        return Library.open(*self.roots)

    def add_run(self, name: str, record: Record) -> Library:
        """As `add_runs`, of one run."""
        return self.add_runs(name, [record])

    def add_runs(self, name: str, records: Sequence[Record]) -> Library:
        """Add runs of a prior as one new file in the uppermost folder; returns the library that has them.

        Raises BadInput for an unknown prior and for no runs, HeadstartError where the disk refuses.
        """
        entry = self.entry(name)
        key, content = encode(entry.id, records)
        folder = self.roots[-1] / name
        make_folder(folder / stored.RUNS)
        if folder not in entry.folders:
            stored.copy(entry.folders[-1], folder)
        path = folder / stored.RUNS / f"{key}{SUFFIX}"
        if not path.exists():
            write_atomically(path, content)
        return self if folder in entry.folders else Library.open(*self.roots)

    def _features(self, folder: Path, entry: Entry) -> Features | None:
        try:
            return stored.read_features(folder, entry.features)
        except BadInput as error:
            self._complain(str(error))
            return None

    def _bundle_paths(self, name: str) -> list[Path]:
        """The files of runs, each name once: equal names are equal content."""
        paths = {path.name: path for folder in self.entry(name).folders for path in bundle_files(folder)}
        return [paths[key] for key in sorted(paths)]

    def _bundle(self, path: Path, prior: str) -> Bundle | None:
        if path not in self._bundles:
            try:
                self._bundles[path] = decode(path.read_bytes(), path.name.removesuffix(SUFFIX), prior)
            except OSError as error:
                self._complain(f"the runs {path} cannot be read: {error.strerror}")
                self._bundles[path] = None
            except BadInput as error:
                self._complain(f"the runs {path} are left out: {error}")
                self._bundles[path] = None
        return self._bundles[path]

    def _known(self, bundle: Bundle, at: int) -> tuple[str, Config | None] | None:
        """Name and content of a configuration; None where this version cannot read it."""
        try:
            return bundle.read_config(at, self._configs)
        except BadConfig as error:
            self._complain(f"runs of the configuration {bundle.names[at]} are left out: {error}")
            return None

    def _complain(self, sentence: str) -> None:
        if sentence not in self.problems:
            self.problems.append(sentence)


def _lay(folder: Path, entries: dict[str, Entry], problems: list[str]) -> None:
    """Put what a folder holds over what there is."""
    try:
        prior, told, features = stored.read(folder)
    except BadInput as error:
        problems.append(str(error))
        return
    below = entries.get(prior.name)
    if below is None:
        entries[prior.name] = Entry(prior, told, features, (folder,))
    elif below.id == told:
        entries[prior.name] = Entry(prior, told, features, (*below.folders, folder))
    else:
        problems.append(
            f"the prior {folder} is left out: {below.folders[0].parent} has another one of this name"
        )


def prior_folders(root: Path) -> Iterable[Path]:
    """The folders in a library's, in order; none where it is not there. Raises BadInput for what is no folder."""
    try:
        inside = sorted(root.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadInput(
            f"the library {str(root)!r} cannot be read: {error.strerror}; it must be a folder"
        ) from error
    return [path for path in inside if not path.name.startswith(".") and path.is_dir()]


def bundle_files(folder: Path) -> list[Path]:
    """The files of runs of a prior, in order."""
    try:
        return sorted(path for path in (folder / stored.RUNS).iterdir() if path.name.endswith(SUFFIX))
    except OSError:
        return []  # a prior without runs


def make_folder(folder: Path) -> None:
    """Make a folder and those above it. Raises HeadstartError where the disk refuses."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise failure(folder, error) from error
