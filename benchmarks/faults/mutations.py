"""Read files that are damaged at random: each gives pixels, or a reason why not, and nothing else happens.

    python -m benchmarks.faults.mutations --files 10000
    python -m benchmarks.faults.mutations --files 100000 --targets jpg png
    python -m benchmarks.faults.mutations --summarise

Damaged files are made from small whole ones of every format and mode, in the proportion of the table of targets
(targets.py), and read in processes of their own. A failure is: an exception, a crash, more than 5 s, anything
printed, a peak of memory above 1.5 GB, an answer of the wrong shape. The file is kept in `failures/`. Every 500
files are a line of the file of results: the command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from benchmarks.faults.child import sample
from benchmarks.faults.targets import TARGETS, Target
from benchmarks.table import ROOT

HANG = 5.0  # seconds for one file
MEMORY = 1536  # MB for a process that has read up to 500 files
_START = 60.0  # seconds until a process reads its first file
_CHUNK = 500
_SHOWN = 40  # sorts of failures

Report = dict[str, Any]


@dataclass(frozen=True)
class Chunk:
    """Damaged files `start` to `stop` of one target."""

    target: Target
    seed: int
    start: int
    stop: int


class Silent(Exception):
    """The process has said nothing for too long."""


def reports(chunk: Chunk, folder: Path) -> Iterator[Report]:
    """What became of every file of a chunk. A process that ends too early is followed by another one."""
    at = chunk.start
    while at < chunk.stop:
        at = yield from _until_it_ends(chunk, at, folder)


def _until_it_ends(chunk: Chunk, start: int, folder: Path) -> Generator[Report, None, int]:
    """The reports of one process; returns the number of the file that comes next."""
    command = [sys.executable, "-m", "benchmarks.faults.child", chunk.target.name, str(folder)]
    command += [str(number) for number in (chunk.seed, start, chunk.stop)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    done, begun = start, -1
    try:
        for line in _lines(process.stdout):
            begun = line.get("begin", begun)
            if "end" in line:
                done = int(line["end"]) + 1
                yield line
                if line["peak_mb"] > MEMORY:
                    line["wrong"] = line["wrong"] or f"a peak of {line['peak_mb']} MB"
                    return done  # the peak of a process never falls: the next file gets a new one
    except Silent:
        return (yield from _lost(begun, f"did not end within {HANG:g} s", HANG))
    finally:
        process.kill()
        process.wait()
    if done < chunk.stop:
        if begun < done:  # before any file: no finding but a fault of this program
            raise RuntimeError(f"the process ended by itself: {(folder / 'printed').read_text()[-2000:]}")
        return (yield from _lost(begun, f"crashed with exit code {process.returncode}", 0.0))
    return done


def _lost(number: int, wrong: str, seconds: float) -> Generator[Report, None, int]:
    """A file whose process did not come back; returns the next file's number."""
    yield {"end": number, "outcome": "", "wrong": wrong, "seconds": seconds, "peak_mb": 0}
    return number + 1


def _lines(stream: IO[bytes]) -> Iterator[Report]:
    """JSON objects as they come. Raises Silent."""
    waiting, patience = b"", _START
    while True:
        ready, _, _ = select.select([stream], [], [], patience)
        if not ready:
            raise Silent
        piece = os.read(stream.fileno(), 1 << 16)
        if not piece:
            return
        *whole, waiting = (waiting + piece).split(b"\n")
        yield from map(json.loads, whole)
        patience = HANG


