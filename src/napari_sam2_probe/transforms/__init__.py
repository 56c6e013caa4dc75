"""From a recipe to a transformed clip: one class a kind, one class a corruption, open to packages from outside.

What is named here is what such a package builds on, and what `make_clip` needs; it is imported when it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.cutout import cut_out
    from napari_sam2_probe.transforms.draw import SamplingContext, draw_frames, draw_source
    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.kind import Corruption, Transform
    from napari_sam2_probe.transforms.options import NoOptions, number
    from napari_sam2_probe.transforms.overlay import base_clip, laid_on, overlay_clip
    from napari_sam2_probe.transforms.pair import make_clip
    from napari_sam2_probe.transforms.recipe import Distractor, Placement, Recipe
    from napari_sam2_probe.transforms.registry import register_corruption, register_transform

__all__ = [
    "Clip",
    "Corruption",
    "Distractor",
    "Footage",
    "NoOptions",
    "Placement",
    "Recipe",
    "SamplingContext",
    "Transform",
    "base_clip",
    "cut_out",
    "draw_frames",
    "draw_source",
    "laid_on",
    "make_clip",
    "number",
    "overlay_clip",
    "register_corruption",
    "register_transform",
]

_HOMES = {
    "clip": ("Clip",),
    "cutout": ("cut_out",),
    "draw": ("SamplingContext", "draw_frames", "draw_source"),
    "footage": ("Footage",),
    "kind": ("Corruption", "Transform"),
    "options": ("NoOptions", "number"),
    "overlay": ("base_clip", "laid_on", "overlay_clip"),
    "pair": ("make_clip",),
    "recipe": ("Distractor", "Placement", "Recipe"),
    "registry": ("register_corruption", "register_transform"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
