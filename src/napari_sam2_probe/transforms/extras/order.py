"""Some of a clip's frames, in another order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam2_probe.transforms.clip import Clip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def take_frames(clip: Clip, frame_indices: NDArray[np.int64]) -> Clip:
    """Return the clip that consists of these frames of `clip`, with all that is known of them."""
    return Clip(
        draw_frame=lambda t: clip.draw_frame(int(frame_indices[t])),
        masks=clip.masks[frame_indices],
        object_present=clip.object_present[frame_indices],
        context_present=clip.context_present[frame_indices],
        obscured_fraction=clip.obscured_fraction[frame_indices],
        source_sequence=tuple(clip.source_sequence[t] for t in frame_indices.tolist()),
        source_frame=clip.source_frame[frame_indices],
    )
