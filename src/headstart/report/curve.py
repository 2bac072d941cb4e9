"""The learning curve's section: the chart on the challenge's clock, a close-up, the stages."""

from __future__ import annotations

from headstart.report.charts import STAGE_COLOURS, close_up, learning_curve, spans
from headstart.report.markup import Section, count, decimals, duration, plural, table, text
from headstart.report.reading import Curve, Reading, listing, number
from headstart.words.scoring import alc

_ROWS = 400


def ended(reading: Reading) -> float | None:
    """Seconds after which the run ended; of the last prediction where that is not known."""
    seconds = number(reading.facts.get("seconds"))
    if seconds is None and len(reading.curve):
        seconds = float(reading.curve.seconds[-1])
    return seconds


def learning_section(reading: Reading) -> Section:
    """The curve with its stages, the area under it, and all predictions as a table."""
    title, curve = "Learning curve", reading.curve
    if not len(curve):
        return Section("curve", title, '<p class="note">No prediction has been published.</p>')
    end = ended(reading) or 0.0
    budget = max(reading.budget or end, 1e-3)
    area, strict = (_area(curve, budget, t0) for t0 in (60.0, 20.0))
    words = (
        "<p>Evidence of each published prediction, as a step from the moment it was published. The shaded "
        f"area is the ALC of the <em>training evidence</em> (out of fold): <b>{decimals(area)}</b> with "
        f"T = {duration(budget)} and t<sub>0</sub>&nbsp;=&nbsp;60&nbsp;s; {decimals(strict)} with "
        "t<sub>0</sub>&nbsp;=&nbsp;20&nbsp;s. "
        "Dotted: the last prediction stands until the budget is over.</p>"
    )
    near = close_up(curve, end)
    if near:
        near = f'<h3>The same, closer</h3><div class="scroll">{near}</div>'
    chart = learning_curve(curve, budget, end, area)
    body = f'{words}<div class="scroll">{chart}</div>{_legend(curve)}{near}{_predictions(curve)}'
    return Section("curve", title, body)


def _area(curve: Curve, budget: float, t0: float) -> float | None:
    inside = curve.seconds <= budget
    if not inside.any():
        return None
    return alc(curve.seconds[inside].tolist(), curve.score[inside].tolist(), budget, t0)


def _legend(curve: Curve) -> str:
    seen: dict[int, str] = {}
    for span in spans(curve, 0.0):
        seen.setdefault(
            span.number,
            f'<li><span class="swatch s{(span.number - 1) % STAGE_COLOURS}">{span.number}</span>'
            f"{text(span.stage)}</li>",
        )
    return f'<ul class="key-list">{"".join(seen.values())}</ul>'


def _predictions(curve: Curve) -> str:
    rows = [
        (duration(t), duration(cpu), text(stage), count(seen), decimals(score, 4))
        for t, cpu, stage, seen, score in zip(
            curve.seconds.tolist(), curve.cpu_seconds.tolist(), curve.stage, curve.samples_seen,
            curve.score.tolist(), strict=True,
        )
    ]  # fmt: skip
    shown = rows if len(rows) <= _ROWS else rows[: _ROWS // 2] + rows[-_ROWS // 2 :]
    words = f"All {plural(len(rows), 'published prediction')}"
    if len(shown) < len(rows):
        words += f" (the first and last {_ROWS // 2}; all are in curve.csv)"
    listed = table(("#Time", "#CPU time", "Stage", "#Samples seen", "#Evidence"), shown, "fit")
    return f"<details><summary>{words}</summary>{listed}</details>"


def stages_table(reading: Reading) -> str:
    """The stages that were planned, and what each of them published."""
    curve, rows = reading.curve, []
    for stage in listing(reading.part("config").get("stages")):
        if not isinstance(stage, dict):
            continue
        frames = int(number(stage.get("frames")) or 1)
        called = f"{stage.get('backbone')}@{stage.get('pixels')}" + (f"x{frames}" if frames > 1 else "")
        at = [i for i, published in enumerate(curve.stage) if published == called]
        outputs = ", ".join(f"<code>{text(output)}</code>" for output in listing(stage.get("outputs")))
        backbone, pixels = text(stage.get("backbone")), f"{text(stage.get('pixels'))} px"
        if frames > 1:
            pixels += f" × {frames} frames"
        first = duration(float(curve.seconds[at[0]])) if at else "–"
        best = decimals(float(curve.score[at].max())) if at else "–"
        rows.append((backbone, pixels, outputs, first, count(len(at)), best))
    if not rows:
        return ""
    head = ("Backbone", "#Resolution", "Outputs", "#First published", "#Predictions", "#Best evidence")
    return "<h3>Stages in the plan</h3>" + table(head, rows)
