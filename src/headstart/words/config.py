"""Config θ: everything that decides how a run goes, as plain data that round-trips through JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from headstart.errors import BadConfig
from headstart.words.checks import Rules, bad, check, number, one_of, show, some, whole
from headstart.words.recipe import Recipe
from headstart.words.task import LabelKind

Precision = Literal["auto", "fp32", "int8"]
HEADS = ("means", "neighbours", "ridge", "lda")
ONE_LABEL = ("means", "lda")  # heads that cannot learn several labels per sample
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
        check(self, _STAGE_RULES, "a stage")
        if self.backbone not in PLAIN and self.pixels % STRIDE:
            rule = f"a multiple of {STRIDE} for a network (any number for {' and '.join(PLAIN)})"
            raise bad("pixels", self.pixels, "a stage", rule)

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

    stages: in the order in which they run; no feature block comes twice. None at all: a network that is trained
        by the recipe, alone (the paper's method 1).
    heads: which kinds of head may be solved (names of HEADS).
    members: at most so many heads are averaged in a published model.
    folds: training samples are split so often to estimate evidence.
    head_share: the part of the time spent so far that solving heads may take.
    enough: after a stage with more evidence than this no further one runs: nothing is left to improve.
    first_per_class, first_test: samples that the first prediction waits for.
    precision: of the backbone's weights; auto = by a short probe.
    recipe: how a challenger is trained beside the stages; None = none, or as `fit` decides.
    seed: of everything that is drawn at random.
    reason: why this configuration was taken, for the user; it makes no two configurations unequal.
    Raises BadConfig that names the field, its value and what is allowed.
    """

    stages: tuple[Stage, ...] = ()
    heads: tuple[str, ...] = HEADS
    members: int = 5
    folds: int = 5
    head_share: float = 0.1
    enough: float = 0.9995
    first_per_class: int = 2
    first_test: int = 160
    precision: Precision = "auto"
    recipe: Recipe | None = None
    seed: int = 0
    reason: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        check(self, _CONFIG_RULES, "a configuration")
        if not self.stages and self.recipe is None:
            raise bad("stages", (), "a configuration", "one or more stages where there is no recipe")
        blocks = [block for stage in self.stages for block in stage.blocks]
        double = next((block for block in blocks if blocks.count(block) > 1), None)
        if double is not None:
            raise BadConfig(f'"stages" of a configuration compute {double} twice: name it in one stage')

    def to_json(self) -> str:
        """This configuration as one JSON object; `from_json` gives it back."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @property
    def digest(self) -> str:
        """What it is known by, 12 hex digits: of everything but the seed and the reason."""
        plain = dataclasses.asdict(dataclasses.replace(self, seed=0, reason=""))
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:12]

    def learns(self, labels: LabelKind) -> bool:
        """Whether what it trains or any of its heads can learn such labels."""
        return labels == "single" or not self.stages or not set(self.heads) <= set(ONE_LABEL)

    @staticmethod
    def from_json(text: str) -> Config:
        """A configuration from JSON; BadConfig names what is wrong. Stages or a recipe must be given."""
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadConfig(f"the configuration is not JSON: {error}") from error
        values = _known(content, Config, "a configuration")
        if isinstance(values.get("stages"), list):
            values["stages"] = tuple(_stage(entry) for entry in values["stages"])
        if values.get("recipe") is not None:
            values["recipe"] = Recipe(**_known(values["recipe"], Recipe, "a recipe"))
        return Config(**_tuples(values))


def _stage(entry: Any) -> Stage:
    return Stage(**_tuples(_known(entry, Stage, "a stage")))


def _known(content: Any, kind: type[Config | Stage | Recipe], what: str) -> dict[str, Any]:
    """The fields of an object from JSON, none unknown and none missing that has no default."""
    if not isinstance(content, dict):
        raise BadConfig(f"{what} must be a JSON object, but is {show(content)}")
    fields = {f.name: f.default is dataclasses.MISSING for f in dataclasses.fields(kind)}
    for key in content:
        if key not in fields:
            raise BadConfig(f"{what} has no {show(key)}: allowed are {', '.join(fields)}")
    for key, needed in fields.items():
        if needed and key not in content:
            raise BadConfig(f'{what} needs "{key}": it has only {", ".join(content) or "nothing"}')
    return dict(content)


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """JSON knows lists only."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def _name(value: Any) -> bool:
    return type(value) is str and re.fullmatch(r"[^\s@/]+", value) is not None


_SHARE = number(0.0, 1.0, "above 0 and at most 1", open_below=True)


def _stages(values: Any) -> bool:
    kinds = type(values) is tuple and all(isinstance(value, Stage) for value in values)
    return kinds and len(set(values)) == len(values)


_STAGE_RULES: Rules = {
    "backbone": (_name, "a name without blanks, @ and /"),
    "pixels": whole(1),
    "outputs": some(_name, "names without blanks, @ and /"),
    "frames": whole(1),
}
_CONFIG_RULES: Rules = {
    "stages": (_stages, "a list (in Python a tuple) of different stages"),
    "recipe": (lambda value: value is None or isinstance(value, Recipe), "null or a recipe"),
    "heads": some(one_of(HEADS)[0], f"names out of {', '.join(HEADS)}"),
    "members": whole(1),
    "folds": whole(2),
    "head_share": _SHARE,
    "enough": _SHARE,
    "first_per_class": whole(1),
    "first_test": whole(0),
    "precision": one_of(get_args(Precision)),
    "seed": whole(0),
    "reason": (lambda value: type(value) is str, "text"),
}
