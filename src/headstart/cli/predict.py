"""Label new images or videos with the newest published model of a run; also while `fit` is still running."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from headstart.errors import BadInput, printable

if TYPE_CHECKING:
    from headstart.model import Prediction
    from headstart.words.task import Skipped


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `predict`."""
    parser.add_argument("run", help="run folder")
    parser.add_argument("new", help="folder of files, or one file")
    parser.add_argument(
        "--min-confidence",
        type=float,
        default=0.0,
        metavar="P",
        help="leave a file undecided (empty label) where no posterior reaches P (0 to 1)",
    )
    parser.add_argument("--csv", help="write path, label, confidence and every class's posterior there")


def run(options: argparse.Namespace) -> int:
    """Runs `predict`; returns the exit code: 0, or 2 when no file could be labelled."""
    from headstart import model as models

    if not 0 <= options.min_confidence <= 1:
        raise BadInput(f"--min-confidence is {options.min_confidence}, but must lie between 0 and 1")
    model = models.load(options.run)
    skipped: list[Skipped] = []
    predictions = model.stream(options.new, skipped, options.min_confidence)
    if options.csv:
        with _opened(options.csv) as file:
            count = _write(file, model.classes, predictions)
    elif options.json:
        found = list(predictions)
        count = len(found)
    else:
        count = 0
        for count, prediction in enumerate(predictions, 1):  # noqa: B007
            print(f"{prediction.confidence:.3f}  {prediction.label or '-'}  {printable(prediction.path)}")
    for bad in skipped:
        print(f"skipped: {printable(bad.path)}: {bad.reason}", file=sys.stderr)
    if options.json:
        document: dict[str, object] = {"labelled": count, "skipped": [vars_of(bad) for bad in skipped]}
        if options.csv:
            document["csv"] = options.csv
        else:
            document["predictions"] = [
                {"path": p.path, "label": p.label, "confidence": round(p.confidence, 6)} for p in found
            ]
        print(json.dumps(document))
    elif options.csv:
        print(f"{count} files labelled: {options.csv}")
    return 0 if count else 2


def vars_of(bad: Skipped) -> dict[str, str]:
    """A skipped file as JSON."""
    return {"path": bad.path, "reason": bad.reason}


@contextmanager
def _opened(path: str) -> Iterator[TextIO]:
    try:
        with open(path, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            yield file
    except OSError as error:
        raise BadInput(f"{path!r} cannot be written: {error.strerror}") from error


def _write(file: TextIO, classes: Iterable[str], predictions: Iterable[Prediction]) -> int:
    writer = csv.writer(file)
    writer.writerow(["path", "label", "confidence", *classes])
    count = 0
    for prediction in predictions:
        values = [f"{value:.6g}" for value in prediction.posteriors]
        writer.writerow([prediction.path, prediction.label, f"{prediction.confidence:.6g}", *values])
        count += 1
    return count
