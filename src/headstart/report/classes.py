"""The sections on classes, one per sample: which are confused, how good each is, the most confident mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from headstart.report.charts import confusion_matrix
from headstart.report.markup import Section, bar, count, decimals, name, percent, plural, table, text
from headstart.report.measures import (
    ClassMeasures,
    Mistake,
    Pair,
    by_class,
    confused_pairs,
    confusion,
    mistakes,
)
from headstart.report.pictures import framed
from headstart.report.reading import Evidence, Reading
from headstart.report.sorting import Column, sortable

MATRIX_CLASSES = 30
PICTURES = 24
_TABLE_ROWS = 2000


def class_sections(reading: Reading, evidence: Evidence) -> list[Section]:
    """Confusion, classes and mistakes of a single-label task."""
    return [_confusion(reading, evidence), _classes(reading, evidence), _mistakes(reading, evidence)]


def _confusion(reading: Reading, evidence: Evidence) -> Section:
    classes = reading.classes
    few = len(classes) <= MATRIX_CLASSES
    pairs = confused_pairs(evidence, 12 if few else 30)
    words = (
        f'<p class="note">Out of fold, {plural(len(evidence), f"training {reading.noun}")}: each one was named by '
        "heads that had been fitted without it.</p>"
    )
    listed = '<p class="note">Not one sample is named wrongly.</p>'
    if pairs:
        listed = _pairs(pairs, classes, bars=not few)
    if not few:
        return Section("confusion", "Confused classes", words + listed)
    matrix = confusion_matrix(confusion(evidence), classes)
    body = (
        f'{words}<div class="pair"><div class="scroll">{matrix}</div>'
        f'<div class="grow"><h3>Most confused</h3>{listed}</div></div>'
    )
    return Section("confusion", "Confusion matrix", body)


def _pairs(pairs: Sequence[Pair], classes: Sequence[str], bars: bool) -> str:
    rows = (
        (
            name(classes[pair.truth]), name(classes[pair.predicted]), count(pair.count),
            (bar(pair.share, "wrong") + " " if bars else "") + percent(pair.share),
        )
        for pair in pairs
    )  # fmt: skip
    return table(("True class", "Taken for", "#Samples", "#Share"), rows, "pairs" if bars else "close")


def _classes(reading: Reading, evidence: Evidence) -> Section:
    measures = by_class(evidence)
    shown = measures[:_TABLE_ROWS]
    words = "Score is 2·AUC − 1 of one class against the rest. Click a heading to sort."
    if len(shown) < len(measures):
        words += f" The {count(len(shown))} lowest of {count(len(measures))} are shown."
    body = f'<p class="note">{words}</p>{sortable(_columns(reading, shown), "score")}'
    return Section("classes", "Classes", body)


def _columns(reading: Reading, shown: Sequence[ClassMeasures]) -> list[Column]:
    names = [reading.classes[c.index] for c in shown]
    counts = reading.class_counts or {c.index: c.support for c in shown}
    samples = [counts[c.index] for c in shown]
    return [
        Column("name", "Class", names, [name(label) for label in names]),
        Column(
            "samples",
            f"{reading.noun.capitalize()}s",
            [float(n) for n in samples],
            [count(n) for n in samples],
        ),
        Column(
            "score", "Score", [c.score for c in shown], [f"{bar(c.score)} {decimals(c.score)}" for c in shown]
        ),
        Column("recall", "Recall", [c.recall for c in shown], [percent(c.recall) for c in shown]),
        Column("precision", "Precision", [c.precision for c in shown], [percent(c.precision) for c in shown]),
    ]


def _mistakes(reading: Reading, evidence: Evidence) -> Section:
    title, found = "Most confident mistakes", mistakes(evidence, PICTURES)
    if not found:
        return Section("mistakes", title, '<p class="note">There is no mistake to show.</p>')
    figures = "".join(_figure(mistake, reading, evidence.paths) for mistake in found)
    words = "Out of fold. Worth a look: some of these may be labelled wrongly."
    body = f'<p class="note">{words}</p><div class="mistakes">{figures}</div>'
    return Section("mistakes", title, body)


def _figure(mistake: Mistake, reading: Reading, paths: Sequence[str]) -> str:
    path = paths[mistake.sample] if paths else ""
    label, truth = (name(reading.classes[k]) for k in (mistake.label, mistake.truth))
    return (
        f'<figure>{framed(reading, path)}<span class="says">{label} {percent(mistake.confidence)}</span>'
        f'<span class="is">is {truth}</span><span class="file" title="{text(path)}">'
        f"{name(PurePosixPath(path).name)}</span></figure>\n"
    )
