"""From the files of single runs to one table, as JSON and as Markdown."""
from __future__ import annotations
from pathlib import Path
def summarise(runs: Path, results: Path, unable: dict[str, str]) -> None: ...
