"""The report: run folder in, one self-contained HTML file out (no script, no outside resource).

Everything is read from the run folder (see `reading`): run.json, curve.csv, skipped.csv and evidence.npz. The
last holds what the out-of-fold posteriors were for the training samples used as evidence, as plain arrays:

    rows        int64 [n]             index of each sample in the training split
    targets     int32 [n]             class index; uint8 [n, classes] in multi-label tasks
    posteriors  float16 [n, classes]  of heads that had not seen the sample
    path_blob   uint8 [bytes]         the samples' paths relative to the data's root, one after the other,
                                      UTF-8 with surrogateescape (so any file name survives)
    path_ends   int64 [n]             where each path ends in path_blob

The two path arrays may be missing; pictures are then left out. So may any file: the page says what it lacks.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from string import Template

from headstart.report import headline, sections, sorting
from headstart.report.label_measures import decided
from headstart.report.markup import text
from headstart.report.reading import read_run
from headstart.store.atomic import write_atomically

REPORT = "report.html"


def write_report(run: Path) -> Path:
    """Write run/report.html, replacing an older one at once, and return its path.

    Works on runs that are still going on or were killed; BadModel where `run` is no run folder,
    DiskFull or HeadstartError where the page cannot be written.
    """
    run = Path(run).resolve()
    write_atomically(run / REPORT, render(run).encode("utf-8"))
    return run / REPORT


def render(run: Path) -> str:
    """The report on the run folder `run` as HTML."""
    reading = read_run(run)
    template = Template(resources.files("headstart.report").joinpath("template.html").read_text("utf-8"))
    evidence = reading.evidence
    labels = decided(evidence) if evidence is not None and evidence.targets.ndim == 2 else None
    parts = sections.all_sections(reading, labels)
    links = "".join(f'<a href="#{part.anchor}">{part.anchor.capitalize()}</a>' for part in parts)
    body = (
        headline.headline(reading, labels)
        + f"<nav>{links}</nav>"
        + "".join(map(str, parts))
        + sections.footer()
    )
    title = f"{text(headline.task_name(reading))} – headstart report"
    return template.substitute(title=title, sorting=sorting.RULES, body=body)
