"""Another object vanishes, the object of interest stays: what every claim about the object has to beat.

The object that is pasted is drawn as for `object-removal`, with the same size, path and moment of vanishing, in most
clips the very same; but the object of interest is the base's own. Draws that would cover it are passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam2_probe.transforms.kind import Transform
from napari_sam2_probe.transforms.kinds.object_removal import draw_pasted, nothing_to_paste
from napari_sam2_probe.transforms.options import NoOptions
from napari_sam2_probe.transforms.overlay import overlay_clip
from napari_sam2_probe.transforms.paths import estimate_obscured, is_visible_at_start

if TYPE_CHECKING:
    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.draw import SamplingContext
    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.recipe import Distractor, Recipe

# How much of the object of interest may be covered, on the estimate, before another place is looked for.
_LARGEST_COVER = 0.1


class OtherRemoved(Transform[NoOptions]):
    """A pasted object that is not of interest and is away for a while."""

    name = "other-removed"
    title = "Other removed"
    description = "another object, pasted, is gone in the middle; the object of interest stays"
    masks_of_others = True
    kept = "other-kept"
    # Of object removal, so that the same object goes the same way.
    stream = 2

    def count_others(self, options: NoOptions) -> int:
        """Return 1: the sequence that the other object is cut out of."""
        return 1

    def draw(self, context: SamplingContext, options: NoOptions) -> tuple[Distractor, ...]:
        """Draw an object as object removal does; of those that cover the object of interest, what covers it least.

        Raises
        ------
        InputError
            If no path in the frame is found that leaves the object of interest to be seen at the start.
        """
        least: tuple[float, Distractor] | None = None
        for distractor in draw_pasted(context):
            estimate = estimate_obscured(context, [distractor])
            cover = float(estimate[:, 0].max())
            if not is_visible_at_start(estimate):
                continue
            if least is None or cover < least[0]:
                least = cover, distractor
            if cover <= _LARGEST_COVER:
                break
        if least is None:
            raise nothing_to_paste(context)
        return (least[1],)

    def render(self, recipe: Recipe, footage: Footage, options: NoOptions) -> Clip:
        """Return the base with the other object pasted in prefix and suffix."""
        return overlay_clip(footage, recipe, [None], without=recipe.interjection)
