"""Which known data set do unseen samples come from? Every meta classifier, batches of 1 to 1024, with controls.

    python -m benchmarks.recognition --data FOLDER --work FOLDER [--out benchmarks/results/meta]

Fitted on at most 256 training samples of each set in FOLDER, asked about batches of at most 400 samples of its test
part (no label is used). A batch larger than that part is drawn with replacement, smaller ones without. Sets
made from one source count as one: either answer is right. All methods are asked about the same batches.
Features (recognition_features.py) and finished rows are kept in --work and are not computed again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.recognition_features import features, pictures
from benchmarks.recognition_table import page
from benchmarks.sources import SOURCES, source_of
from headstart.meta.similarity.contract import EachRanker, Method, Priors, nearest
from headstart.meta.similarity.frechet import Frechet
from headstart.meta.similarity.kmeans import KMeansVote
from headstart.meta.similarity.mlp_moments import MlpMoments
from headstart.meta.similarity.mlp_vote import MlpVote
from headstart.meta.similarity.nearest_mean import NearestMean
from headstart.meta.similarity.ranges import METHODS
from headstart.meta.similarity.tuning import tuned

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
TRIALS = 12  # of each set and size
SEARCHED = {"kmeans": 18, "mlp_vote": 9, "mlp_moments": 9}
CONTROLS = ("lite0", "pixels", "random")


@dataclass(frozen=True)
class Row:
    """A method on the features of an encoder. each_size: a method of its own is fitted for every batch size."""

    title: str
    encoder: str
    method: Method
    each_size: bool = False


def rows(found: dict[str, Method]) -> list[Row]:
    """All that are compared; `found`: what the searches gave."""
    vote = found["mlp_vote"]
    assert isinstance(vote, MlpVote)
    result = []
    for encoder in CONTROLS:
        result += [
            Row("k-means, vote (searched)", encoder, found["kmeans"]),
            Row("nearest median, vote", encoder, METHODS["centroid"]),
            Row("MLP, vote (searched)", encoder, vote),
            Row("MLP, sum of log p", encoder, replace(vote, rule="log")),
            Row("MLP on moments (searched)", encoder, found["mlp_moments"]),
            Row("MLP on moments: all six, batches of 64", encoder, MlpMoments()),
            Row("MLP on moments: mean and sd, a network for each size", encoder, _MEAN_SD, True),
            Row("t-test", encoder, METHODS["ttest"]),
            Row("effect size", encoder, METHODS["effect"]),
            Row("nearest mean, 64 axes", encoder, NearestMean(64)),
            Row("nearest mean", encoder, METHODS["nearest_mean"]),
            Row("Fréchet distance, diagonal", encoder, METHODS["frechet"]),
            Row("LDA, sum of log p", encoder, METHODS["lda"]),
        ]
    result += [
        Row("k-means, 200 clusters, vote", "lite0", KMeansVote(clusters=200, starts=3)),
        Row("MLP on moments: mean, batches of 64", "lite0", MlpMoments(which=("mean",))),
        Row("Fréchet distance, full", "lite0", Frechet(full=True)),
    ]
    for encoder in ("vae", "vae0"):
        result += [Row(METHODS[kind].name, encoder, METHODS[kind]) for kind in ("ttest", "effect")]
        result.append(Row("nearest mean, 64 axes", encoder, NearestMean(64)))
    return result


_MEAN_SD = MlpMoments(which=("mean", "sd"), vectors=32)


def draw(place: int, size: int, pool: int) -> NDArray[np.int64]:
    """The batches of a set, by its place among the sets: int64 [TRIALS, size], the same for every method."""
    rng = np.random.default_rng([place, size])
    return np.stack([rng.choice(pool, size, replace=size > pool) for _ in range(TRIALS)])


def judged(row: Row, train: Priors, test: Priors) -> dict[str, Any]:
    """A row of the table: the part of right answers by size and source, exact ones, and what it costs."""
    names = sorted(train)
    right = np.zeros((len(SIZES), len(names)))
    exact = np.zeros_like(right)
    began, fitting = time.process_time(), 0.0
    answer: Callable[[str, NDArray[np.int64]], str] | None = None
    for s, size in enumerate(SIZES):
        if answer is None or row.each_size:
            start = time.process_time()
            method = replace(row.method, batch=size) if row.each_size else row.method  # type: ignore[type-var]
            ranker = method.fit(train, 0)
            fitting += time.process_time() - start
            answer = _answerer(ranker, test)
        for place, name in enumerate(names):
            told = [answer(name, chosen) for chosen in draw(place, size, len(test[name]))]
            exact[s, place] = np.mean([one == name for one in told])
            right[s, place] = np.mean([source_of(one) == source_of(name) for one in told])
    spent = time.process_time() - began
    cost = _cost(ranker, test[names[0]])
    print(f"{row.encoder}: {row.title}: {right.mean():.3f}, {spent:.1f} CPU-s", file=sys.stderr)
    return {
        "title": row.title, "encoder": row.encoder, "method": repr(row.method), "fit_s": round(fitting, 2),
        "ms": round(cost, 2), "sources": _by_source(names, right), "exact": exact.mean(axis=1).round(4).tolist(),
    }  # fmt: skip


def _answerer(ranker: Any, test: Priors) -> Callable[[str, NDArray[np.int64]], str]:
    """Where a rank is a mean over samples, each sample is asked once only: the same answer, far sooner."""
    if isinstance(ranker, EachRanker):
        names = ranker.names  # type: ignore[attr-defined]
        each = {name: ranker.each(pool) for name, pool in test.items()}
        return lambda name, chosen: nearest(
            dict(zip(names, each[name][chosen].mean(axis=0).tolist(), strict=True))
        )
    return lambda name, chosen: nearest(ranker.rank(test[name][chosen]))


def _cost(ranker: Any, pool: NDArray[np.float32]) -> float:
    """CPU milliseconds of a decision about 64 samples whose features are there: the median of nine."""
    batch, spent = pool[np.arange(64) % len(pool)], []
    for _ in range(9):
        began = time.process_time()
        ranker.rank(batch)
        spent.append(time.process_time() - began)
    return float(np.median(spent)) * 1000


def _by_source(names: list[str], right: NDArray[np.float64]) -> dict[str, list[float]]:
    """For each source the part of right answers at each size: the mean over its sets."""
    sources = sorted({source_of(name) for name in names})
    return {
        source: right[:, [source_of(name) == source for name in names]].mean(axis=1).round(4).tolist()
        for source in sources
    }


def searched(train: Priors, work: Path) -> tuple[dict[str, Method], dict[str, Any]]:
    """The paper's three methods with the best hyperparameters of its ranges, found in the training parts; a record."""
    found, record = {}, {}
    for kind, trials in SEARCHED.items():
        path = work / f"search.{kind}.json"
        began = time.process_time()
        if not path.exists():
            best = tuned(kind, train, trials)
            spent = time.process_time() - began
            content = {
                "method": repr(best.method),
                "accuracy": best.accuracy,
                "draws": trials,
                "cpu_s": round(spent, 1),
            }
            path.write_text(
                json.dumps({**content, "fields": best.method.__dict__, "default": best.trials[0].accuracy})
            )
            print(f"search of {kind}: {content}", file=sys.stderr)
        record[kind] = json.loads(path.read_text())
        fields = {k: tuple(v) if isinstance(v, list) else v for k, v in record[kind]["fields"].items()}
        found[kind] = replace(METHODS[kind], **fields)  # type: ignore[type-var]
    return found, record


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of sets: NAME/train and NAME/test")
    parser.add_argument("--work", type=Path, required=True, help="where features and finished rows are kept")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/meta"))
    parser.add_argument(
        "--vae-seconds", type=float, default=240.0, help="CPU seconds of the autoencoder's training"
    )
    options = parser.parse_args()
    names = pictures(options.data, options.work)
    encoded = features(names, options.work, options.vae_seconds)
    parts = {
        encoder: tuple({name: both[part] for name, both in sets.items()} for part in ("train", "test"))
        for encoder, sets in encoded.items()
    }
    found, search = searched(parts["lite0"][0], options.work)
    table = []
    for number, row in enumerate(rows(found)):
        path = options.work / f"row{number:02d}.json"
        if not path.exists():
            path.write_text(json.dumps(judged(row, *parts[row.encoder])))
        table.append(json.loads(path.read_text()))
    result = {
        "sizes": SIZES, "trials": TRIALS, "sets": names, "sources": dict(SOURCES), "search": search, "rows": table,
        "pools": {name: len(rows) for name, rows in parts["lite0"][1].items()},
        "vae": (options.work / "vae.txt").read_text().strip(),
    }  # fmt: skip
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "recognition.json").write_text(json.dumps(result) + "\n")
    (options.out / "recognition.md").write_text(page(result))


if __name__ == "__main__":
    main()
