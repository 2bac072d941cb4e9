"""The one-page engine: a discriminant on pooled head and d10 at 64 px, streamed; then 128 px, then 224 px.

Each resolution replaces the last without looking at evidence.
"""

from __future__ import annotations

import numpy as np

from benchmarks.learners.features import Extractor
from benchmarks.learners.lda import posteriors
from benchmarks.learners.protocol import Matrix, Publisher, labelled, parser, unlabelled
from benchmarks.learners.stream import streamed

LATER = (128, 224)


def main() -> None:
    chosen = parser(__doc__ or "").parse_args()
    files, targets, classes = labelled(chosen.train)
    tests = unlabelled(chosen.test)
    publisher = Publisher(chosen.out, chosen.test, tests, classes)
    extractor = Extractor()

    def both(paths: list[str], pixels: int = 64) -> Matrix:
        return np.concatenate(extractor(paths, pixels), axis=1)

    streamed(both, posteriors, files, targets, len(classes), tests, chosen.seed, publisher)
    for pixels in LATER:
        train = both(files, pixels)
        publisher.publish(posteriors(train, targets, len(classes), both(tests, pixels)))
    publisher.save()


if __name__ == "__main__":
    main()
