"""The top of the page: what the task is, how the run ended, what is missing, and the figures that count."""

from __future__ import annotations

import math

from headstart.report import curve
from headstart.report.label_measures import Labels, average_precision, exact_match, mean_of, micro_f1
from headstart.report.markup import bar, count, decimals, duration, name, percent, plural, text
from headstart.report.measures import accuracy, largest_class, wilson
from headstart.report.reading import Reading, number

_UNFINISHED = (
    "This run had not finished when the page was made: it is still going on, or it was stopped from outside. "
    "The newest published model stands and can be used; make the report again later."
)


def task_name(reading: Reading) -> str:
    """The task's name, or the run folder's where run.json does not tell it."""
    return str(reading.part("data").get("name") or reading.run.name)


def headline(reading: Reading, labels: Labels | None) -> str:
    """Title, state, tiles and what is missing."""
    data, facts = reading.part("data"), reading.facts
    finished = facts.get("state") == "finished"
    many = "any number of labels" if data.get("labels") == "multi" else "one label"
    lead = ""
    if data:
        lead = f"{text(data.get('kind', 'image')).capitalize()} classification, {many} per {reading.noun}"
    if finished:
        ended = text(facts.get("ended") or "the reason was not noted")
        lead += f"<br>Ended after {duration(number(facts.get('seconds')))}: {ended}"
    problems = list(reading.problems)
    if not finished:
        problems.insert(0, _UNFINISHED)
    listed = "".join(f"<li>{text(problem)}</li>" for problem in problems)
    warning = f'<ul class="problems">{listed}</ul>' if listed else ""
    judged = _accuracy(reading) if labels is None else _judged(labels, reading.noun)
    six = "" if labels is None else " six"
    tiles = _score(reading) + judged + _samples(reading) + _budget(reading)
    return (
        f"<header><h1>{name(task_name(reading))}"
        f'<span class="state">{"finished" if finished else "not finished"}</span></h1>'
        f'<p class="lead">{lead}</p>{warning}<div class="tiles{six}">{tiles}</div></header>'
    )


def _tile(key: str, value: str, more: str) -> str:
    words = f'<span class="key">{key}</span><b>{value}</b><span class="more">{more}</span>'
    return f'<div class="tile">{words}</div>'


def _score(reading: Reading) -> str:
    score = number(reading.facts.get("evidence"))
    if score is None and len(reading.curve):
        score = float(reading.curve.score[-1])
    more = "2·AUC − 1, mean over classes: 0 is chance, 1 is perfect. Out of fold, on training samples."
    return _tile("Evidence score", decimals(score), more)


def _accuracy(reading: Reading) -> str:
    evidence = reading.evidence
    if evidence is None or evidence.targets.ndim == 2:
        title = "Micro-F1" if reading.part("data").get("labels") == "multi" else "Accuracy"
        return _tile(title, "–", "Not known without evidence.")
    right, half = accuracy(evidence)
    more = (
        f"±&nbsp;{percent(half, 1)}, out of fold, n&nbsp;=&nbsp;{count(len(evidence))}. "
        f"Always naming the largest class: {percent(largest_class(evidence), 1)}."
    )
    return _tile("Accuracy", percent(right, 1), more)


def _judged(labels: Labels, noun: str) -> str:
    """What stands in the place of accuracy in multi-label tasks."""
    n, has, given = len(labels), labels.has, labels.given
    columns = range(has.shape[1])
    precise = mean_of([average_precision(has[:, k], labels.posteriors[:, k]) for k in columns])
    chance = mean_of([float(share) if share else math.nan for share in has.mean(axis=0)])
    half = micro_f1(has, labels.posteriors >= 0.5)
    exact, none = exact_match(has, given), float((~has.any(axis=1)).mean())
    return (
        _tile(
            "Mean average precision",
            decimals(precise),
            f"Over labels, out of fold, n&nbsp;=&nbsp;{count(n)}. Guessing: {decimals(chance)}.",
        )
        + _tile(
            "Micro-F1",
            decimals(micro_f1(has, given)),
            f"All decisions together, at the suggested thresholds. At .5 for every label: {decimals(half)}.",
        )
        + _tile(
            "Exact match",
            percent(exact, 1),
            f"±&nbsp;{percent(wilson(exact, n), 1)}: {noun}s with every label right. Never giving a label: "
            f"{percent(none, 1)}.",
        )
    )


def _samples(reading: Reading) -> str:
    data = reading.part("data")
    train, test = number(data.get("n_train")), number(data.get("n_test"))
    more = [plural(len(reading.classes), "class", "classes") if data.get("labels") != "multi"
            else plural(len(reading.classes), "label")]  # fmt: skip
    if test:
        more.append(f"{count(int(test))} to predict")
    skipped = number(reading.facts.get("skipped"))
    total = reading.skipped.total if skipped is None else int(skipped)
    more.append(f"{plural(total, 'file')} skipped")
    return _tile(f"Training {reading.noun}s", count(None if train is None else int(train)), "<br>".join(more))


def _budget(reading: Reading) -> str:
    used = curve.ended(reading)
    budget = reading.budget
    if budget is None or used is None:
        return _tile("Time used", duration(used), "The budget is not known.")
    more = f"of {duration(budget)}"
    if len(reading.curve):
        more += f"<br>First prediction after {duration(float(reading.curve.seconds[0]))}"
    return _tile("Time used", duration(used), more + bar(used / max(budget, 1e-9)))
