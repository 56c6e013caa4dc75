"""Videos and masks as they come in: DAVIS and kindred layouts, image folders, video files, arrays.

`open_video` opens any of them as a `Video`: frames in the one shape of `FrameSource`, true masks where there are some.
"""

from napari_sam2_probe.video.array import ArraySource
from napari_sam2_probe.video.davis import DavisDataset
from napari_sam2_probe.video.file import VideoFileSource
from napari_sam2_probe.video.folder import FolderSource
from napari_sam2_probe.video.layout import find_annotations
from napari_sam2_probe.video.masks import (
    VOID,
    check_mask_size,
    davis_palette,
    is_void,
    object_ids,
    read_mask,
    write_mask,
)
from napari_sam2_probe.video.open import open_video
from napari_sam2_probe.video.source import FrameSource, IntensityScaling
from napari_sam2_probe.video.truth import ClipTruth
from napari_sam2_probe.video.video import Video

__all__ = [
    "VOID",
    "ArraySource",
    "ClipTruth",
    "DavisDataset",
    "FolderSource",
    "FrameSource",
    "IntensityScaling",
    "Video",
    "VideoFileSource",
    "check_mask_size",
    "davis_palette",
    "find_annotations",
    "is_void",
    "object_ids",
    "open_video",
    "read_mask",
    "write_mask",
]
