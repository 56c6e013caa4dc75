"""Labels layers to files, by napari's own Save Layers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.files import atomic_path
from napari_sam2_probe.common.output import atomic_folder, check_target, os_errors_as_sentences
from napari_sam2_probe.export.tiff import tiff_stack
from napari_sam2_probe.video.masks import object_ids, write_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGEST = np.iinfo(np.uint16).max


def write_davis(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a labels layer (T, Y, X) as a folder of ``%05d.png`` with the DAVIS palette.

    A layer of nothing but 0 and 255 is one object and becomes id 1: in DAVIS, 255 is void.

    Raises
    ------
    InputError
        If the layer is not such a video of labels, or `path` holds something else.
    """
    labels = _checked(data, meta)
    out = Path(path)
    check_target(out, overwrite=True, suffixes={".png"})
    frames = (_frame(labels, frame_idx, meta) for frame_idx in range(labels.shape[0]))
    is_binary = all(not object_ids(frame) for frame in frames)
    with atomic_folder(out) as folder:
        for frame_idx in range(labels.shape[0]):
            frame = _frame(labels, frame_idx, meta)
            write_mask(folder / f"{frame_idx:05d}.png", frame != 0 if is_binary else frame)
    return [path]


def write_tiff(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a labels layer (T, Y, X) as one compressed uint16 TIFF.

    Raises
    ------
    InputError
        If the layer is not such a video of labels.
    """
    labels = _checked(data, meta)
    out = Path(path)
    with (
        os_errors_as_sentences(out),
        atomic_path(out) as temporary,
        tiff_stack(temporary, len(labels), labels.shape[1:]) as append,
    ):
        for frame_idx in range(labels.shape[0]):
            append(_frame(labels, frame_idx, meta).astype(np.uint16))
    return [path]


def _checked(data: Any, meta: dict[str, Any]) -> Any:
    # A multiscale layer comes as a list of levels, finest first.
    labels = data if hasattr(data, "ndim") else data[0]
    if labels.ndim != 3:
        raise InputError(
            f"The layer {meta.get('name', '')!r} has {labels.ndim} axes: save a labels layer of time, y and x."
        )
    return labels


def _frame(labels: Any, frame_idx: int, meta: dict[str, Any]) -> NDArray[Any]:
    frame = np.asarray(labels[frame_idx])
    if frame.min() < 0 or frame.max() > _LARGEST:
        raise InputError(
            f"The layer {meta.get('name', '')!r} holds ids outside 0 to {_LARGEST} on frame {frame_idx}: relabel it."
        )
    return frame
