"""Consecutive frames, unchanged: the baseline of every comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam2_probe.transforms.overlay import base_clip

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.draw import Draw
    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.options import Option
    from napari_sam2_probe.transforms.recipe import Distractor, Recipe

OPTIONS: Mapping[str, Option] = {}


def plan(draw: Draw) -> tuple[Distractor, ...]:
    """Return no foreign footage."""
    return ()


def make(recipe: Recipe, footage: Footage) -> Clip:
    """Return the base as it is."""
    return base_clip(footage, recipe)
