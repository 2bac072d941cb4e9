"""The sections on the labels of a multi-label task: how good each is, which meet, the worst errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from headstart.report.label_measures import (
    LabelMeasures,
    LabelMistake,
    LabelPair,
    Labels,
    by_label,
    confused,
    label_counts,
    together,
    worst,
)
from headstart.report.markup import Section, bar, count, decimals, name, percent, plural, table, text
from headstart.report.pictures import framed
from headstart.report.reading import Evidence, Reading
from headstart.report.sorting import Column, sortable

PICTURES = 24
_TABLE_ROWS = 2000
_PAIRS = 12
_COUNTS = 12
_NAMED = 3  # labels in each line below a picture


def label_sections(reading: Reading, evidence: Evidence, labels: Labels) -> list[Section]:
    """Labels, labels together, labels per sample, errors."""
    return [
        _table(reading, labels),
        _together(reading, labels),
        _counts(reading, labels),
        _errors(reading, evidence, labels),
    ]


def _table(reading: Reading, labels: Labels) -> Section:
    measures = by_label(labels)
    shown = measures[:_TABLE_ROWS]
    words = (
        "Score is 2·AUC − 1 of one label against the rest; AP is average precision. Threshold: the posterior "
        "from which on to give the label, for the largest F1 (drawn towards that of all labels where there are "
        f"few {reading.noun}s). Recall, precision and F1 are of thresholds found without the {reading.noun} in "
        "question. Click a heading to sort."
    )
    if len(shown) < len(measures):
        words += f" The {count(len(shown))} lowest of {count(len(measures))} are shown."
    body = f'<p class="note">{words}</p>{sortable(_columns(reading, shown), "score")}'
    return Section("labels", "Labels", body)


def _columns(reading: Reading, shown: Sequence[LabelMeasures]) -> list[Column]:
    names = [reading.classes[c.index] for c in shown]
    samples = reading.class_counts or {c.index: c.support for c in shown}
    positives = [samples[c.index] for c in shown]
    return [
        Column("name", "Label", names, [name(label) for label in names]),
        Column("samples", "Positives", [float(n) for n in positives], [count(n) for n in positives]),
        Column(
            "score", "Score", [c.score for c in shown], [f"{bar(c.score)} {decimals(c.score)}" for c in shown]
        ),
        Column("precise", "AP", [c.precise for c in shown], [decimals(c.precise, 2) for c in shown]),
        Column(
            "threshold", "Threshold", [c.threshold for c in shown], [decimals(c.threshold, 2) for c in shown]
        ),
        Column("f1", "F1", [c.f1 for c in shown], [decimals(c.f1, 2) for c in shown]),
        Column("recall", "Recall", [c.recall for c in shown], [percent(c.recall) for c in shown]),
        Column("precision", "Precision", [c.precision for c in shown], [percent(c.precision) for c in shown]),
    ]


def _together(reading: Reading, labels: Labels) -> Section:
    classes, noun = reading.classes, f"{reading.noun.capitalize()}s"
    met, mixed = together(labels, _PAIRS), confused(labels, _PAIRS)
    words = (
        f'<p class="note">Pairs that stand out. Chance is how many {reading.noun}s there would be if the two '
        "had nothing to do with each other.</p>"
    )
    left = (
        _pairs(met, classes, ("Label", "With", f"#{noun}", "#Chance")) if met else _nothing("occur together")
    )
    right = (
        _pairs(mixed, classes, ("Has", "Wrongly given", f"#{noun}", "#Chance"))
        if mixed else _nothing("are confused")
    )  # fmt: skip
    body = (
        f'{words}<div class="halves"><div><h3>Occur together</h3>{left}</div>'
        f"<div><h3>Confused</h3>{right}</div></div>"
    )
    return Section("together", "Labels that go together", body)


def _nothing(what: str) -> str:
    return f'<p class="note">No two labels {what} clearly more often than by chance.</p>'


def _pairs(pairs: Sequence[LabelPair], classes: Sequence[str], head: Sequence[str]) -> str:
    rows = (
        (name(classes[p.first]), name(classes[p.second]), count(p.count), decimals(p.chance, 1))
        for p in pairs
    )
    return table(head, rows, "close")


def _counts(reading: Reading, labels: Labels) -> Section:
    found, n = label_counts(labels, _COUNTS), len(labels)
    noun = reading.noun
    truth, said = float(labels.has.sum()) / n, float(labels.given.sum()) / n
    words = (
        f'<p class="note">{decimals(truth, 2)} labels per {noun} in truth, {decimals(said, 2)} given, '
        f"over {plural(n, noun)}.</p>"
    )
    largest = max(max(have, given) for _, _, have, given in found)
    rows = (
        (
            count(low) if low == high else f"{low}–{high}",
            f"{bar(have / largest)} {count(have)}",
            f"{bar(given / largest)} {count(given)}",
        )
        for low, high, have, given in found
    )
    head = ("#Labels", f"{noun.capitalize()}s that have them", "That are given them")
    return Section("counts", f"Labels per {noun}", words + table(head, rows, "close fit"))


def _errors(reading: Reading, evidence: Evidence, labels: Labels) -> Section:
    title, found = "Worst errors", worst(labels, PICTURES)
    if not found:
        return Section("mistakes", title, '<p class="note">There is no mistake to show.</p>')
    figures = "".join(_figure(mistake, reading, evidence.paths) for mistake in found)
    words = (
        "Out of fold. Labels that are missed and labels wrongly given, with their posteriors. Worth a look: "
        f"some of these {reading.noun}s may be labelled wrongly."
    )
    body = f'<p class="note">{words}</p><div class="mistakes">{figures}</div>'
    return Section("mistakes", title, body)


def _figure(mistake: LabelMistake, reading: Reading, paths: Sequence[str]) -> str:
    path = paths[mistake.sample] if paths else ""
    lines = ""
    for word, some in (("Missed", mistake.missed), ("Wrongly", mistake.wrong)):
        if some:
            listed = [f"<b>{name(reading.classes[k])}</b>&nbsp;{percent(posterior)}" for k, posterior in some]
            lines += f'<span class="several">{word} {_few(listed)}</span>'
    if mistake.right:
        lines += (
            f'<span class="several">Rightly {_few([name(reading.classes[k]) for k in mistake.right])}</span>'
        )
    return (
        f"<figure>{framed(reading, path)}{lines}"
        f'<span class="file" title="{text(path)}">{name(PurePosixPath(path).name)}</span></figure>\n'
    )


def _few(listed: Sequence[str]) -> str:
    more = len(listed) - _NAMED
    return ", ".join(listed[:_NAMED]) + (f" and {more} more" if more > 0 else "")
