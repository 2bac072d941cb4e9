"""The floors of the house: nothing imports from above, and heavy libraries stay where they belong."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "headstart"
FLOORS = (
    ("errors", "version"),
    ("words",),
    ("recipes",),
    ("data", "backbones", "heads", "store"),
    ("learn",),
    ("transfer", "meta"),
    ("model",),
    ("choosing", "remembering"),
    ("running",),
    ("methods",),
    ("api", "export", "inspection"),
    ("challenge", "bench", "estimator"),
    ("report",),
    ("cli",),
)
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted(path for path in SOURCE.rglob("*.py") if path.name not in ("__init__.py", "__main__.py"))


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Every module that a file imports anywhere, also lazily."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
    return found


def names(modules: set[str]) -> set[str]:
    return {module.split(".")[0] for module in modules}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_imports_from_its_own_room_or_from_below(path: Path) -> None:
    own = room(path)
    for module in imported(path):
        parts = module.split(".")
        if parts[0] != "headstart" or len(parts) < 2 or parts[1] not in LEVEL:
            continue
        other = parts[1]
        assert other == own or LEVEL[other] < LEVEL[own], f"{own} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_heavy_libraries_stay_in_their_rooms(path: Path) -> None:
    libraries = names(imported(path))
    if room(path) != "transfer" and path != SOURCE / "meta" / "vae.py":
        assert "torch" not in libraries
    assert not {"sklearn", "matplotlib", "pandas", "pickle"} & libraries or path.name in (
        "checkpoint.py",
        "estimator.py",
    )
    if room(path) == "words":
        assert libraries <= {"headstart", "numpy", "__future__"} | sys.stdlib_module_names


def modules_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('\\n'.join(m for m in sys.modules if '.' not in m))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_front_door_and_help_load_next_to_nothing() -> None:
    loaded = modules_after("import headstart\nfrom headstart.cli.main import parser\nparser().format_help()")
    assert not {"numpy", "onnxruntime", "PIL", "scipy", "torch", "sklearn"} & loaded


def test_the_way_to_the_first_prediction_loads_numpy_pillow_and_onnxruntime_only() -> None:
    loaded = modules_after("import headstart.api, onnxruntime")
    assert not {"scipy", "torch", "sklearn", "matplotlib", "pandas", "safetensors"} & loaded


def test_what_the_package_exports_is_there() -> None:
    import headstart

    assert sorted(headstart.__all__) == dir(headstart)
    for name in headstart.__all__:
        assert getattr(headstart, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = headstart.nothing


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_each_room_knows_what_the_picture_says_it_knows(path: Path) -> None:
    """Narrower than the floors: who is handed what it needs does not go and get it."""
    allowed = {
        "words": {"words"},
        "heads": {"heads", "words"},
        "data": {"data", "words"},
        "store": {"store", "words"},
        "backbones": {"backbones", "words"},
        "learn": {"learn", "heads", "store", "words", "backbones", "data"},
        "report": {"report", "store", "words", "data", "heads"},
    }
    rooms = {
        parts[1] for parts in (m.split(".") for m in imported(path)) if parts[0] == "headstart" and parts[1:]
    }
    own = room(path)
    if own in allowed:
        assert rooms & LEVEL.keys() <= allowed[own] | {"errors", "version"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_the_learner_asks_the_clock_and_never_the_machine(path: Path) -> None:
    if room(path) in ("learn", "heads"):
        assert not {"time", "datetime"} & names(imported(path))


def test_no_file_is_named_for_what_has_no_name() -> None:
    assert not {"utils", "util", "common", "base", "helpers", "misc"} & {
        part for path in FILES for part in path.relative_to(SOURCE).with_suffix("").parts
    }


def test_every_room_has_a_floor() -> None:
    assert {room(path) for path in FILES} <= set(LEVEL)


def test_nothing_opens_a_pickle_and_only_the_recipe_reads_a_strangers() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert "allow_pickle=True" not in text
        assert path.name == "checkpoint.py" or not {"pickle", "shelve", "marshal", "dill"} & names(
            imported(path)
        )
