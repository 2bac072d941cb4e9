"""The page of benchmarks/recognition.py: accuracy by batch size, and each method against itself on controls."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

TITLES = {
    "lite0": "lite0, inner layer at 64 px (672)",
    "pixels": "control: raw 16 x 16 pixels (768)",
    "random": "control: lite0 with shuffled weights (672)",
    "vae": "autoencoder, trained (196)",
    "vae0": "control: the same autoencoder, not trained (196)",
}
SMALL = 7  # sizes up to 64: beyond, nearly all are right nearly always
SURE = 1.96


def page(result: dict[str, Any]) -> str:
    """Markdown."""
    rows, sizes = result["rows"], result["sizes"]
    parts = [
        (title, _table([row for row in rows if row["encoder"] == one], sizes))
        for one, title in TITLES.items()
    ]
    parts += [("Against controls", _against(rows, sizes)), ("The very set", _exact(rows, sizes))]
    lines = _preface(result)
    for title, content in [*parts, ("Searches", _searches(result))]:
        lines += [f"## {title}", "", *content, ""]
    return "\n".join(lines)


def _preface(result: dict[str, Any]) -> list[str]:
    sources = len(result["rows"][0]["sources"])
    small = sorted(result["pools"].items(), key=lambda pair: pair[1])
    return [
        "# Recognition of the prior from unseen samples",
        "",
        f"{len(result['sets'])} sets of {sources} sources; {result['trials']} batches of each set and size, so "
        f"{result['trials'] * len(result['sets'])} trials per cell, the same for all rows; one fit (seed 0). Right "
        "answers in %, mean over sources, ± the standard error over sources. Batches are drawn from at most 400 test "
        f"samples, with replacement where the batch is larger (the smallest pools: {small[0][0]} {small[0][1]}, "
        f"{small[1][0]} {small[1][1]}): so columns from 64 on are optimistic for some sets, from 512 on for all.",
        "",
        "One source: " + "; ".join(_groups(result["sources"])) + ".",
        "",
        "ms: CPU milliseconds of a decision about 64 samples whose features are there. fit: CPU-s of fitting.",
        f"Autoencoder: {result['vae']}.",
        "",
    ]


def _groups(sources: dict[str, str]) -> list[str]:
    return [
        ", ".join([source, *(name for name, of in sources.items() if of == source)])
        for source in sorted(set(sources.values()))
    ]


def _values(row: dict[str, Any]) -> NDArray[np.float64]:
    """Right answers in %, [sources, sizes]."""
    return 100 * np.array([row["sources"][source] for source in sorted(row["sources"])])


def _table(rows: list[dict[str, Any]], sizes: list[int]) -> list[str]:
    lines = [
        "| method | " + " | ".join(map(str, sizes)) + " | fit | ms |",
        "|---" + "|--:" * (len(sizes) + 2) + "|",
    ]
    for row in rows:
        values = _values(row)
        error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
        cells = [f"{mean:.1f} ± {one:.1f}" for mean, one in zip(values.mean(axis=0), error, strict=True)]
        lines.append(f"| {row['title']} | {' | '.join(cells)} | {row['fit_s']:.1f} | {row['ms']:.1f} |")
    return lines


def _against(rows: list[dict[str, Any]], sizes: list[int]) -> list[str]:
    """Each method on learnt features less itself on control features: paired over sources, sizes up to 64."""
    by = {(row["title"], row["encoder"]): _values(row)[:, :SMALL].mean(axis=1) for row in rows}
    titles = [row["title"] for row in rows if row["encoder"] == "lite0" and (row["title"], "pixels") in by]
    lines = [
        f"Right answers in %, mean over sizes {sizes[0]} to {sizes[SMALL - 1]}; differences are paired over sources, "
        "± 1.96 standard errors. Bold: the interval holds 0 or lies below it, so the control is not beaten.",
        "",
        "| method | with | raw pixels, difference | shuffled or untrained encoder, difference |",
        "|---|--:|--:|--:|",
    ]
    for title in titles:
        mine = by[title, "lite0"]
        cells = [_difference(mine, by[title, control]) for control in ("pixels", "random")]
        lines.append(f"| {title}, lite0 | {mine.mean():.1f} | {' | '.join(cells)} |")
    for title in [row["title"] for row in rows if row["encoder"] == "vae"]:
        mine = by[title, "vae"]
        cells = [_difference(mine, by[title, control]) for control in ("pixels", "vae0")]
        lines.append(f"| {title}, autoencoder | {mine.mean():.1f} | {' | '.join(cells)} |")
    return lines


def _exact(rows: list[dict[str, Any]], sizes: list[int]) -> list[str]:
    lines = [
        "Where only the set itself is right and not another one of its source, in %, mean over all sets (lite0).",
        "",
        "| method | " + " | ".join(map(str, sizes)) + " |",
        "|---" + "|--:" * len(sizes) + "|",
    ]
    for row in rows:
        if row["encoder"] == "lite0":
            lines.append(f"| {row['title']} | {' | '.join(f'{100 * one:.1f}' for one in row['exact'])} |")
    return lines


def _difference(mine: NDArray[np.float64], control: NDArray[np.float64]) -> str:
    apart = mine - control
    wide = SURE * apart.std(ddof=1) / np.sqrt(len(apart))
    text = f"{apart.mean():+.1f} ± {wide:.1f}"
    return text if apart.mean() > wide else f"**{text}**"


def _searches(result: dict[str, Any]) -> list[str]:
    lines = [
        "Successive halving over random draws from the ranges of section 5.4, within the training parts (half fitted, "
        "half asked; sizes 1, 4, 16, 64). The method as it is without a search is the first draw.",
        "",
        "| method | draws | found | right | without a search, at a ninth of the effort | CPU-s |",
        "|---|--:|---|--:|--:|--:|",
    ]
    for kind, one in result["search"].items():
        figures = f"{one['accuracy']:.3f} | {one['default']:.3f} | {one['cpu_s']}"
        lines.append(f"| {kind} | {one['draws']} | `{one['method']}` | {figures} |")
    return lines
