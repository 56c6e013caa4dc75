"""The same scene at another time: a cut there and back, with the object of interest on both sides of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.transforms.kind import Transform
from napari_sam2_probe.transforms.options import NoOptions
from napari_sam2_probe.transforms.overlay import base_clip
from napari_sam2_probe.transforms.recipe import Distractor

if TYPE_CHECKING:
    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.draw import SamplingContext
    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.recipe import Recipe

# Frames between what is shown and what it replaces, where the video is long enough.
_LEAST_JUMP = 12


class SceneCut(Transform[NoOptions]):
    """Frames of the same video at another time."""

    name = "scene-cut"
    title = "Scene cut"
    description = "frames of the same video at another time in the middle; the object is there"
    keeps_time = False
    kept = "clean"

    def draw(self, context: SamplingContext, options: NoOptions) -> tuple[Distractor, ...]:
        """Draw frames with the object from elsewhere in the video; in a short video those that are farthest."""
        prefix, count, _ = context.lengths
        if not count:
            return ()
        starts = context.base_track.windows(count).present
        away = np.abs(starts - (context.base.start + prefix))
        choices = starts[away >= min(_LEAST_JUMP, int(away.max()))]
        start = int(choices[int(context.rng.integers(len(choices)))])
        return (Distractor(context.base.sequence, start),)

    def render(self, recipe: Recipe, footage: Footage, options: NoOptions) -> Clip:
        """Return the base with these frames in the interjection."""
        clip, base = base_clip(footage, recipe), recipe.base
        source_frame = clip.source_frame.copy()
        for elsewhere in recipe.distractors:
            source_frame[recipe.interjection.start : recipe.interjection.stop] = elsewhere.start + np.arange(
                recipe.lengths[1]
            )
            for t in recipe.interjection:
                clip.masks[t] = footage.object_mask(base.sequence, int(source_frame[t]), base.object_id)
        return replace(
            clip,
            draw_frame=lambda t: footage.frame(base.sequence, int(source_frame[t])),
            source_frame=source_frame,
        )
