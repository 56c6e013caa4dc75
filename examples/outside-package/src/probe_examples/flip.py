"""A kind of clip: the frame is mirrored in the interjection, so that the object jumps to the other side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from PIL import ImageOps

from napari_sam2_probe.transforms import Transform, base_clip

if TYPE_CHECKING:
    from PIL import Image

    from napari_sam2_probe.transforms import Clip, Footage, Recipe


@dataclass(frozen=True)
class FlipOptions:
    """What is mirrored: right and left, or above and below."""

    axis: Literal["sideways", "upside-down"] = "sideways"


class Flip(Transform[FlipOptions]):
    """Object and context change sides for a while, and change back."""

    name = "flip"
    title = "Flip"
    description = "the frame mirrored in the middle"
    options_type = FlipOptions
    # The rest says what is true of most kinds, so it could be left out.
    object_present = "always"
    keeps_time = True

    def render(self, recipe: Recipe, footage: Footage, options: FlipOptions) -> Clip:
        """Return the base, mirrored in the interjection, with the object's mask."""
        clip = base_clip(footage, recipe)
        mirror = ImageOps.mirror if options.axis == "sideways" else ImageOps.flip
        for t in recipe.interjection:
            clip.masks[t] = clip.masks[t, :, ::-1] if options.axis == "sideways" else clip.masks[t, ::-1]

        def draw_frame(t: int) -> Image.Image:
            frame = clip.draw_frame(t)
            return mirror(frame) if t in recipe.interjection else frame

        # These frames and masks are no longer those of the base: they must be encoded again.
        for intact in (clip.intact_frames, clip.intact_masks):
            if intact is not None:
                intact[list(recipe.interjection)] = False
        return replace(clip, draw_frame=draw_frame)
