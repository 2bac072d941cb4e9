"""The front door: what is exported is there, and opening it costs next to nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import headstart

SOURCE = Path(headstart.__file__)


def typed_exports() -> set[str]:
    """The names that a type checker sees in the front door."""
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    blocks = [n for n in tree.body if isinstance(n, ast.If) and getattr(n.test, "id", "") == "TYPE_CHECKING"]
    imports = [n for block in blocks for n in block.body if isinstance(n, ast.ImportFrom)]
    return {alias.asname or alias.name for node in imports for alias in node.names}


def test_the_public_names_are_those_that_are_documented() -> None:
    assert set(headstart.__all__) == {
        "Config", "HeadstartClassifier", "HeadstartError", "Model", "Prediction", "Snapshot", "Stage",
        "__version__", "fit", "inspect", "load", "watch",
    }  # fmt: skip


def test_type_checkers_users_and_dir_see_the_same_names() -> None:
    assert typed_exports() | {"__version__"} == set(headstart.__all__)
    assert dir(headstart) == sorted(headstart.__all__)
    assert len(headstart.__all__) == len(set(headstart.__all__))


@pytest.mark.parametrize("name", sorted(headstart.__all__))
def test_every_public_name_resolves_and_is_documented(name: str) -> None:
    thing = getattr(headstart, name)
    assert thing is not None and getattr(headstart, name) is thing
    if name != "__version__":
        assert thing.__doc__ and thing.__name__ == name


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = headstart.nothing  # type: ignore[attr-defined]
    assert not hasattr(headstart, "api_")


def processor_seconds(code: str) -> float:
    script = f"import time; a = time.process_time(); {code}; print(time.process_time() - a)"
    done = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    ]
    return min(map(float, done))


def test_importing_the_package_takes_under_50_ms() -> None:
    assert processor_seconds("import headstart") < 0.05


@pytest.mark.parametrize("module", ["headstart", "headstart.errors", "headstart.cli.main"])
def test_the_front_door_loads_no_library(module: str) -> None:
    script = f"import sys, {module}; print(*(m for m in sys.modules if '.' not in m))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"numpy", "scipy", "PIL", "onnxruntime", "torch", "sklearn", "asyncio"}
