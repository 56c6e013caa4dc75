"""From a recipe to a clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.transforms.footage import Footage
from napari_sam2_probe.transforms.registry import CORRUPTIONS, KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.recipe import Recipe
    from napari_sam2_probe.video.video import Video

# Random streams of one clip: the base, the kind's own draws, and one for each corruption.
BASE_STREAM, KIND_STREAM, EXTRA_STREAM = range(3)


def render_clip(recipe: Recipe, dataset: Mapping[str, Video] | Footage) -> Clip:
    """Make the clip of a recipe. The same recipe gives the same pixels.

    Parameters
    ----------
    recipe
        What to make.
    dataset
        The data set whose sequences the recipe names, by name; as `Footage`, decoded frames
        are kept for the next clip.

    Returns
    -------
    Clip
        Frames and masks as they are before encoding, of the base's size.

    Raises
    ------
    InputError
        If a sequence or a frame can't be read, or the recipe names a kind or a corruption that doesn't exist.
    """
    clip = compose_clip(recipe, dataset if isinstance(dataset, Footage) else Footage(dataset))
    _ = clip.frames
    return clip


def compose_clip(recipe: Recipe, footage: Footage) -> Clip:
    """Do what `render_clip` does, but leave frames to be drawn one by one when asked for, if no corruption is."""
    kind = KINDS.find(recipe.kind)
    clip = kind.render(recipe, footage, kind.typed(recipe.options))
    for step, spec in enumerate(recipe.then):
        rng = np.random.default_rng([recipe.seed, recipe.number, EXTRA_STREAM, step])
        corruption = CORRUPTIONS.find(spec.name)
        clip = corruption.apply(clip, corruption.typed(spec.options), rng)
    return clip
