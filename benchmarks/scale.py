"""How a long list of files tells on the scan and on the first prediction.

    python -m benchmarks.scale --data DIR/clipart/train --files 10000 1000000 --rounds 5

Lists are made of hard links to the files of a small data set, in `--out`, once. Every figure is of a process of
its own, with one worker; lists take turns. First prediction: CPU seconds from the end of the scan to the first
published model.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.table import ROOT

_CHILD = """
import json, pathlib, resource, sys, tempfile, time
from headstart import api
from headstart.data.scan import scan
from headstart.learn.snapshot import Snapshot
from headstart.words.clock import Budget, CpuClock
from headstart.words.task import Task
cpu, wall = time.process_time(), time.monotonic()
task = scan(sys.argv[1])
found = {"files": len(task.train), "scan_cpu": time.process_time() - cpu, "scan_wall": time.monotonic() - wall,
         "scan_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
with tempfile.TemporaryDirectory() as folder:
    request = api.Request(sys.argv[1], Budget(600), pathlib.Path(folder) / "run", clock=CpuClock(), workers=1)
    for event in api.run(request):
        if isinstance(event, Task):
            begun = time.process_time()
        elif isinstance(event, Snapshot):
            found["first"] = time.process_time() - begun
            break
found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(found))
"""


def linked(data: Path, count: int, out: Path) -> Path:
    """A folder of `count` hard links to the files of a data set, class by class."""
    folder = out / str(count)
    if folder.exists():
        return folder
    classes = {entry.name: sorted(entry.iterdir()) for entry in sorted(data.iterdir()) if entry.is_dir()}
    each = count // len(classes)
    partial = folder.with_suffix(".partial")
    for name, files in classes.items():
        (partial / name).mkdir(parents=True)
        for number in range(each):
            source = files[number % len(files)]
            os.link(source, partial / name / f"img_{number:07d}{source.suffix}")
    partial.rename(folder)
    return folder


def measured(folder: Path) -> dict[str, Any]:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="a folder with one sub-folder per class")
    parser.add_argument("--files", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "out" / "links")
    given = parser.parse_args()
    folders = [linked(given.data, count, given.out) for count in given.files]
    runs = [[measured(folder) for folder in folders] for _ in range(given.rounds)]
    for place, folder in enumerate(folders):
        own = [found[place] for found in runs]
        cells = [f"{key} {statistics.median(r[key] for r in own):.2f} ({min(r[key] for r in own):.2f}-"
                 f"{max(r[key] for r in own):.2f})" for key in own[0] if key != "files"]  # fmt: skip
        print(f"{folder.name}: {', '.join(cells)}")
    ratios = [found[-1]["first"] / found[0]["first"] for found in runs]
    print(
        f"first prediction, last against first: {statistics.median(ratios):.2f} {[round(r, 2) for r in ratios]}"
    )


if __name__ == "__main__":
    main()
