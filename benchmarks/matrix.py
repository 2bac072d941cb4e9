"""P(θ, t): configurations replayed on data sets with labelled test splits, on the simulated clock, by several seeds.

    python -m benchmarks.matrix --data FOLDER --table TABLE.json --out OUT [--only 'glyphs/*'] [--processes 2]

One small JSON file per (data set, configuration, seed), written when the run is over: what is in OUT already is
not done again, so that a killed driver goes on where it was. Features are computed once per data set. A
configuration that raises is on record as failed, with an area of 0 and the sentence that says why.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy and torch: every process has its core
os.environ.setdefault("OMP_NUM_THREADS", "1")

from headstart.errors import HeadstartError
from headstart.learn.plan import default_config
from headstart.words.config import Config, Stage
from headstart.words.recipe import Recipe

T = 1200.0
TAPS = ("d4", "d7", "d10", "head")
PIXELS = Stage("pixels", 64, ("rgb16",))


@dataclass(frozen=True)
class Entry:
    """A configuration of the matrix. kinds: of data sets that it is for. config: None = the plan of `fit`."""

    label: str
    config: Config | None
    kinds: tuple[str, ...] = ("image", "video")


def _lite(pixels: int, outputs: Sequence[str] = TAPS, frames: int = 1, backbone: str = "lite0") -> Stage:
    return Stage(backbone, pixels, tuple(outputs), frames)


def _entry(label: str, *stages: Stage, **more: Any) -> Entry:
    return Entry(label, Config(stages=stages, reason=label, **more))


def pixel() -> Iterator[Entry]:
    """Raw pixels alone, by different heads."""
    yield _entry("pixels", PIXELS)
    for head in ("ridge", "lda", "neighbours"):
        yield _entry(f"pixels {head}", PIXELS, heads=(head,))


def single() -> Iterator[Entry]:
    """One stage of frozen features: outputs x pixels, and heads."""
    for size in (32, 64, 96, 128, 224):
        for name, outputs in (("taps", TAPS), ("d10", ("d10",)), ("head", ("head",))):
            yield _entry(f"{name}@{size}", _lite(size, outputs))
    for name, size in (("d4", 64), ("d7", 32), ("d7", 64), ("d7", 128)):
        yield _entry(f"{name}@{size}", _lite(size, (name,)))
    for size in (32, 64, 128):
        yield _entry(f"cut d10@{size}", _lite(size, ("d10",), backbone="lite0_cut"))
    for head in ("ridge", "lda", "neighbours", "means"):
        yield _entry(f"taps@64 {head}", _lite(64), heads=(head,))
    for head in ("ridge", "lda"):
        yield _entry(f"head@128 {head}", _lite(128, ("head",)), heads=(head,))


def staged() -> Iterator[Entry]:
    """Several stages, in different orders; the plan of `fit` among them."""
    yield Entry("default", None)
    orders: tuple[tuple[int, ...], ...] = (
        (64,), (32,), (128,), (224,), (32, 64), (32, 96), (64, 128), (64, 224), (32, 224), (32, 64, 128),
        (32, 128, 224), (96, 224),
    )  # fmt: skip
    for sizes in orders:
        yield _entry(f"pixels {' '.join(map(str, sizes))}", PIXELS, *map(_lite, sizes))
    yield _entry("64 128 224", *map(_lite, (64, 128, 224)))
    yield _entry("224 64", _lite(224), _lite(64))
    whole = (PIXELS, *map(_lite, (64, 128, 224)))
    yield _entry("default one member", *whole, members=1)
    yield _entry("default lda", *whole, heads=("lda",))
    yield _entry("default from 4 per class", *whole, first_per_class=4)


def clips() -> Iterator[Entry]:
    """Of clips: eight frames, how features change over them, and motion."""
    moving = tuple(f"{name}+{how}" for name in ("d10", "head") for how in ("std", "change"))
    flow = Stage("motion", 64, ("flow", "edges"), 8)
    found = (
        _entry("motion", flow),
        _entry("motion, pixels", Stage("pixels", 64, ("rgb16", "rgb16+std", "rgb16+change"), 8), flow),
        _entry("taps@64x8", _lite(64, TAPS, 8)),
        _entry("taps@64x8 moving", _lite(64, TAPS + moving, 8)),
        _entry("taps@128x8 moving", _lite(128, TAPS + moving, 8)),
        _entry("motion, taps@64x8 moving", flow, _lite(64, TAPS + moving, 8)),
    )
    for one in found:
        yield replace(one, kinds=("video",))


def continued() -> Iterator[Entry]:
    """What `fit` can go on with after the first pass of its plan: other stages, the rest as planned."""
    beginning = default_config(0, 0, ()).stages[:2]
    for sizes in (
        (32,),
        (96,),
        (160,),
        (96, 160),
        (96, 224),
        (128, 160),
        (160, 224),
        (96, 160, 224),
        (32, 128, 224),
    ):
        name = "then " + " ".join(map(str, sizes))
        yield Entry(name, Config((*beginning, *map(_lite, sizes)), reason=name), ("image",))
    plan = default_config(0, 0, (), "video").stages
    parts = {"pixels": plan[2], "motion": plan[3]} | {str(stage.pixels): stage for stage in plan[4:]}
    for name in (
        "pixels motion", "pixels motion 64", "pixels motion 64 128", "pixels motion 128", "motion", "motion 64",
        "motion 128", "motion 64 128 224", "64", "64 128", "64 pixels motion", "64 pixels motion 128 224",
    ):  # fmt: skip
        stages = [*plan[:2], *(parts[word] for word in name.split())]
        yield Entry(f"keyframes, {name}", Config(tuple(stages), reason=name), ("video",))


def trained() -> Iterator[Entry]:
    """Networks trained by gradient, alone and beside the small stages; few passes: a run takes about a minute."""
    start = (PIXELS, _lite(64))
    modern: dict[str, Any] = {"optimiser": "adamw", "weight_decay": 0.05, "averaging": 0.99}
    scratch: dict[str, Any] = {"weights": "random", "augmentation": "shift"}
    recipes = (
        ("small@32", (), Recipe("small", 32, "random", rate=3e-3, epochs=24)),
        ("small@64", (), Recipe("small", 64, rate=3e-3, epochs=16, **scratch)),
        ("lite0@64", (), Recipe("lite0", 64, rate=1e-3, blocks=3, epochs=16, **modern)),
        ("pixels 64 + small@32", start, Recipe("small", 32, rate=3e-3, epochs=16, **scratch, **modern)),
        ("pixels 64 + small@64", start, Recipe("small", 64, rate=3e-3, epochs=8, **scratch, **modern)),
        ("pixels 64 + lite0@64", start, Recipe("lite0", 64, rate=1e-3, blocks=3, epochs=8, **modern)),
        ("pixels 64 + lite0@128", start, Recipe("lite0", 128, rate=1e-3, blocks=2, epochs=4, **modern)),
    )
    for label, stages, recipe in recipes:
        yield _entry(f"trained {label}", *stages, recipe=recipe)


def entries(extra: Path | None, with_trained: bool) -> list[Entry]:
    """All of them. extra: a JSON file of more, a list of {"label": ..., "config": {...}}."""
    found = [*pixel(), *single(), *staged(), *continued(), *clips(), *(trained() if with_trained else ())]
    for one in json.loads(extra.read_text()) if extra else ():
        found.append(Entry(one["label"], Config.from_json(json.dumps(one["config"]))))
    assert len({entry.label for entry in found}) == len(found), "two entries have one label"
    return found


@dataclass(frozen=True)
class Work:
    """What one process does: all the entries of one data set by all seeds."""

    data: Path
    table: Path
    out: Path
    features: Path
    entries: tuple[Entry, ...]
    only: tuple[str, ...]
    seeds: int
    budget: float


def run(work: Work) -> tuple[str, int, float]:
    """Do what is missing; name of the data set, how many runs were made, and CPU seconds."""
    from headstart.bench.replay import Replayer
    from headstart.challenge.calibrate_tables import load
    from headstart.challenge.labelled import labelled

    began, made, name = time.process_time(), 0, work.data.name
    missing = [one for one in _wanted(work) if not _path(work, *one).exists()]
    if missing:
        task = replace(labelled(str(work.data)).task, name=name)
        replayer = Replayer(task, load(str(work.table)), work.features)
        for entry, seed in missing:
            # What cannot be run is no failed run.
            if task.kind in entry.kinds and (entry.config is None or entry.config.learns(task.labels)):
                _write(work, entry, seed, replayer)
                made += 1
    return name, made, time.process_time() - began


def _wanted(work: Work) -> Iterator[tuple[Entry, int]]:
    for entry in work.entries:
        named = f"{work.data.name}/{entry.label}"
        if not work.only or any(fnmatch.fnmatch(named, pattern) for pattern in work.only):
            yield from ((entry, seed) for seed in range(work.seeds))


def _path(work: Work, entry: Entry, seed: int) -> Path:
    plain = "".join(c if c.isalnum() or c in ".-@+" else "_" for c in entry.label)
    return work.out / work.data.name / f"{plain}.{seed}.json"


def _write(work: Work, entry: Entry, seed: int, replayer: Any) -> None:
    from headstart.running import versions
    from headstart.store.atomic import write_atomically
    from headstart.words.scoring import alc

    config: Config = entry.config or replayer.plan()
    began, failure = time.process_time(), ""
    curve: list[tuple[float, float]] = []
    halves: list[tuple[float, float]] = []
    landmarks: Mapping[str, float] = {}
    try:
        played = replayer.run(config, seed, work.budget)
        curve, halves, landmarks = played.curve, played.halves, played.landmarks
    except HeadstartError as error:
        failure = str(error)
    times, scores = [t for t, _ in curve], [s for _, s in curve]
    record = {
        "prior": work.data.name,
        "label": entry.label,
        "digest": config.digest,
        "config": asdict(replace(config, seed=seed)),
        "seed": seed,
        "clock": f"table:{work.table.stem}",
        "T": work.budget,
        "curve": [[round(t, 3), round(s, 5)] for t, s in curve],
        "landmarks": {stage: round(value, 5) for stage, value in landmarks.items()},
        "halves": [[round(a, 5), round(b, 5)] for a, b in halves],
        "alc60": round(alc(times, scores, work.budget, 60.0), 5),
        "alc20": round(alc(times, scores, work.budget, 20.0), 5),
        "status": "failed" if failure else "ok",
        "error": failure,
        "n": len(replayer.task.train),
        "cpu_seconds": round(time.process_time() - began, 3),
        "versions": versions(),
    }
    path = _path(work, entry, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(record).encode())


def _size(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder / "train"))


def parser() -> argparse.ArgumentParser:
    """The options."""
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument(
        "--data", type=Path, required=True, help="folder of data sets, each with train/ and test/"
    )
    found.add_argument("--sets", nargs="*", help="names of data sets (default: all in the folder)")
    found.add_argument("--table", type=Path, required=True, help="a cost table (headstart calibrate --out)")
    found.add_argument("--out", type=Path, required=True)
    found.add_argument("--features", type=Path, help="where features are kept (default OUT/features)")
    found.add_argument(
        "--only", nargs="*", default=[], help="patterns of SET/LABEL, for example 'glyphs/taps@*'"
    )
    found.add_argument("--configs", type=Path, help="more configurations, a JSON list of label and config")
    found.add_argument("--trained", action="store_true", help="those trained by gradient, too")
    found.add_argument("--seeds", type=int, default=3)
    found.add_argument("--budget", type=float, default=T)
    found.add_argument("--processes", type=int, default=2, choices=(1, 2))
    found.add_argument("--list", action="store_true", help="name the configurations, and do nothing")
    return found


def main() -> None:
    """Runs the driver."""
    options = parser().parse_args()
    rows = tuple(entries(options.configs, options.trained))
    if options.list:
        for entry in rows:
            print(f"{entry.config.digest if entry.config else 'as planned':12}  {entry.label}")
        return
    sets = options.sets or sorted(path.name for path in options.data.iterdir() if (path / "test").is_dir())
    folders = sorted((options.data / name for name in sets), key=_size, reverse=True)  # long ones first
    features = options.features or options.out / "features"
    works = [
        Work(
            f, options.table, options.out, features, rows, tuple(options.only), options.seeds, options.budget
        )
        for f in folders
    ]
    # Not forked: a fork of a process with onnxruntime's threads can hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.processes, mp_context=context) as pool:
        futures: list[Future[tuple[str, int, float]]] = [pool.submit(run, work) for work in works]
        for future in as_completed(futures):
            name, made, spent = future.result()
            print(f"{name}: {made} runs in {spent:.0f} CPU-s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
