"""The clips of object removal with the object left in: what happens where nothing happens.

The same recipe as `object-removal` of the same number, pixel for pixel, but for the frames from which the object is
removed there. Distances that only grow because references stand still, grow here too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam2_probe.transforms.kinds.object_removal import ObjectRemoval, pasted_clip

if TYPE_CHECKING:
    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.options import NoOptions
    from napari_sam2_probe.transforms.recipe import Recipe


class ObjectKept(ObjectRemoval):
    """A pasted object of interest that stays."""

    name = "object-kept"
    title = "Object kept"
    description = "the pasted object of object-removal, never removed"
    object_present = "always"
    kept = ""
    section = ""

    def render(self, recipe: Recipe, footage: Footage, options: NoOptions) -> Clip:
        """Return the base with the object pasted on all frames."""
        return pasted_clip(footage, recipe)
