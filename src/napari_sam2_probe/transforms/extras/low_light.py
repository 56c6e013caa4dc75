"""A dark exposure: less light, so fewer photons and visible shot noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.transforms.options import Number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.options import Option
    from napari_sam2_probe.transforms.recipe import OptionValue

OPTIONS: Mapping[str, Option] = {"light": Number(0.1, 0.001, 1.0), "photons": Number(2000.0, 1.0, 1e6)}
"""``light``: share of the light that is left. ``photons``: how many a white pixel gets in full light."""

# Gray levels are about the 2.2th root of light.
_GAMMA = 2.2


def apply(clip: Clip, options: Mapping[str, OptionValue], rng: np.random.Generator) -> Clip:
    """Return the clip as a darker exposure; masks stay."""
    photons = float(options["photons"])
    expected = ((np.arange(256) / 255) ** _GAMMA * float(options["light"]) * photons).astype(np.float32)
    frames = np.empty_like(clip.frames)
    for t, frame in enumerate(clip.frames):
        mean = expected[frame]
        # The normal distribution with the variance of a Poisson one: the same at these counts, and far faster.
        seen = mean + np.sqrt(mean) * rng.standard_normal(frame.shape, np.float32)
        frames[t] = np.rint(255 * np.clip(seen / np.float32(photons), 0, 1) ** np.float32(1 / _GAMMA))
    return clip.with_frames(frames)
