"""What the fields of a configuration may be, and the sentence that says so when one is not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from headstart.errors import BadConfig

Rule = tuple[Callable[[Any], bool], str]
Rules = Mapping[str, Rule]
"""Of each field: whether a value holds, and what is allowed, in words."""


def check(thing: object, rules: Rules, what: str) -> None:
    """Raises BadConfig for the first field of `thing` that does not hold. what: "a stage", "a recipe"."""
    for key, (holds, allowed) in rules.items():
        value = getattr(thing, key)
        if not holds(value):
            raise bad(key, value, what, allowed)


def bad(key: str, value: object, what: str, allowed: str) -> BadConfig:
    """The error that names the field, its value and what is allowed."""
    return BadConfig(f'"{key}" of {what} is {show(value)}, but must be {allowed}')


def show(value: object) -> str:
    """A value for a message, cut where it is long."""
    words = repr(list(value) if isinstance(value, tuple) else value)
    return words if len(words) <= 80 else f"{words[:77]}..."


def whole(lowest: int, why: str = "") -> Rule:
    """A whole number from `lowest` on."""
    allowed = f"a whole number, {lowest} or more"
    return lambda value: type(value) is int and value >= lowest, f"{allowed} {why}".rstrip()


def number(lowest: float, highest: float, allowed: str, *, open_below: bool = False) -> Rule:
    """A finite number in a range. open_below: `lowest` itself is not allowed."""

    def holds(value: Any) -> bool:
        if type(value) not in (int, float) or not math.isfinite(value):
            return False
        return bool((value > lowest if open_below else value >= lowest) and value <= highest)

    return holds, f"a number {allowed}"


def one_of(allowed: Sequence[str]) -> Rule:
    """One of some words."""
    return lambda value: type(value) is str and value in allowed, f"one of {', '.join(allowed)}"


def some(holds: Callable[[Any], bool], allowed: str) -> Rule:
    """A tuple of at least one, none of them twice."""

    def all_hold(values: Any) -> bool:
        return type(values) is tuple and all(map(holds, values)) and 0 < len(values) == len(set(values))

    return all_hold, f"a list (in Python a tuple) of one or more different {allowed}"
