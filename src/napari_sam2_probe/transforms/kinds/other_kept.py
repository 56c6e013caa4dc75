"""The clips of `other-removed` with the other object left in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam2_probe.transforms.kinds.other_removed import OtherRemoved
from napari_sam2_probe.transforms.overlay import overlay_clip

if TYPE_CHECKING:
    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.options import NoOptions
    from napari_sam2_probe.transforms.recipe import Recipe


class OtherKept(OtherRemoved):
    """A pasted object that is not of interest and stays."""

    name = "other-kept"
    title = "Other kept"
    description = "the other object of other-removed, never removed"
    kept = ""

    def render(self, recipe: Recipe, footage: Footage, options: NoOptions) -> Clip:
        """Return the base with the other object pasted on all frames."""
        return overlay_clip(footage, recipe, [None])
