"""The sections on single classes: which are confused, how good each is, the most confident mistakes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

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
from headstart.report.pictures import Picture, thumbnail
from headstart.report.reading import Evidence, Reading, listing, number

MATRIX_CLASSES = 30
PICTURES = 24
_TABLE_ROWS = 2000
_SINGLE = ("name", "samples", "score", "recall", "precision")
_MULTI = ("name", "samples", "score", "threshold", "f1", "recall", "precision")
_TITLES = {"name": "Class", "samples": "Samples", "score": "Score", "threshold": "Threshold", "f1": "F1",
           "recall": "Recall", "precision": "Precision"}  # fmt: skip

# A table is sorted without script: the headings are labels of radio buttons, and the chosen one picks which
# of its ranks a row takes as its place in the column of rows.
SORTING = "\n".join(
    f"#by-{key}:checked ~ .classes tbody tr {{ order: var(--{key}); }}\n"
    f"#by-{key}:checked ~ .classes label[for=by-{key}] {{ color: var(--accent); }}\n"
    f'#by-{key}:checked ~ .classes label[for=by-{key}]::after {{ content: " ↓"; }}\n'
    f"#by-{key}:focus-visible ~ .classes label[for=by-{key}] {{ outline: 2px solid var(--accent); }}"
    for key in _MULTI
)


def class_sections(reading: Reading) -> list[Section]:
    """Confusion, classes and mistakes; none without evidence."""
    evidence = reading.evidence
    if evidence is None:
        return []
    found = [] if evidence.targets.ndim == 2 else [_confusion(evidence, reading.classes)]
    return [*found, _classes(reading, evidence), _mistakes(reading, evidence)]


def _confusion(evidence: Evidence, classes: Sequence[str]) -> Section:
    few = len(classes) <= MATRIX_CLASSES
    pairs = confused_pairs(evidence, 12 if few else 30)
    words = (
        f'<p class="note">Out of fold, {plural(len(evidence), "training sample")}: each one was named by '
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
    multi = evidence.targets.ndim == 2
    measures = by_class(evidence)
    keys = _MULTI if multi else _SINGLE
    shown = measures[:_TABLE_ROWS]
    samples = _sample_counts(reading, measures)
    ranks = {key: _ranks(key, shown, reading.classes, samples) for key in keys}
    titles = _TITLES | ({"name": "Label"} if multi else {})
    words = f"Score is 2·AUC − 1 of one {titles['name'].lower()} against the rest. Click a heading to sort."
    if multi:
        words += " Threshold: the posterior from which on to give the label (the largest F1 out of fold)."
    if len(shown) < len(measures):
        words += f" The {count(len(shown))} lowest of {count(len(measures))} are shown."
    buttons = "".join(
        f'<input class="sorter" type="radio" name="by" id="by-{key}" '
        f'aria-label="Sort by {titles[key].lower()}"{" checked" if key == "score" else ""}>'
        for key in keys
    )
    sides = {key: "" if key in ("name", "score") else ' class="n"' for key in keys}
    heads = "".join(f'<th{sides[key]}><label for="by-{key}">{titles[key]}</label></th>' for key in keys)
    rows = "\n".join(
        f'<tr style="{";".join(f"--{key}:{ranks[key][c.index]}" for key in keys)}">'
        f"{_cells(c, reading.classes[c.index], samples[c.index], multi)}</tr>"
        for c in shown
    )
    body = (
        f'<p class="note">{words}</p>{buttons}'
        f'<div class="classes" style="--more:{len(keys) - 3}" tabindex="0">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
    return Section("classes", "Labels" if multi else "Classes", body)


def _sample_counts(reading: Reading, measures: Sequence[ClassMeasures]) -> dict[int, int]:
    counts = listing(reading.part("data").get("class_counts"))
    if len(counts) == len(reading.classes):
        return {i: int(number(n) or 0) for i, n in enumerate(counts)}
    return {c.index: c.support for c in measures}


def _ranks(
    key: str, measures: Sequence[ClassMeasures], classes: Sequence[str], samples: dict[int, int]
) -> dict[int, int]:
    """Each class's place when sorted by `key`: names from A to Z, numbers from the lowest."""

    def value(c: ClassMeasures) -> tuple[bool, float | str]:
        if key == "name":
            return False, classes[c.index].casefold()
        found = float(samples[c.index] if key == "samples" else getattr(c, key))
        return not math.isfinite(found), found if math.isfinite(found) else 0.0

    return {c.index: rank for rank, c in enumerate(sorted(measures, key=value))}


def _cells(c: ClassMeasures, label: str, samples: int, multi: bool) -> str:
    numbers = [percent(c.recall), percent(c.precision)]
    if multi:
        numbers = [decimals(c.threshold, 2), decimals(c.f1, 2), *numbers]
    cells = "".join(f'<td class="n">{value}</td>' for value in numbers)
    return (
        f'<td>{name(label)}</td><td class="n">{count(samples)}</td>'
        f"<td>{bar(c.score)} {decimals(c.score)}</td>{cells}"
    )


def _mistakes(reading: Reading, evidence: Evidence) -> Section:
    title, found = "Most confident mistakes", mistakes(evidence, PICTURES)
    if not found:
        return Section("mistakes", title, '<p class="note">There is no mistake to show.</p>')
    root = Path(str(reading.part("data").get("root", "")))
    figures = "".join(_figure(mistake, root, evidence.paths, reading.classes) for mistake in found)
    words = "Out of fold. Worth a look: some of these may be labelled wrongly."
    body = f'<p class="note">{words}</p><div class="mistakes">{figures}</div>'
    return Section("mistakes", title, body)


def _figure(mistake: Mistake, root: Path, paths: Sequence[str], classes: Sequence[str]) -> str:
    path = paths[mistake.sample] if paths else ""
    picture = thumbnail(root / path) if path else Picture(why="file not known")
    label, sure = name(classes[mistake.label]), percent(mistake.confidence)
    if mistake.truth >= 0:
        says, truth = f"{label} {sure}", f"is {name(classes[mistake.truth])}"
    elif mistake.missing:
        says, truth = f"not {label} ({sure})", "but it is labelled so"
    else:
        says, truth = f"{label} {sure}", "but it is not labelled so"
    image = f'<span class="small">{picture.why}</span>'
    if picture.uri:
        tiny = ' class="tiny"' if max(picture.width, picture.height) < 48 else ""
        image = f'<img{tiny} src="{picture.uri}" width="{picture.width}" height="{picture.height}" alt="">'
    return (
        f'<figure><span class="frame">{image}</span><span class="says">{says}</span>'
        f'<span class="is">{truth}</span><span class="file" title="{text(path)}">'
        f"{name(PurePosixPath(path).name)}</span></figure>\n"
    )
