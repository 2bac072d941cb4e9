"""A cost table as JSON: versioned, with a checksum over what it says."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

from headstart.errors import BadInput
from headstart.words.costs import Cost, CostTable, Point

FORMAT = 1
_ENTRIES = {"rows": Cost, "points": Point}
_KEYS = ("format", "about", *_ENTRIES, "sha256")
_NUMBER = ((float, int), "a number")
_WHOLE = ((int,), "a whole number")
_FIELDS: dict[str, tuple[tuple[type, ...], str]] = {
    "kind": ((str,), "text"),
    "name": ((str,), "text"),
    "size": _WHOLE,
    "n": _WHOLE,
    "fixed": _NUMBER,
    "per_item": _NUMBER,
    "seconds": _NUMBER,
    "repeats": _WHOLE,
    "spread": _NUMBER,
}
_NEEDED = {
    "rows": ("kind", "name", "size", "fixed", "per_item"),
    "points": ("kind", "name", "size", "n", "seconds"),
}
_MAY = ("repeats", "spread")


def encoded(table: CostTable) -> str:
    """The table as one JSON object, an entry a line, with the checksum of all the rest."""
    content: dict[str, Any] = {"format": FORMAT, "about": dict(table.about)}
    for part, needed in _NEEDED.items():
        content[part] = [
            {key: getattr(entry, key) for key in (*needed, *_MAY)} for entry in getattr(table, part)
        ]
    digest = _digest(content)
    lines = [f' "format": {FORMAT}', f' "about": {json.dumps(content["about"], sort_keys=True)}']
    for part in _NEEDED:
        inside = ",\n".join(f"  {json.dumps(entry)}" for entry in content[part])
        lines.append(f' "{part}": [\n{inside}\n ]' if inside else f' "{part}": []')
    return "{\n" + ",\n".join([*lines, f' "sha256": "{digest}"']) + "\n}\n"


def _digest(content: dict[str, Any]) -> str:
    """Of the values, however they are laid out in the file."""
    kept = {key: value for key, value in content.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def decoded(text: str) -> CostTable:
    """A table from JSON; BadInput names what is wrong. Only "rows" must be there: a table by hand may be short."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"the cost table is not JSON: {error}") from error
    if not (isinstance(content, dict) and isinstance(content.get("rows"), list)):
        raise BadInput('a cost table must be a JSON object with a list "rows"')
    extra = next((key for key in content if key not in _KEYS), None)
    if extra is not None:
        raise BadInput(f"a cost table holds {', '.join(_KEYS)} and nothing else, but not {extra!r:.60}")
    _check_frame(content)
    rows = tuple(Cost(**_read("row", i, entry)) for i, entry in enumerate(content["rows"]))
    points = tuple(Point(**_read("point", i, entry)) for i, entry in enumerate(content.get("points", [])))
    return CostTable(rows, points, content.get("about", {}))


def _check_frame(content: dict[str, Any]) -> None:
    version = content.get("format", FORMAT)
    if type(version) is not int or version != FORMAT:
        raise BadInput(
            f"the cost table is of format {version!r:.20}, and this headstart reads {FORMAT}: calibrate again"
        )
    if not isinstance(content.get("points", []), list) or not isinstance(content.get("about", {}), dict):
        raise BadInput('"points" of a cost table must be a list and "about" an object')
    if "sha256" in content and content["sha256"] != _digest(content):
        raise BadInput(
            "the cost table was changed after it was measured (its checksum differs): calibrate again, or remove "
            '"sha256" to stand for it yourself'
        )


def _read(what: str, number: int, entry: Any) -> dict[str, Any]:
    where, needed = f"{what} {number} (from 0) of the cost table", _NEEDED[f"{what}s"]
    if not isinstance(entry, dict) or set(entry) - set(_MAY) != set(needed):
        raise BadInput(
            f"{where} must be an object that holds exactly {', '.join(needed)} (and {', '.join(_MAY)})"
        )
    values = {}
    for key, value in entry.items():
        types, words = _FIELDS[key]
        if type(value) not in types:
            raise BadInput(f'{where} has {value!r:.60} as "{key}", which must be {words}')
        values[key] = float(str(value)) if types is _NUMBER[0] else value  # text: no int too large
    if not math.isfinite(values.get("spread", 0.0)):
        raise BadInput(f"{where} has a spread that is not finite: measure it again")
    return values
