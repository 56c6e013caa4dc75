"""Frames left out at random, as of a lossy link or a slow camera."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.transforms.extras.order import take_frames
from napari_sam2_probe.transforms.options import Number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.options import Option
    from napari_sam2_probe.transforms.recipe import OptionValue

OPTIONS: Mapping[str, Option] = {"rate": Number(0.2, 0.0, 0.95)}
"""``rate``: the probability with which a frame is lost."""


def apply(clip: Clip, options: Mapping[str, OptionValue], rng: np.random.Generator) -> Clip:
    """Return the clip without the lost frames; the first, which is prompted, is never lost."""
    kept = rng.random(clip.num_frames) >= float(options["rate"])
    kept[0] = True
    return take_frames(clip, np.flatnonzero(kept))
