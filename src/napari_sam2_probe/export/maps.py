"""Maps of the channel-wise mean and variance: one OME-Zarr store, or a TIFF for each map over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.output import atomic_folder
from napari_sam2_probe.common.progress import Progress
from napari_sam2_probe.export.ome_zarr import OmeZarrImage, write_collection
from napari_sam2_probe.export.provenance import provenance
from napari_sam2_probe.export.tiff import tiff_stack
from napari_sam2_probe.figures.maps import display_limits
from napari_sam2_probe.probe.positions import BY_KEY, STATISTICS, Position, Statistic
from napari_sam2_probe.runs.zarr_store import make_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam2_probe.runs.run import ProbeRun

_WHAT = "exporting maps"


def maps_as_zarr(run: ProbeRun, out: Path) -> Iterator[Progress]:
    """Write an OME-Zarr store with an image for each map, which lies over the video in readers that honour its place.

    ``<key>/<mean|variance>`` is an image, and ``<key>/<mean|variance>/0`` its array (T, O, h, w) float32, NaN where
    nothing ran. ``object_ids``, ``video_shape`` and ``made_with`` are attributes of the store, ``position`` (its
    number) and ``title`` of each position's group.
    """
    recorded = _recorded(run)
    video_size = run.masks.shape[1:]
    with atomic_folder(out) as folder:
        store = make_store(folder)
        store.attrs.update(
            {
                "object_ids": run.object_ids.tolist(),
                "video_shape": list(run.masks.shape),
                "fps": run.info.get("video", {}).get("fps"),
                "made_with": provenance(run),
            }
        )
        images: dict[str, tuple[str, tuple[int, int, int, int]]] = {}
        done, total = 0, len(recorded) * len(STATISTICS) * run.num_frames
        for position in recorded:
            group = store.create_group(position.key)
            group.attrs.update({"position": position.number, "title": position.title})
            for statistic in STATISTICS:
                maps = run.maps(position.key, statistic)
                name = f"{position.number} {statistic} of {position.title.lower()}"
                shape = (run.num_frames, len(run.object_ids), *maps.shape[2:])
                image = OmeZarrImage(
                    group.create_group(statistic),
                    name,
                    shape,
                    [f"object {obj_id}" for obj_id in run.object_ids.tolist()],
                    video_size,
                    visible=not images,
                )
                for frame_idx in range(run.num_frames):
                    yield Progress(done, total, _WHAT, "frame")
                    done += 1
                    if run.tracked[:, frame_idx].any():
                        image.write(frame_idx, np.asarray(maps[:, frame_idx], np.float32))
                image.conclude()
                images[f"{position.key}/{statistic}"] = (name, shape)
        write_collection(store, folder, images)


def maps_as_tiff(run: ProbeRun, out: Path) -> Iterator[Progress]:
    """Write ``object-<id>_<position>_<key>_<statistic>.tif`` into a folder, each (T, h, w) float32.

    Fiji reads the pages as time, and gives places in pixels of the video.
    """
    stacks = [
        (obj_idx, position, statistic)
        for obj_idx in range(len(run.object_ids))
        for position in _recorded(run)
        for statistic in STATISTICS
    ]
    with atomic_folder(out) as folder:
        for done, (obj_idx, position, statistic) in enumerate(stacks):
            yield from _write_stack(run, folder, obj_idx, position, statistic, (done, len(stacks)))


def _write_stack(
    run: ProbeRun, folder: Path, obj_idx: int, position: Position, statistic: Statistic, place: tuple[int, int]
) -> Iterator[Progress]:
    maps = run.maps(position.key, statistic)
    name = f"object-{run.object_ids[obj_idx]}_{position.number}_{position.key}_{statistic}.tif"
    before, stacks = place
    tracked = np.flatnonzero(run.tracked[obj_idx]).tolist()
    # A picture from the middle of what was tracked: the first is prompted, and out of the ordinary.
    limits = display_limits([maps[obj_idx, tracked[len(tracked) // 2]]]) if tracked else None
    with tiff_stack(
        folder / name,
        run.num_frames,
        maps.shape[2:],
        video_size=run.masks.shape[1:],
        fps=run.info.get("video", {}).get("fps"),
        limits=limits,
        about=provenance(run),
    ) as append:
        for frame_idx in range(run.num_frames):
            yield Progress(before * run.num_frames + frame_idx, stacks * run.num_frames, _WHAT, "frame")
            append(np.asarray(maps[obj_idx, frame_idx], np.float32))


def _recorded(run: ProbeRun) -> list[Position]:
    recorded = [BY_KEY[key] for key in run.map_keys]
    if not recorded:
        raise InputError(f"The run {run.path} holds no maps: make it again and keep them.")
    return recorded
