"""The sections of the report, in the order in which they are read."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from headstart.report import curve
from headstart.report.classes import class_sections
from headstart.report.label_measures import Labels
from headstart.report.labels import label_sections
from headstart.report.markup import (
    Section,
    bar,
    count,
    decimals,
    duration,
    facts_list,
    name,
    percent,
    plural,
    table,
    text,
)
from headstart.report.reading import Reading, listing, number
from headstart.report.reliability import calibration_section

_HEADS = {
    "means": "nearest class mean",
    "lda": "discriminant analysis, shrunk",
    "ridge": "ridge regression",
    "neighbours": "nearest neighbours",
}
_KERNELS = {"linear": ", linear kernel", "rbf": ", RBF kernel"}
_WORK = {
    "start": "starting: imports, listing files",
    "decode": "reading and decoding files",
    "forward": "backbone forward passes",
    "heads": "solving and judging heads",
    "publish": "predicting and writing the model",
}
_CLOCKS = {"wall": "wall clock", "cpu": "CPU seconds", "cost": "cost table"}


def all_sections(reading: Reading, labels: Labels | None) -> list[Section]:
    """Every section that this run folder has something for; labels: of evidence with several per sample."""
    others = (_model(reading), _skipped(reading), _time(reading), _environment(reading), _use(reading))
    found, evidence = [curve.learning_section(reading)], reading.evidence
    if evidence is not None:
        found += (
            class_sections(reading, evidence) if labels is None else label_sections(reading, evidence, labels)
        )
        found.append(calibration_section(reading, evidence, labels))
    return found + [section for section in others if section is not None]


def _model(reading: Reading) -> Section | None:
    facts = reading.facts
    members = [m for m in listing(facts.get("members")) if isinstance(m, Mapping)]
    config = reading.part("config")
    if not members and not config:
        return None
    body = ""
    if members:
        one = "One head is published." if len(members) == 1 else (
            f"The published posteriors are the mean over {len(members)} members, chosen by evidence."
        )  # fmt: skip
        body = f"<p>{one} Each is a head on frozen features.</p>" + _members(members)
    body += _trained(facts.get("trained"), alone=not members)
    body += curve.stages_table(reading)
    if facts.get("why"):
        body += f"<h3>Why this configuration</h3><p>{text(facts['why'])}</p>"
    if config:
        shown = text(json.dumps(config, indent=1, ensure_ascii=False))
        body += f"<details><summary>The configuration as JSON</summary><pre>{shown}</pre></details>"
    return Section("model", "Stages and heads", body)


def _members(members: list[Mapping[str, Any]]) -> str:
    rows = []
    for member in members:
        blocks = listing(member.get("blocks"))
        features = "<br>".join(f'<code class="block">{text(line)}</code>' for line in _gathered(blocks))
        head = str(member.get("head", "?"))
        evidence = number(member.get("evidence"))
        rows.append(
            (
                text(_HEADS.get(head, head) + _KERNELS.get(str(member.get("kernel")), "")),
                features,
                f"{bar(evidence or 0.0)} {decimals(evidence)}",
                decimals(number(member.get("temperature")), 2),
            )
        )  # fmt: skip
    return table(("Head", "Features", "#Evidence", "#Temperature"), rows)


def _trained(facts: Any, alone: bool) -> str:
    """The networks that were trained on the task, in a sentence; nothing where there are none."""
    if not isinstance(facts, Mapping):
        return ""
    count = int(number(facts.get("networks")) or 1)
    many = "A network was" if count == 1 else f"{count} networks were"
    share = number(facts.get("share")) or 0.0
    part = "It says" if count == 1 else "Their average says"
    what = "all" if alone else f"{share:.0%} of the posterior, as training samples that were held out advise"
    evidence = decimals(number(facts.get("evidence")))
    return (
        f"<p>{many} trained on these samples: <code>{text(str(facts.get('name', '?')))}</code>, evidence {evidence} "
        f"by itself. {part} {what}.</p>"
    )


def _gathered(blocks: list[Any]) -> list[str]:
    """Feature blocks, one line per backbone and resolution: `lite0@64: d4 d7`."""
    lines: dict[str, list[str]] = {}
    for block in map(str, blocks):
        place, _, output = block.partition("/")
        lines.setdefault(place, []).append(output)
    return [f"{place}: {' '.join(outputs)}" for place, outputs in lines.items()]


def _skipped(reading: Reading) -> Section | None:
    skipped = reading.skipped
    total = max(skipped.total, int(number(reading.facts.get("skipped")) or 0))
    if not total:
        return Section("skipped", "Skipped files", '<p class="note">None: every file could be used.</p>')
    reasons = "".join(f"<li>{count(n)} × {text(reason)}</li>" for reason, n in skipped.reasons)
    body = f"<p>{plural(total, 'file')} could not be used.</p>"
    if len(skipped.reasons) > 1 and total > 8:
        body += f'<ul class="small">{reasons}</ul>'
    body += table(("File", "Reason"), ((f"<code>{name(p)}</code>", text(why)) for p, why in skipped.first))
    if total > len(skipped.first):
        body += f'<p class="note small">The first {len(skipped.first)} are shown; all are in skipped.csv.</p>'
    return Section("skipped", "Skipped files", body)


def _time(reading: Reading) -> Section | None:
    spent = {str(key): number(value) or 0.0 for key, value in reading.part("timings").items()}
    spent = {key: value for key, value in spent.items() if value > 0}
    total = sum(spent.values())
    if not total:
        return None
    order = sorted(spent, key=lambda key: -spent[key])
    stack = "".join(
        f'<i class="s{i % 8}" style="width:{100 * spent[key] / total:.2f}%" title="{text(key)}"></i>'
        for i, key in enumerate(order)
    )
    rows = (
        (
            f'<span class="swatch s{i % 8}">&nbsp;</span>{text(_WORK.get(key, key))}',
            duration(spent[key]), percent(spent[key] / total, 1),
        )
        for i, key in enumerate(order)
    )  # fmt: skip
    words = f'<p class="note">All workers together, {duration(total)} of work.</p>'
    listed = table(("Work", "#Time", "#Share"), rows, "fit")
    return Section("time", "Time by kind of work", f'{words}<div class="stack">{stack}</div>{listed}')


def _environment(reading: Reading) -> Section | None:
    facts, machine, versions = reading.facts, reading.part("machine"), reading.part("versions")
    if not facts:
        return None
    memory = number(machine.get("memory_gb"))
    clock = str(facts.get("clock", "?"))
    rows = [
        ("Started", text(facts.get("started", "–")).replace("T", " ")),
        ("Budget", duration(reading.budget)),
        ("Clock", text(_CLOCKS.get(clock, clock))),
        ("Time used", duration(number(facts.get("seconds")))),
        ("CPU time used", duration(number(facts.get("cpu_seconds")))),
        ("Processor", f"{text(machine.get('cpu', '–'))}, {text(machine.get('cores', '?'))} cores"),
        ("Memory", "–" if memory is None else f"{memory:.1f} GB"),
        ("Versions", ", ".join(f"{text(key)} {text(value)}" for key, value in versions.items()) or "–"),
        ("Data", f"<code>{name(reading.part('data').get('root', '–'))}</code>"),
        ("Run folder", f"<code>{name(reading.run)}</code>"),
    ]
    return Section("environment", "Environment", facts_list(rows))


def _use(reading: Reading) -> Section:
    run = str(reading.run)
    shell = f"headstart predict {shlex.quote(run)} new/ --csv predictions.csv"
    python = f"import headstart\n\nmodel = headstart.load({run!r})\nprediction = model.predict('new/')"
    files = "clips" if reading.kind == "video" else "files"
    body = (
        f"<p>On the command line; <code>new/</code> is a folder of {files} without labels:</p>"
        f"<pre>{text(shell)}</pre><p>In Python:</p><pre>{text(python)}</pre>"
        '<p class="note small">Both take the newest published model, also while the run is going on. '
        "The model is plain numbers and JSON: loading it runs no code.</p>"
    )
    return Section("use", "Use the model", body)


def footer() -> str:
    """The last line of the page."""
    return (
        "<footer>Made by headstart. All figures are estimated out of fold from training samples; "
        "no test label was looked at.</footer>"
    )
