from __future__ import annotations
from dataclasses import dataclass
@dataclass(frozen=True)
class Backbone:
    name: str
    outputs: tuple[tuple[str, int], ...]
BACKBONES = {"lite0": Backbone("lite0", (("d4", 960), ("d7", 1920), ("d10", 2688), ("head", 1280))), "pixels": Backbone("pixels", (("rgb16", 768),))}
def digest(name, precision): return f"{name}-{precision}-lab"
