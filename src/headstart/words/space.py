"""Spaces Θ of configurations: what may be chosen, and which choices exist only after others.

A space is a procedure that asks for one value after the other (define by run): `suggest` takes whatever answers,
an Optuna trial as well as a random generator, so that conditions are plain Python and cannot diverge.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from headstart.errors import BadInput
from headstart.words.config import HEADS, PLAIN, Config, Stage
from headstart.words.space_recipes import MODERN, PAPER_NETWORKS, Chooser, Network, recipe_of, recipe_values
from headstart.words.task import Kind

__all__ = ["SPACES", "Chooser", "Network", "Space", "find_space"]

SIZES = (32, 64, 96, 128, 224)
OUTPUTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "taps": ("lite0", ("d4", "d7", "d10", "head")),
    "d10": ("lite0", ("d10",)),
    "head": ("lite0", ("head",)),
    "d10 head": ("lite0", ("d10", "head")),
    "cut d10": ("lite0_cut", ("d10",)),
    "cut d7 d10": ("lite0_cut", ("d7", "d10")),
}
"""What may be taken from a network at one size: the backbone and its outputs."""
_WHOLE = tuple(name for name, (backbone, _) in OUTPUTS.items() if backbone == "lite0")
_NONE, _TINY = "none", "pixels"
_HEADS = (" ".join(HEADS), "ridge lda", "ridge", "lda", "neighbours", "means")
_FRAMES = 8
_VARYING = tuple(f"{name}+{how}" for name in ("d10", "head") for how in ("std", "change"))


@dataclass(frozen=True)
class Space:
    """A set of configurations.

    kind: of tasks; clips have more choices. sizes: of the squares that frozen networks may see; () = no stages.
    networks: that may be trained by gradient; () = none. beside: whether stages and network may come together, or
    each alone. modern: whether recipes have what came after the paper.
    """

    name: str
    kind: Kind = "image"
    sizes: tuple[int, ...] = SIZES
    networks: tuple[Network, ...] = ()
    modern: bool = True
    beside: bool = True

    def suggest(self, chooser: Chooser) -> Config:
        """The configuration that the answers of `chooser` make (seed 0)."""
        ways = (["frozen"] if self.sizes else []) + (["transfer"] if self.networks else [])
        if len(ways) == 2 and self.beside:
            ways.append("both")
        way = ways[0] if len(ways) == 1 else chooser.suggest_categorical("way", ways)
        stages = self._stages(chooser) if way != "transfer" else ()
        recipe = None if way == "frozen" else recipe_of(chooser, self.networks, self.kind, self.modern)
        if not stages:
            return Config(stages=(), recipe=recipe)
        return Config(
            stages=stages,
            recipe=recipe,
            heads=tuple(chooser.suggest_categorical("heads", _HEADS).split()),
            members=chooser.suggest_int("members", 1, 8),
            first_per_class=chooser.suggest_int("first_per_class", 1, 5),
        )

    def _stages(self, chooser: Chooser) -> tuple[Stage, ...]:
        """The largest size is asked for first: so there is always a stage, and smaller ones may join it."""
        finest = chooser.suggest_categorical("finest", [_TINY, *map(str, self.sizes)])
        frames = self._frames(chooser)
        motion = self.kind == "video" and frames > 1 and chooser.suggest_categorical("motion", [False, True])
        moving = (_motion(frames),) if motion else ()
        if finest == _TINY:
            return (_tiny(frames), *moving)
        first = (_tiny(frames),) if chooser.suggest_categorical("pixels", [False, True]) else ()
        networks: list[Stage] = []
        for size in self.sizes:
            if size <= int(finest):
                none = [] if size == int(finest) else [_NONE]
                which = chooser.suggest_categorical(f"lite0@{size}{'!' * (not none)}", [*none, *OUTPUTS])
                networks += [] if which == _NONE else [_stage(which, size, frames)]
        if len(networks) > 1 and chooser.suggest_categorical("order", ["up", "down"]) == "down":
            networks.reverse()
        return (*first, *moving, *networks)

    def _frames(self, chooser: Chooser) -> int:
        return 1 if self.kind == "image" else int(chooser.suggest_categorical("frames", [1, _FRAMES]))

    def sample(self, rng: np.random.Generator) -> Config:
        """A configuration at random: every choice uniform, rates on a logarithmic scale."""
        return self.suggest(Drawn(rng))

    def values(self, config: Config) -> dict[str, Any]:
        """What has to be answered so that `suggest` makes this configuration. Raises BadInput where nothing does."""
        given = Given(_asked(config))
        try:
            made = self.suggest(given)
        except LookupError as error:
            raise BadInput(f"the space {self.name!r} does not hold this configuration: {error}") from None
        if made != replace(config, seed=0):
            raise BadInput(f"the space {self.name!r} does not hold this configuration: it would be another")
        return given.used

    def contains(self, config: Config) -> bool:
        """Whether `suggest` can make this configuration, of whatever seed."""
        try:
            self.values(config)
        except BadInput:
            return False
        return True

    @property
    def dimension(self) -> int:
        """How many questions it takes to make a configuration: the median over 200 at random.

        For a space without conditions that is the number of its hyperparameters.
        """
        return _dimension(self)


@dataclass(frozen=True)
class Continued(Space):
    """What `fit` can go on with after the first pass of its plan: other stages, the rest as planned."""

    name: str = "fit"
    sizes: tuple[int, ...] = (32, 96, 128, 160, 224)

    def suggest(self, chooser: Chooser) -> Config:
        """As `Space.suggest`; of clips eight frames are looked at from the second pass on."""
        video = self.kind == "video"
        stages, frames = [_tiny(1), _stage("taps", 64, 1)], _FRAMES if video else 1
        if video and chooser.suggest_categorical("then pixels", [False, True]):
            stages.append(_tiny(frames))
        if video and chooser.suggest_categorical("then motion", [False, True]):
            stages.append(_motion(frames))
        for size in (*((64,) if video else ()), *self.sizes):
            which = chooser.suggest_categorical(f"then lite0@{size}", [_NONE, *_WHOLE])
            stages += [] if which == _NONE else [_stage(which, size, frames)]
        return Config(tuple(stages))


class Drawn:
    """Answers at random, and notes them in `values`."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.values: dict[str, Any] = {}

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of the choices."""
        self.values[name] = choices[int(self._rng.integers(len(choices)))]
        return self.values[name]

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """A whole number from low to high."""
        drawn = (
            np.exp(self._rng.uniform(np.log(low), np.log(high + 1)))
            if log
            else self._rng.integers(low, high + 1)
        )
        self.values[name] = min(int(drawn), high)
        return int(self.values[name])

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number from low to high."""
        drawn = np.exp(self._rng.uniform(np.log(low), np.log(high))) if log else self._rng.uniform(low, high)
        self.values[name] = min(max(float(drawn), low), high)
        return float(self.values[name])


