"""Made clips as napari layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.gui.adding import add_in_turns
from napari_sam2_probe.gui.layers import METADATA_KEY
from napari_sam2_probe.gui.state import VideoEntry
from napari_sam2_probe.gui.videos import use_video, video_layers
from napari_sam2_probe.video.truth import OBJECT_OF_INTEREST

if TYPE_CHECKING:
    import napari

    from napari_sam2_probe.gui.layers import LayerData
    from napari_sam2_probe.transforms.maker import MadeClip

GAP = 0.03
"""Between a clip and its twin, as a share of the width."""


def clip_layers(made: MadeClip, *, right_of: int = 0) -> list[LayerData]:
    """Return a clip's video and masks.

    The metadata of both hold the `Video` (as ``video`` and ``frames``). Its ``truth`` says for every frame if object
    and context are there and how much is obscured, and has the recipe. The features of the masks sum that up for the
    object of interest: ``frames_present``, ``frames_absent``, ``mean_obscured_fraction`` and ``max_obscured_fraction``.

    Parameters
    ----------
    made
        The clip.
    right_of
        The width of a video at the origin that the clip is to stand beside; 0 for none.
    """
    shown = made.video()
    (video, video_keywords, _), (masks, masks_keywords, _) = video_layers(shown)
    for keywords in (video_keywords, masks_keywords):
        keywords["translate"] = (0, 0, right_of * (1 + GAP))
    masks_keywords["features"] = _features(made)
    return [(video, video_keywords, "image"), (masks, masks_keywords, "labels")]


def add_clip(viewer: napari.Viewer, made: MadeClip, twin: MadeClip | None) -> VideoEntry:
    """Add a clip to the viewer, some turns later its clean twin beside it, and work on the clip."""
    layers = clip_layers(made)
    if twin is not None:
        layers += clip_layers(twin, right_of=made.clip.frames.shape[2])
    layer = add_in_turns(viewer, layers, lambda _: viewer.reset_view())
    entry = use_video(viewer, VideoEntry(layer, layer.metadata[METADATA_KEY]["video"]))
    viewer.dims.set_current_step(0, 0)
    viewer.reset_view()
    return entry


def _features(made: MadeClip) -> dict[str, Any]:
    present, obscured = made.clip.object_present, made.clip.obscured_fraction
    known = obscured[np.isfinite(obscured)]
    values = {
        "frames_present": int(present.sum()),
        "frames_absent": int((~present).sum()),
        "mean_obscured_fraction": float(known.mean()) if known.size else np.nan,
        "max_obscured_fraction": float(known.max()) if known.size else np.nan,
    }
    # napari looks features up by label: the row of the background comes first.
    return {"index": [0, OBJECT_OF_INTEREST], **{name: [np.nan, value] for name, value in values.items()}}
