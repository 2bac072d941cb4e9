"""A cost table without a machine: round numbers for everything that a run charges for."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.words.config import HEADS
from headstart.words.costs import Cost, CostTable


def invented(networks: Sequence[str], pixels: Sequence[int]) -> CostTable:
    """Costs of a run with these networks at these sizes; the invented kinds of work grow with it."""
    rows = [Cost("start", name, 0, 0.0, 0.01) for name in ("process", "probe", "scipy", *networks)]
    rows += [Cost("scan", "files", 0, 0.0, 1e-5), Cost("refold", "duplicates", 0, 0.001, 1e-5)]
    for name in ("file", "jpeg", "png", "webp", "gif", "array", "kept"):
        sides = (0,) if name in ("array", "kept") else (*pixels, 224)
        rows += [Cost("decode", name, side, 0.0, 1e-3 * max(side, 64) / 64) for side in sides]
        rows += [Cost("decode", f"{name} {part}", 0, 0.0, 1e-9) for part in ("bytes", "numbers")]
    for name in networks:
        rows += [Cost("forward", name, side, 0.002, 2e-3 * side / 64) for side in pixels]
    rows += [Cost(kind, "features", 0, 0.0, 1e-6) for kind in ("store", "fetch")]
    rows += [Cost("products", name, 0, 0.0001, 1e-8) for name in ("gram", "queries")]
    rows += [Cost("solve", head + more, 0, 0.002, 1e-5) for head in HEADS for more in ("", " several")]
    rows += [Cost("solve", name, 0, 0.001, 1e-5) for name in ("kernel linear", "kernel rbf", "fit")]
    rows += [Cost("solve", f"streamed {name}", 0, 0.0, 0.01) for name in ("fit", "ridge", "lda")]
    rows += [Cost("solve", "sum", 0, 0.0, 1e-9), Cost("solve", "landmarks", 0, 0.0, 1e-4)]
    rows += [Cost("statistics", "landmarks", 0, 0.001, 1e-5)]
    rows += [Cost("choose", name, 0, 0.001, 1e-6) for name in ("quick", "thorough")]
    rows += [
        Cost("predict", name, 0, 1e-4, 1e-8)
        for name in ("sum", "linear", "rbf", "neighbours", "put", "norms")
    ]
    rows += [Cost("publish", name, 0, 0.001, 1e-9) for name in ("model", "predictions")]
    return CostTable(tuple({row.key: row for row in rows}.values()))
