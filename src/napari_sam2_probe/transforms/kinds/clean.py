"""Consecutive frames, unchanged: the baseline of every comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam2_probe.transforms.kind import Transform
from napari_sam2_probe.transforms.options import NoOptions
from napari_sam2_probe.transforms.overlay import base_clip

if TYPE_CHECKING:
    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.recipe import Recipe


class Clean(Transform[NoOptions]):
    """The base as it is."""

    name = "clean"
    title = "Clean"
    description = "consecutive frames, unchanged"
    section = "3.1"
    stream = 0

    def render(self, recipe: Recipe, footage: Footage, options: NoOptions) -> Clip:
        """Return the base."""
        return base_clip(footage, recipe)
