"""The main benchmark: every learner on every data set, each run in a process of its own, single-threaded.

    python -m benchmarks.table --data DIR --sets surfaces clipart --seeds 3 \\
        --weights efficientnet-lite0.pth --package efficientnet_lite_pytorch.whl
    python -m benchmarks.table --summarise

DIR holds NAME/{train,test}/CLASS/files. A run that is done is not done again: the command goes on where it
was stopped. `--again ours` forgets the runs of a learner.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.judge import BUDGET, as_json, hide_labels, verdict
from benchmarks.roster import LEARNERS, Learner, missing
from benchmarks.summary import summarise

ROOT = Path(__file__).resolve().parent.parent
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
# Torch gives large blocks back to the system and asks again at each layer: two fifths of its time here. Spare it that.
_KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "1000000000",
    "MALLOC_TRIM_THRESHOLD_": "2000000000",
    "MALLOC_TOP_PAD_": "100000000",
}


@dataclass(frozen=True)
class Job:
    """One run: its learner, its data, and where its result goes."""

    learner: str
    dataset: str
    seed: int
    result: Path


def _path(text: str) -> Path:
    """Learners run in the project's folder: what is given is relative to the caller's."""
    return Path(text).resolve()


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=_path, help="the folder of the data sets")
    parser.add_argument("--sets", nargs="+", default=[], help="their names")
    parser.add_argument("--learners", nargs="+", default=list(LEARNERS), choices=list(LEARNERS))
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument(
        "--weights", type=_path, help="checkpoint of EfficientNet-Lite0 for the learners in torch"
    )
    parser.add_argument(
        "--package", type=_path, help="wheel of efficientnet-lite-pytorch, if it is not installed"
    )
    parser.add_argument("--out", type=_path, default=ROOT / "benchmarks" / "out", help="for single runs")
    parser.add_argument("--results", type=_path, default=ROOT / "benchmarks" / "results")
    parser.add_argument(
        "--again", nargs="+", default=[], choices=list(LEARNERS), help="forget their runs first"
    )
    parser.add_argument("--summarise", action="store_true", help="write table.json and table.md")
    given = parser.parse_args()
    if given.sets and given.data is None:
        parser.error("--sets needs --data, the folder that holds them")
    return given


def jobs(given: argparse.Namespace) -> Iterator[Job]:
    """Learners take turns on each data set and seed, so that a busy hour of the machine slows all alike."""
    for dataset in given.sets:
        for seed in range(given.seeds):
            for learner in given.learners:
                yield Job(learner, dataset, seed, given.out / "runs" / f"{learner}-{dataset}-{seed}.json")


def run(job: Job, given: argparse.Namespace) -> dict[str, Any]:
    """Start the learner, wait for its end, score it. What went wrong is a value: "error"."""
    place = given.out / "sets" / job.dataset
    test, truth = hide_labels(given.data / job.dataset / "test", place)
    work = given.out / f"work-{os.getpid()}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    learner = LEARNERS[job.learner]
    command = [sys.executable, "-m", f"benchmarks.learners.{learner.module}", *learner.options]
    command += ["--train", str(given.data / job.dataset / "train"), "--test", str(test), "--out", str(work)]
    command += ["--seed", str(job.seed), *network_options(learner, given)]
    found: dict[str, Any] = {"learner": job.learner, "dataset": job.dataset, "seed": job.seed}
    found |= {"code": code_digest(learner), "load_before": round(os.getloadavg()[0], 2)}
    found["date"] = datetime.date.today().isoformat()
    found |= measured(command, work / "stderr.txt", _KEEP_MEMORY if learner.network else {})
    try:
        found |= as_json(verdict(work, truth))
    except (OSError, ValueError) as error:
        found["error"] = f"{error}; {(work / 'stderr.txt').read_text()[-400:]}"
    shutil.rmtree(work)
    return found


def network_options(learner: Learner, given: argparse.Namespace) -> list[str]:
    if not learner.network:
        return []
    package = ["--package", str(given.package)] if given.package else []
    return ["--weights", str(given.weights), *package]


def measured(command: list[str], errors: Path, extra: dict[str, str]) -> dict[str, Any]:
    """CPU seconds (user and system, all threads, from process start to its end) and peak memory of a command."""
    environment = os.environ | dict.fromkeys(_THREADS, "1") | {"PYTHONPATH": str(ROOT / "src")} | extra
    started = time.monotonic()
    with errors.open("w") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=file, preexec_fn=_limit
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "exit": process.returncode,
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
        "wall_seconds": round(time.monotonic() - started, 3),
        "peak_mb": round(usage.ru_maxrss / 1024, 1),
    }


def _limit() -> None:
    """No learner runs on for long once predictions no longer count."""
    most = int(BUDGET * 1.25)
    resource.setrlimit(resource.RLIMIT_CPU, (most, most))


def code_digest(learner: Learner) -> str:
    """What identifies the code that ran: headstart's for those built on it, and the learners'."""
    files = sorted((ROOT / "benchmarks" / "learners").glob("*.py"))
    if learner.on_headstart:
        files += sorted((ROOT / "src" / "headstart").rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def is_done(job: Job) -> bool:
    """Whether a run left a result; what was killed for its CPU seconds would be killed again."""
    if not job.result.exists():
        return False
    found = json.loads(job.result.read_text())
    return "error" not in found or found["cpu_seconds"] >= BUDGET


def main() -> None:
    given = options()
    for name in given.again:
        for old in (given.out / "runs").glob(f"{name}-*.json"):
            old.unlink()
    unable = {n: why for n in given.learners if (why := missing(LEARNERS[n], given.weights, given.package))}
    for name, why in unable.items():
        print(f"left out: {name} ({why})")
    (given.out / "runs").mkdir(parents=True, exist_ok=True)
    for job in jobs(given):
        if job.learner in unable or is_done(job):
            continue
        found = run(job, given)
        partial = job.result.with_suffix(".partial")
        partial.write_text(json.dumps(found))
        partial.replace(job.result)
        print(told(found), flush=True)
    if given.summarise:
        summarise(given.out / "runs", given.results, unable)


def told(found: dict[str, Any]) -> str:
    """One line about a run."""
    name = f"{found['dataset']:16} {found['learner']:20} seed {found['seed']}: "
    if "error" in found:
        return f"{name}FAILED: {found['error'].strip()[-300:]}"
    first = f"first {found['first_seconds']:.2f} s {found['first_score']:.3f}, "
    last = f"final {found['final']:.4f} at {found['last_seconds']:.1f} s, ALC {found['alc60']:.4f}"
    return name + first + last + f", {found['cpu_seconds']:.1f} CPU-s, {found['peak_mb']:.0f} MB"


if __name__ == "__main__":
    main()
