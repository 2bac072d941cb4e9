"""What the shared data sets were made from: sets of one source are held out together."""

from __future__ import annotations

from types import MappingProxyType

SOURCES = MappingProxyType(
    {
        "clipart10": "clipart",
        "clipart_full": "clipart",
        "clipart_tags": "clipart",
        "emoji_scenes": "emoji",
        "glyphs_full": "glyphs",
        "mnist5k": "mnist1k",
        "v_camera": "photo_tiles",
    }
)
# Drawn from the same font packages: recognition should tell them apart, but neither may help to choose for the other.
AKIN = MappingProxyType({"script_id": "glyphs"})


def source_of(name: str) -> str:
    """The source of a data set; its own name where it shares none."""
    return SOURCES.get(name, name)


def held_out_with(name: str) -> str:
    """The source that a data set is held out with where configurations are chosen."""
    return AKIN.get(name, source_of(name))
