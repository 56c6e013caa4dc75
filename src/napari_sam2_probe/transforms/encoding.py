"""Frames and masks of clips as the bytes of their files; what several clips share is encoded once."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.transforms.recent import Recent
from napari_sam2_probe.video.masks import one_object_file

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.recipe import Recipe

# Every kind is encoded alike. Subsampling 0 is 4:4:4.
_JPEG: dict[str, Any] = {"format": "JPEG", "quality": 95, "subsampling": 0}
_PNG: dict[str, Any] = {"format": "PNG", "compress_level": 1}


class Encoder:
    """Encodes the clips of one data set, one after the other.

    A frame that is shown as its sequence has it is the same file in every clip, and so are the masks that nothing
    hides and those of no object. Clips that share a base follow each other, so a little memory holds them.

    Parameters
    ----------
    lossless
        Frames as PNG instead of JPEG.
    memory_bytes
        How much memory encoded files may take; 0 to keep none.
    """

    def __init__(self, lossless: bool = False, memory_bytes: int = 64 * 2**20) -> None:
        self._how = _PNG if lossless else _JPEG
        self._files: Recent[memoryview] = Recent(memory_bytes)

    def frame(self, clip: Clip, frame_idx: int) -> memoryview:
        """Return the file of a frame."""
        key: Hashable | None = None
        if clip.intact_frames is not None and clip.intact_frames[frame_idx]:
            size = clip.masks.shape[1:]
            key = ("frame", clip.source_sequence[frame_idx], int(clip.source_frame[frame_idx]), size)

        def encode() -> memoryview:
            file = io.BytesIO()
            clip.draw_frame(frame_idx).save(file, **self._how)
            return file.getbuffer()

        return self._kept(key, encode)

    def mask(self, clip: Clip, frame_idx: int, recipe: Recipe) -> memoryview:
        """Return the file of a mask."""
        mask = clip.masks[frame_idx]
        key: Hashable | None = None
        if not mask.any():
            key = ("no object", mask.shape)
        elif clip.intact_masks is not None and clip.intact_masks[frame_idx]:
            key = ("mask", clip.source_sequence[frame_idx], int(clip.source_frame[frame_idx]), recipe.base.object_id)
        return self._kept(key, lambda: memoryview(one_object_file(mask)))

    def _kept(self, key: Hashable | None, encode: Callable[[], memoryview]) -> memoryview:
        return encode() if key is None else self._files.get(key, encode)
