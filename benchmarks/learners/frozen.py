"""One frozen resolution, streamed: the pooled head alone, ridge regression solved again as features arrive."""

from __future__ import annotations

from benchmarks.learners.features import Extractor
from benchmarks.learners.protocol import Matrix, Publisher, labelled, parser, unlabelled
from benchmarks.learners.ridge import posteriors
from benchmarks.learners.stream import streamed


def main() -> None:
    given = parser(__doc__ or "")
    given.add_argument("--pixels", type=int, required=True)
    chosen = given.parse_args()
    files, targets, classes = labelled(chosen.train)
    tests = unlabelled(chosen.test)
    publisher = Publisher(chosen.out, chosen.test, tests, classes)
    extractor = Extractor()

    def pooled(paths: list[str]) -> Matrix:
        return extractor(paths, chosen.pixels)[0]

    streamed(pooled, posteriors, files, targets, len(classes), tests, chosen.seed, publisher)
    publisher.save()


if __name__ == "__main__":
    main()
