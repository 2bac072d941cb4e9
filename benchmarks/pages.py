"""The table in Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchmarks.roster import LEARNERS

if TYPE_CHECKING:
    from benchmarks.summary import Row

Rows = Mapping[str, "Row"]
_INTRO = """# Learners side by side

Score: macro mean of 2 AUC - 1 on the test split, whose labels no learner sees. Time: CPU seconds (user and
system, all threads) of one single-threaded process from its start, imports and decoding included. ALC: area
under the step curve of every published prediction over log time, T = 1200 s. Mean ± standard deviation over
seeds; ± 0 where a learner draws nothing at random. The splits are the same for all seeds, so the deviation
says nothing about other splits. right: of the final prediction, the share of files with the right class, or
the mean average precision of files with several labels. Bold: the best of a column.
"""


def markdown(table: Mapping[str, Rows], about: Mapping[str, Any]) -> str:
    """Facts, the comparison, then one table per data set."""
    parts = [_INTRO, _facts(about)]
    if compared := {name: rows for name, rows in table.items() if "ours" in rows}:
        parts.append(_comparison(compared))
    parts += [_one_set(name, rows) for name, rows in table.items()]
    return "\n".join(parts)


def _facts(about: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    first, last = about["measured"]
    lines = [
        f"- Machine: {about['machine']}; median load before a run {about['load']}.",
        f"- Versions: {versions}.",
        f"- Measured {first} to {last}, written {about['date']}; {about['seeds']} seeds.",
        f"- Command: `{about['command']}`",
    ]
    lines += [f"- Left out: {name} ({why})." for name, why in about["left_out"].items()]
    lines += [f"- Failed: {name} on {dataset}, seed {seed}." for name, dataset, seed in about["failed"]]
    several = [name for name, codes in about["code"].items() if len(codes) > 1]
    if several:
        lines.append(f"- The code changed between the runs of: {', '.join(several)}.")
    return "\n".join(lines) + "\n"


def best_peer(rows: Rows, measure: str) -> str | None:
    """The rival with the highest mean."""
    peers = [name for name in rows if LEARNERS[name].peer]
    return max(peers, key=lambda name: rows[name][measure]) if peers else None


def _comparison(table: Mapping[str, Rows]) -> str:
    head = (
        "| set | first, CPU-s | final | ALC60 / final | − best peer: final | ALC60 | ALC20 |"
        " − mean5: final | CPU-s / mean5's |"
    )
    lines = ["## headstart against the others\n", head, "|---" + "|--:" * 8 + "|"]
    lines += [_compared(name, rows) for name, rows in table.items()]
    return "\n".join([*lines, "", *_counts(table)]) + "\n"


def _compared(name: str, rows: Rows) -> str:
    ours = rows["ours"]
    cells = [f"{ours['first_seconds']:.2f}", f"{ours['final']:.4f}", f"{ours['alc60'] / ours['final']:.4f}"]
    for measure in ("final", "alc60", "alc20"):
        peer = best_peer(rows, measure)
        cells.append(f"{ours[measure] - rows[peer][measure]:+.4f} ({peer})" if peer else "–")
    if "mean5" in rows:
        cells.append(f"{ours['final'] - rows['mean5']['final']:+.4f}")
        cells.append(f"{ours['cpu_seconds'] / rows['mean5']['cpu_seconds']:.2f}")
    else:
        cells += ["–", "–"]
    return f"| {name} | " + " | ".join(cells) + " |"


def _counts(table: Mapping[str, Rows]) -> list[str]:
    """On how many sets each aim is met."""
    every = list(table.values())
    met = {
        "first prediction within .7 CPU-s": [r["ours"]["first_seconds"] <= 0.7 for r in every],
        "ALC60 at least .985 of the final score": [
            r["ours"]["alc60"] >= 0.985 * r["ours"]["final"] for r in every
        ],
    }
    for measure, shown in (("final", "final score"), ("alc60", "ALC60"), ("alc20", "ALC20")):
        pairs = [(r["ours"][measure], r[p][measure]) for r in every if (p := best_peer(r, measure))]
        met[f"{shown} above every peer's"] = [mine > theirs for mine, theirs in pairs]
    means = [(r["ours"], r["mean5"]) for r in every if "mean5" in r]
    met["final score at least mean5's less .005"] = [a["final"] >= b["final"] - 0.005 for a, b in means]
    met["final score above mean5's"] = [a["final"] > b["final"] for a, b in means]
    met["at most half of mean5's CPU-s"] = [a["cpu_seconds"] <= 0.5 * b["cpu_seconds"] for a, b in means]
    lines = [f"- {aim}: {sum(held)} of {len(held)} sets" for aim, held in met.items() if held]
    if means:
        gain = statistics.fmean(a["final"] - b["final"] for a, b in means)
        ratio = sum(a["cpu_seconds"] for a, _ in means) / sum(b["cpu_seconds"] for _, b in means)
        lines.append(f"- mean of final − mean5's: {gain:+.4f}; CPU-s of all sets / mean5's: {ratio:.2f}")
    return lines


_COLUMNS = (
    ("final", 4, 1),
    ("right", 3, 1),
    ("alc60", 4, 1),
    ("alc20", 4, 1),
    ("last_seconds", 1, -1),
    ("cpu_seconds", 1, -1),
)


def _one_set(name: str, rows: Rows) -> str:
    quickest = min(round(row["first_seconds"], 2) for row in rows.values())
    columns = (
        "first: CPU-s, score | final | right | ALC t0=60 | ALC t0=20 | stands from | CPU-s in all | MB | n"
    )
    head = f"| learner | {columns} |"
    lines = [f"## {name}\n", head, "|---" + "|--:" * 9 + "|"]
    for learner, row in rows.items():
        first = round(row["first_seconds"], 2)
        cells = [f"{_bold(f'{first:.2f}', first == quickest)}, {row['first_score']:.3f}"]
        for measure, digits, sign in _COLUMNS:
            known = [other[measure] for other in rows.values() if other[measure] == other[measure]]
            top = max((sign * round(value, digits) for value in known), default=0.0)
            mean, deviation = (round(value, digits) for value in row.values[measure])
            if mean != mean:  # runs from before this was measured
                cells.append("–")
                continue
            spread = f" ± {deviation:.{digits}f}" if row.n > 1 else ""
            cells.append(_bold(f"{mean:.{digits}f}", sign * mean == top) + spread)
        cells += [f"{row['peak_mb']:.0f}", str(row.n)]
        lines.append(f"| {LEARNERS[learner].shown} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _bold(text: str, wanted: bool) -> str:
    return f"**{text}**" if wanted else text