class Given:
    """Answers from a table, and notes in `used` which it was asked for. Raises LookupError beyond what is allowed."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._table = table
        self.used: dict[str, Any] = {}

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """The answer, if it is one of the choices."""
        value = self._answer(name)
        if value not in choices:
            raise LookupError(f"{name} is {value}, but must be one of {', '.join(map(str, choices))}")
        return value

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """The answer, if it is in the range."""
        return int(self._within(name, low, high))

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """The answer, if it is in the range."""
        return float(self._within(name, low, high))

    def _within(self, name: str, low: float, high: float) -> float:
        value: float = self._answer(name)
        if not low <= value <= high:
            raise LookupError(f"{name} is {value}, but must be from {low} to {high}")
        return value

    def _answer(self, name: str) -> Any:
        if name not in self._table:
            raise LookupError(f"there is no {name}")
        self.used[name] = self._table[name]
        return self._table[name]


@functools.lru_cache(maxsize=16)
def _dimension(space: Space) -> int:
    counts = []
    rng = np.random.default_rng(0)
    for _ in range(200):
        drawn = Drawn(rng)
        space.suggest(drawn)
        counts.append(len(drawn.values))
    return int(np.median(counts))


def _tiny(frames: int) -> Stage:
    more = ("rgb16+std", "rgb16+change") if frames > 1 else ()
    return Stage("pixels", 64, ("rgb16", *more), frames)


def _motion(frames: int) -> Stage:
    return Stage("motion", 64, ("flow", "edges"), frames)


def _stage(which: str, size: int, frames: int) -> Stage:
    backbone, outputs = OUTPUTS[which]
    varying = tuple(o for o in _VARYING if o.partition("+")[0] in outputs) if frames > 1 else ()
    return Stage(backbone, size, (*outputs, *varying), frames)


def _asked(config: Config) -> dict[str, Any]:
    """Every answer that a configuration can tell, asked for or not."""
    networks = [stage for stage in config.stages if stage.backbone not in ("pixels", "motion")]
    sizes = [stage.pixels for stage in networks]
    finest = max(sizes, default=0)
    way = "frozen" if config.recipe is None else "both" if config.stages else "transfer"
    found: dict[str, Any] = {
        "way": way,
        "finest": str(finest) if networks else _TINY,
        "frames": config.stages[0].frames if config.stages else 1,
        "motion": any(stage.backbone == "motion" for stage in config.stages),
        "pixels": any(stage.backbone == "pixels" for stage in config.stages),
        "order": "down" if len(sizes) > 1 and sizes == sorted(sizes, reverse=True) else "up",
        "heads": " ".join(config.heads),
        "members": config.members,
        "first_per_class": config.first_per_class,
    }
    found |= {f"lite0@{size}": _NONE for size in SIZES}
    for stage in networks:
        found[f"lite0@{stage.pixels}{'!' * (stage.pixels == finest)}"] = _which(stage)
    return found | _asked_later(config.stages[2:]) | recipe_values(config.recipe)


def _which(stage: Stage) -> str:
    """What a stage takes of its network: the inverse of `_stage`."""
    outputs = tuple(output for output in stage.outputs if "+" not in output)
    return next((name for name, taken in OUTPUTS.items() if taken == (stage.backbone, outputs)), "others")


def _asked_later(stages: Sequence[Stage]) -> dict[str, Any]:
    """Answers of `Continued`: what comes after the first pass."""
    backbones = {stage.backbone for stage in stages}
    found: dict[str, Any] = {f"then {name}": name in backbones for name in ("pixels", "motion")}
    found |= {f"then lite0@{size}": _NONE for size in (64, *Continued.sizes)}
    for stage in stages:
        if stage.backbone not in PLAIN:
            found[f"then lite0@{stage.pixels}"] = _which(stage)
    return found


PAPER = Space("paper", sizes=(), networks=PAPER_NETWORKS, modern=False)
FROZEN = Space("frozen")
ALL = Space("all", networks=(*MODERN, *PAPER_NETWORKS))
SPACES: Mapping[str, Space] = {space.name: space for space in (PAPER, FROZEN, ALL, Continued())}
"""paper: section 5.4, the network among the choices. frozen: stages alone. all: both, and what came since. fit: what
`fit` can go on with."""


def find_space(name: str, kind: Kind = "image", networks: Sequence[str] = ()) -> Space:
    """A named space for tasks of a kind. networks: only these of its networks, `resnet18` or `resnet18@128`.

    Raises BadInput for names that it does not have.
    """
    if name not in SPACES:
        raise BadInput(f"there is no space {name!r}: there are {', '.join(SPACES)}")
    space = replace(SPACES[name], kind=kind)
    return replace(space, networks=tuple(_only(space, asked) for asked in networks)) if networks else space


def _only(space: Space, asked: str) -> Network:
    wanted, _, size = asked.partition("@")
    for network in space.networks:
        if network.name == wanted and (not size or size in map(str, network.pixels)):
            return replace(network, pixels=(int(size),)) if size else network
    known = ", ".join(network.name for network in space.networks) or "none"
    raise BadInput(f"the space {space.name!r} trains no network {asked!r}: it has {known}")
