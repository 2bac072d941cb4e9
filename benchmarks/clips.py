"""Which frames of a clip are looked at, and how they are put together: trained networks on video data sets.

    python -m benchmarks.clips --data FOLDER --out OUT.json [--sets v_camera ...] [--seeds 0 1 2]
    python -m benchmarks.clips --out OUT.json --table benchmarks/results/clips.md

f is the bundled Lite0 at 64 px, frozen (`blocks` 0), and what is trained is g and the classifier; `clip_small` at 32
px is trained whole, from random weights. All training samples are learnt from; the score is that of the test split
after the last pass, so nothing is chosen by it. Frames are drawn from a pool of sixteen per clip. Resumable.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

POOL = 16
SETS = ("v_camera", "v_street", "v_metaworld", "v_pendulum", "v_basicmotions")


@dataclass(frozen=True)
class Way:
    """A line of the table. frames: how many of each clip."""

    label: str
    selection: str = "even"
    aggregation: str = "logits"
    frames: int = 8
    network: str = "lite0"


WAYS = (
    Way("first keyframe, one frame", "keyframe", frames=1),
    Way("even, mean of logits (eq. 2)"),
    Way("even, mean of features", aggregation="features"),
    Way("even, temporal convolution", aggregation="convolution"),
    Way("even, GRU", aggregation="gru"),
    Way("random, mean of logits", "random"),
    Way("segments, mean of logits", "segments"),
    Way("middle, mean of logits", "middle"),
    Way("segments, temporal convolution", "segments", "convolution"),
    Way("frames stacked (clip_small)", network="clip_small"),
)


def main() -> None:
    """Read the options, and run what is missing or draw the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    done: list[dict[str, Any]] = json.loads(options.out.read_text()) if options.out.exists() else []
    if options.table:
        options.table.write_text(table(done))
        return
    known = {(one["set"], one["way"], one["seed"]) for one in done}
    for name in options.sets:
        clips: Clips | None = None
        for seed in options.seeds:
            for way in WAYS:
                if (name, way.label, seed) in known:
                    continue
                clips = clips or Clips(options.data / name)
                done.append({"set": name, "way": way.label, "seed": seed, **clips.run(way, seed)})
                options.out.write_text(json.dumps(done, indent=0))
                print(name, way.label, seed, done[-1]["score"], flush=True)


class Clips:
    """The clips of a data set, decoded once at both sizes."""

    def __init__(self, data: Path) -> None:
        from headstart.challenge.labelled import labelled
        from headstart.data.squares import clips_at_sizes
        from headstart.words.task import Skipped

        self.task = labelled(str(data)).task
        self.pixels: dict[tuple[str, int], Any] = {}
        for split in ("train", "test"):
            samples = getattr(self.task, split)
            found = [clips_at_sizes(os.path.join(samples.root, p), POOL, (32, 64)) for p in samples.paths]
            assert not any(isinstance(one, Skipped) for one in found)
            for place, size in enumerate((32, 64)):
                self.pixels[split, size] = np.stack([one[place].exactly(POOL) for one in found])

    def run(self, way: Way, seed: int) -> dict[str, float]:
        """Train and score one way."""
        import torch

        from headstart.transfer.device import Device
        from headstart.transfer.networks import build
        from headstart.transfer.rounds import CLIP
        from headstart.transfer.training import Trainer
        from headstart.words.recipe import Recipe
        from headstart.words.scoring import score

        torch.set_num_threads(1)
        frozen = Recipe(
            "lite0", 64, optimiser="adamw", rate=2e-3, epochs=30, schedule="cosine", blocks=0, dropout=0.2
        )
        base = replace(CLIP, epochs=80) if way.network == "clip_small" else frozen
        if way.selection in ("random", "segments", "middle"):
            base = replace(base, epochs=12)  # nothing can be cached: every pass computes all frames anew
        ways: Any = {"selection": way.selection, "aggregation": way.aggregation, "frames": way.frames}
        recipe = replace(base, **ways)
        began = time.process_time()
        size, classes = recipe.pixels, len(self.task.classes)
        train, test = self.pixels["train", size], self.pixels["test", size]
        if way.selection in ("even", "keyframe"):
            place = np.linspace(0, POOL - 1, way.frames).round().astype(int) if way.frames > 1 else [0]
            train, test = train[:, place], test[:, place]
            if way.frames == 1:
                train, test = train[:, 0], test[:, 0]
        module = build(recipe, classes, seed=seed)
        module.settle([torch.from_numpy(np.ascontiguousarray(train[:32]))])
        targets = self.task.train.targets.astype(np.int64)
        trainer = Trainer(
            module, recipe, classes, "single", train, targets, np.arange(len(targets)), seed, Device("cpu")
        )
        while not trainer.done:
            trainer.step()
        known = np.eye(classes)[self.task.test.targets.astype(int)]
        said = torch.tensor(trainer.predict(test)).softmax(1).numpy()
        return {
            "score": round(score(known, said), 4),
            "accuracy": round(float((said.argmax(1) == known.argmax(1)).mean()), 4),
            "cpu_seconds": round(time.process_time() - began, 1),
        }


def table(done: list[dict[str, Any]]) -> str:
    """Scores by way and set: mean and standard deviation over seeds, and CPU seconds."""
    names = list(dict.fromkeys(one["set"] for one in done))
    lines = [f"| frames and g | {' | '.join(names)} | CPU-s |", "|---|" + "--:|" * (len(names) + 1)]
    for way in WAYS:
        cells, seconds = [], []
        for name in names:
            runs = [one for one in done if one["set"] == name and one["way"] == way.label]
            scores = [one["score"] for one in runs]
            seconds += [one["cpu_seconds"] for one in runs]
            spread = f" ± {np.std(scores, ddof=1):.3f}" if len(scores) > 1 else ""
            cells.append(f"{np.mean(scores):.3f}{spread}" if scores else "–")
        lines.append(f"| {way.label} | {' | '.join(cells)} | {np.mean(seconds) if seconds else 0:.0f} |")
    return "\n".join(lines) + f"\n\nn = {len({one['seed'] for one in done})} seeds.\n"


if __name__ == "__main__":
    main()