def run_chunk(chunk: Chunk, folder: Path, failures: Path) -> Report:
    """Read all files of a chunk: counts, extremes, and the failures, whose files are kept."""
    outcomes: Counter[str] = Counter()
    wrong: list[Report] = []
    slowest = peak = 0.0
    seeds = sorted((folder / "seeds").iterdir())
    for report in reports(chunk, folder):
        peak, slowest = max(peak, report["peak_mb"]), max(slowest, report["seconds"])
        outcomes[report["outcome"] or "failure"] += 1
        if report["peak_mb"] > MEMORY and not report["wrong"]:
            report["wrong"] = f"a peak of {report['peak_mb']} MB"
        if report["wrong"]:
            data, name = sample(chunk.target, seeds, chunk.seed, report["end"])
            kept = failures / f"{chunk.target.name}-{chunk.seed}-{report['end']}{Path(name).suffix}"
            kept.write_bytes(data)
            wrong.append({"number": report["end"], "wrong": report["wrong"], "file": kept.name})
    return {
        "target": chunk.target.name, "seed": chunk.seed, "start": chunk.start, "stop": chunk.stop,
        "outcomes": dict(outcomes), "slowest": slowest, "peak_mb": peak, "wrong": wrong,
    }  # fmt: skip


def chunks(given: argparse.Namespace, done: list[Report]) -> Iterator[Chunk]:
    """What is still to be read; targets take turns."""
    there = {(report["target"], report["seed"], report["start"], report["stop"]) for report in done}
    chosen = [target for name, target in TARGETS.items() if name in given.targets and target.is_there()]
    each = -(-given.files // len(chosen))
    for start in range(0, each, _CHUNK):
        for target in chosen:
            chunk = Chunk(target, given.seed, start, min(start + _CHUNK, each))
            if (target.name, chunk.seed, chunk.start, chunk.stop) not in there:
                yield chunk


def make_seeds(target: Target, folder: Path) -> None:
    """The whole files of a target as files, made once."""
    place = folder / "seeds"
    if place.exists():
        return
    partial = folder / "partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, data in target.seeds().items():
        (partial / (name if name.endswith(target.suffix or "") else name + target.suffix)).write_bytes(data)
    partial.rename(place)


def summary(done: list[Report]) -> str:
    """The figures as text."""
    lines = [
        "| files | read | pixels | skipped | failures | slowest | peak |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name in sorted({report["target"] for report in done}):
        mine = [report for report in done if report["target"] == name]
        counts: Counter[str] = sum((Counter(report["outcomes"]) for report in mine), Counter())
        pixels, failed = counts["pixels"], sum(len(report["wrong"]) for report in mine)
        skipped = sum(number for words, number in counts.items() if words.startswith("skipped"))
        slowest, peak = (max(report[key] for report in mine) for key in ("slowest", "peak_mb"))
        lines.append(
            f"| {name} | {counts.total()} | {pixels} | {skipped} | {failed} | {slowest:.2f} s | {peak:.0f} MB |"
        )
    found = [item for report in done for item in report["wrong"]]
    alike = Counter(re.sub(r"[0-9]+", "#", item["wrong"]) for item in found)
    for words, number in alike.most_common(_SHOWN):
        first = next(item for item in found if re.sub(r"[0-9]+", "#", item["wrong"]) == words)
        lines.append(f"{number} x {first['file']}: {first['wrong']}")
    return "\n".join(lines)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=10_000, help="how many damaged files, over all targets")
    parser.add_argument("--targets", nargs="+", default=list(TARGETS), choices=list(TARGETS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "out" / "faults")
    parser.add_argument("--summarise", action="store_true", help="print the figures so far, read nothing")
    return parser.parse_args()


def main() -> None:
    """The command."""
    given = options()
    out, failures = given.out.resolve(), given.out.resolve() / "failures"
    failures.mkdir(parents=True, exist_ok=True)
    results = out / "mutations.jsonl"
    done = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    for chunk in chunks(given, done) if not given.summarise else ():
        folder = out / "mutants" / chunk.target.name
        make_seeds(chunk.target, folder)
        started = time.monotonic()
        report = run_chunk(chunk, folder, failures)
        with results.open("a") as file:
            file.write(json.dumps(report) + "\n")
        done.append(report)
        took = time.monotonic() - started
        print(
            f"{report['target']} {report['stop']}: {len(report['wrong'])} failures, {took:.1f} s", flush=True
        )
    print(summary(done))


if __name__ == "__main__":
    main()
