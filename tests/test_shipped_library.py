"""The library that comes with the package: whole, small, and of some use to a new task."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hatchling.builders.wheel import WheelBuilder

from headstart.choosing import continues
from headstart.learn.plan import default_config
from headstart.meta import index
from headstart.meta.library import SHIPPED, Library
from headstart.meta.rules import HEADLINE
from headstart.meta.select import evidence_of, select, situation
from headstart.meta.selectors.evidence import Seen


@pytest.fixture(scope="module")
def library() -> Library:
    return Library.open(SHIPPED)


def test_it_is_small_and_nothing_in_it_is_damaged(library: Library) -> None:
    library.all_features()
    library.matrix()
    assert not library.problems
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) <= 3_000_000


def test_it_holds_what_it_says(library: Library) -> None:
    table = library.matrix()
    assert len(table.priors) >= 20 and len(set(table.sources)) >= 18
    images = [name for name in table.priors if library.priors[name].kind == "image"]
    part = table.subset(images)
    frozen = [j for j, config in enumerate(part.settings) if config is not None and config.recipe is None]
    trained = [
        j for j, config in enumerate(part.settings) if config is not None and config.recipe is not None
    ]
    everywhere = (part.n[:, frozen] >= 3).all(axis=0)
    assert everywhere.sum() >= 40
    assert (part.n[:, trained] >= 1).all(axis=0).sum() >= 6
    for prior in library.priors.values():
        assert prior.source and prior.licence
        assert "pixels@64" in prior.landmarks
        # Beyond 1024 samples a stage is solved together with those before it only.
        assert "lite0@64" in prior.landmarks or prior.samples > 1024


def test_its_index_is_of_these_runs(library: Library) -> None:
    quick, whole = index.quick(library, 1200.0), library.matrix(halves=False)
    assert quick.priors == whole.priors and quick.configs == whole.configs
    np.testing.assert_allclose(quick.values, whole.values, atol=1e-6)


@pytest.mark.parametrize("kind", ["image", "video"])
def test_what_fit_can_go_on_with_is_in_it(library: Library, kind: str) -> None:
    plan = default_config(0, 0, (), kind)  # type: ignore[arg-type]
    table = library.matrix(halves=False)
    able = [config for config in table.settings if continues(config, plan)]
    assert len(able) >= 8 and plan.digest in {config.digest for config in able if config}


def test_a_prior_resembles_itself_most(library: Library) -> None:
    table, features = library.matrix(halves=False), library.all_features()
    for name in ("digits", "surfaces", "v_camera"):
        seen = Seen(
            features[name].rows.astype(np.float32),
            library.priors[name].simple,
            library.priors[name].landmarks,
        )
        found = select(situation(table, library.priors, features, seen))
        assert found is not None and found.resembles[0] == name and f"resembles {name}" in found.reason


def test_the_headline_can_be_evaluated_on_it(library: Library) -> None:
    assert all(evidence_of(library, library.matrix()).has(need) for need in HEADLINE.needs)


def test_it_is_in_the_wheel(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    (built,) = WheelBuilder(str(root)).build(directory=str(tmp_path), versions=["standard"])
    names = zipfile.ZipFile(built).namelist()
    assert "headstart/meta/priors/digits/prior.json" in names
    assert "headstart/meta/priors/index.safetensors.gz" in names
    assert any(name.startswith("headstart/meta/priors/digits/runs/") for name in names)
