"""Config θ: everything that decides how a run goes, as plain data that round-trips through JSON."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from headstart.errors import BadConfig

Precision = Literal["auto", "fp32", "int8"]
HEADS = ("means", "neighbours", "ridge", "lda")
PLAIN = ("pixels", "motion")  # backbones that are no networks: raw small pixels, and how they move
STRIDE = 32  # a network halves its input five times


@dataclass(frozen=True)
class Stage:
    """Frozen features of one backbone at one resolution.

    backbone: name of a row of BACKBONES, or `pixels` for raw small pixels.
    pixels: of the side of the square that is fed in; a multiple of 32 for a network.
    outputs: which features are taken, for example ("d10", "head"); of several frames their mean (eq. 2 of the
        paper), or with `+std` and `+change` what differs over time (backbones/temporal.py).
    frames: of each clip, evenly spaced; 1 = the first keyframe of a clip, or a picture.
    Raises BadConfig that names the field, its value and what is allowed.
    """

    backbone: str
    pixels: int
    outputs: tuple[str, ...]
    frames: int = 1

    def __post_init__(self) -> None:
        _check(self, _STAGE_RULES, "a stage")
        if self.backbone not in PLAIN and self.pixels % STRIDE:
            rule = f"a multiple of {STRIDE} for a network (any number for {' and '.join(PLAIN)})"
            raise _bad("pixels", self.pixels, "a stage", rule)

    @property
    def blocks(self) -> tuple[str, ...]:
        """The names of the feature blocks that it computes: `lite0@64/d10`, of eight frames `lite0@64x8/d10`."""
        return tuple(f"{self.name}/{output}" for output in self.outputs)

    @property
    def name(self) -> str:
        """What is computed at which size, of how many frames: `lite0@64`, `lite0@64x8`."""
        size = f"{self.pixels}x{self.frames}" if self.frames > 1 else f"{self.pixels}"
        return f"{self.backbone}@{size}"


def stage_of(block: str) -> Stage:
    """The stage, with one output, that computes a feature block: the reverse of `Stage.blocks`."""
    backbone, rest = block.split("@")
    size, output = rest.split("/")
    pixels, _, frames = size.partition("x")
    return Stage(backbone, int(pixels), (output,), int(frames or 1))


@dataclass(frozen=True)
class Config:
    """A configuration: stages, heads and how they are combined.

    stages: in the order in which they run; no feature block comes twice.
    heads: which kinds of head may be solved (names of HEADS).
    members: at most so many heads are averaged in a published model.
    folds: training samples are split so often to estimate evidence.
    head_share: the part of the time spent so far that solving heads may take.
    enough: after a stage with more evidence than this no further one runs: nothing is left to improve.
    first_per_class, first_test: samples that the first prediction waits for.
    precision: of the backbone's weights; auto = by a short probe.
    seed: of everything that is drawn at random.
    reason: why this configuration was taken, for the user; it makes no two configurations unequal.
    Raises BadConfig that names the field, its value and what is allowed.
    """

    stages: tuple[Stage, ...]
    heads: tuple[str, ...] = HEADS
    members: int = 5
    folds: int = 5
    head_share: float = 0.1
    enough: float = 0.9995
    first_per_class: int = 2
    first_test: int = 160
    precision: Precision = "auto"
    seed: int = 0
    reason: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        _check(self, _CONFIG_RULES, "a configuration")
        blocks = [block for stage in self.stages for block in stage.blocks]
        double = next((block for block in blocks if blocks.count(block) > 1), None)
        if double is not None:
            raise BadConfig(f'"stages" of a configuration compute {double} twice: name it in one stage')

    def to_json(self) -> str:
        """This configuration as one JSON object; `from_json` gives it back."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @staticmethod
    def from_json(text: str) -> Config:
        """A configuration from JSON; BadConfig names what is wrong. Only "stages" must be given."""
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadConfig(f"the configuration is not JSON: {error}") from error
        values = _known(content, Config, "a configuration")
        if isinstance(values.get("stages"), list):
            values["stages"] = tuple(_stage(entry) for entry in values["stages"])
        return Config(**_tuples(values))


def _stage(entry: Any) -> Stage:
    return Stage(**_tuples(_known(entry, Stage, "a stage")))


def _known(content: Any, kind: type[Config | Stage], what: str) -> dict[str, Any]:
    """The fields of an object from JSON, none unknown and none missing that has no default."""
    if not isinstance(content, dict):
        raise BadConfig(f"{what} must be a JSON object, but is {_show(content)}")
    fields = {f.name: f.default is dataclasses.MISSING for f in dataclasses.fields(kind)}
    for key in content:
        if key not in fields:
            raise BadConfig(f"{what} has no {_show(key)}: allowed are {', '.join(fields)}")
    for key, needed in fields.items():
        if needed and key not in content:
            raise BadConfig(f'{what} needs "{key}": it has only {", ".join(content) or "nothing"}')
    return dict(content)


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """JSON knows lists only."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


Rules = dict[str, tuple[Callable[[Any], bool], str]]


def _check(thing: Config | Stage, rules: Rules, what: str) -> None:
    for key, (holds, allowed) in rules.items():
        value = getattr(thing, key)
        if not holds(value):
            raise _bad(key, value, what, allowed)


def _bad(key: str, value: object, what: str, allowed: str) -> BadConfig:
    return BadConfig(f'"{key}" of {what} is {_show(value)}, but must be {allowed}')


def _show(value: object) -> str:
    words = repr(list(value) if isinstance(value, tuple) else value)
    return words if len(words) <= 80 else f"{words[:77]}..."


def _whole(lowest: int) -> tuple[Callable[[Any], bool], str]:
    return lambda value: type(value) is int and value >= lowest, f"a whole number, {lowest} or more"


def _one_of(allowed: Sequence[str]) -> tuple[Callable[[Any], bool], str]:
    return lambda value: type(value) is str and value in allowed, f"one of {', '.join(allowed)}"


def _some(holds: Callable[[Any], bool], allowed: str) -> tuple[Callable[[Any], bool], str]:
    """A tuple of at least one, none of them twice."""

    def all_hold(values: Any) -> bool:
        return type(values) is tuple and all(map(holds, values)) and 0 < len(values) == len(set(values))

    return all_hold, f"a list (in Python a tuple) of one or more different {allowed}"


def _name(value: Any) -> bool:
    return type(value) is str and re.fullmatch(r"[^\s@/]+", value) is not None


def _share(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value <= 1


_STAGE_RULES: Rules = {
    "backbone": (_name, "a name without blanks, @ and /"),
    "pixels": _whole(1),
    "outputs": _some(_name, "names without blanks, @ and /"),
    "frames": _whole(1),
}
_CONFIG_RULES: Rules = {
    "stages": _some(lambda value: isinstance(value, Stage), "stages"),
    "heads": _some(_one_of(HEADS)[0], f"names out of {', '.join(HEADS)}"),
    "members": _whole(1),
    "folds": _whole(2),
    "head_share": (_share, "a number above 0 and at most 1"),
    "enough": (_share, "a number above 0 and at most 1"),
    "first_per_class": _whole(1),
    "first_test": _whole(0),
    "precision": _one_of(get_args(Precision)),
    "seed": _whole(0),
    "reason": (lambda value: type(value) is str, "text"),
}
