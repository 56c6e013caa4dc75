"""The clip backwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.transforms.extras.order import take_frames

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.options import Option
    from napari_sam2_probe.transforms.recipe import OptionValue

OPTIONS: Mapping[str, Option] = {}


def apply(clip: Clip, options: Mapping[str, OptionValue], rng: np.random.Generator) -> Clip:
    """Return the last frame first."""
    return take_frames(clip, np.arange(clip.num_frames)[::-1])
