"""Predicted masks: DAVIS palette PNGs, one TIFF of labels, COCO run lengths. Frames never tracked are left out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.files import atomic_path
from napari_sam2_probe.common.names import inside
from napari_sam2_probe.common.output import atomic_folder, os_errors_as_sentences
from napari_sam2_probe.common.progress import Progress
from napari_sam2_probe.export.provenance import provenance
from napari_sam2_probe.export.rle import compressed, run_lengths
from napari_sam2_probe.export.tiff import tiff_stack
from napari_sam2_probe.video.masks import bounding_box, write_mask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sam2_probe.runs.run import ProbeRun

_WHAT = "exporting masks"


def masks_as_davis(run: ProbeRun, out: Path) -> Iterator[Progress]:
    """Write a PNG a frame into a folder, as `evaluate` reads them: DAVIS palette, or 16-bit gray for ids over 255.

    They are named as the frames of a folder are, else ``%05d.png``.
    """
    with atomic_folder(out) as folder:
        for done, frame_idx in enumerate(_frames(run)):
            yield _progress(done, run)
            write_mask(inside(folder, f"{_name(run, frame_idx)}.png"), run.masks[frame_idx])


def masks_as_tiff(run: ProbeRun, out: Path) -> Iterator[Progress]:
    """Write one TIFF of labels, (T, Y, X) uint16, with all frames of the video (0 where nothing was tracked).

    Fiji reads the pages as time.
    """
    num_frames, height, width = run.masks.shape
    with (
        os_errors_as_sentences(out),
        atomic_path(out) as temporary,
        tiff_stack(
            temporary,
            num_frames,
            (height, width),
            fps=run.info.get("video", {}).get("fps"),
            limits=(0, float(run.object_ids.max())),
            about=provenance(run),
        ) as append,
    ):
        for frame_idx in range(num_frames):
            yield Progress(frame_idx, num_frames, _WHAT, "frame")
            append(np.asarray(run.masks[frame_idx]))


def masks_as_coco(run: ProbeRun, out: Path) -> Iterator[Progress]:
    """Write a COCO JSON: an image a frame, an annotation with compressed run lengths a mask that is not empty.

    ``file_name`` is the frame's in a folder, else ``%05d``, without an ending; ``track_id`` is the object's id,
    ``score`` its predicted IoU where there is one. Masks of objects may overlap.
    """
    _, height, width = run.masks.shape
    images = []
    annotations: list[dict[str, Any]] = []
    for done, frame_idx in enumerate(_frames(run)):
        yield _progress(done, run)
        images.append({"id": frame_idx, "file_name": _name(run, frame_idx), "height": height, "width": width})
        for obj_idx, obj_id in enumerate(run.object_ids.tolist()):
            mask = np.asarray(run.masks_per_object[obj_idx, frame_idx])
            if run.tracked[obj_idx, frame_idx] and mask.any():
                about = {"id": len(annotations) + 1, "image_id": frame_idx, "category_id": 1, "track_id": obj_id}
                annotations.append(about | _described(mask) | _score(run, obj_idx, frame_idx))
    content = {
        "info": {"description": f"Masks predicted by SAM 2. {provenance(run)}."},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "object"}],
    }
    with os_errors_as_sentences(out), atomic_path(out) as temporary:
        temporary.write_text(json.dumps(content) + "\n", encoding="utf-8")


def _described(mask: NDArray[np.bool_]) -> dict[str, Any]:
    left, top, right, bottom = bounding_box(mask)
    return {
        "segmentation": {"size": list(mask.shape), "counts": compressed(run_lengths(mask))},
        "area": int(mask.sum()),
        "bbox": [left, top, right - left, bottom - top],
        "iscrowd": 0,
    }


def _score(run: ProbeRun, obj_idx: int, frame_idx: int) -> dict[str, float]:
    score = float(run.predicted_iou[obj_idx, frame_idx])
    return {} if np.isnan(score) else {"score": score}


def _name(run: ProbeRun, frame_idx: int) -> str:
    names: list[str] | None = run.info.get("video", {}).get("frame_names")
    return f"{frame_idx:05d}" if names is None else names[frame_idx]


def _frames(run: ProbeRun) -> list[int]:
    frames: list[int] = np.flatnonzero(run.tracked.any(axis=0)).tolist()
    return frames


def _progress(done: int, run: ProbeRun) -> Progress:
    return Progress(done, len(_frames(run)), _WHAT, "frame")
