"""Maps of the channel-wise mean and variance: one zarr store, or a TIFF for each map over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.output import atomic_folder
from napari_sam2_probe.common.progress import Progress
from napari_sam2_probe.export.tiff import tiff_stack
from napari_sam2_probe.probe.positions import BY_KEY, STATISTICS, Position, Statistic
from napari_sam2_probe.runs.zarr_store import make_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam2_probe.runs.run import ProbeRun

_WHAT = "exporting maps"


def maps_as_zarr(run: ProbeRun, out: Path) -> Iterator[Progress]:
    """Write a zarr store with ``<key>/<mean|variance>``, (O, T, h, w) float32, NaN where nothing ran.

    ``object_ids`` and ``video_shape`` are attributes of the store, ``position`` (its number) and ``title`` of each
    position's group.
    """
    recorded = _recorded(run)
    with atomic_folder(out) as folder:
        store = make_store(folder)
        store.attrs.update({"object_ids": run.object_ids.tolist(), "video_shape": list(run.masks.shape)})
        done, total = 0, len(recorded) * len(STATISTICS) * run.num_frames
        for position in recorded:
            group = store.create_group(position.key)
            group.attrs.update({"position": position.number, "title": position.title})
            for statistic in STATISTICS:
                maps = run.maps(position.key, statistic)
                copy = group.create_array(
                    statistic, shape=maps.shape, dtype=maps.dtype, chunks=maps.chunks, fill_value=np.nan
                )
                for frame_idx in range(run.num_frames):
                    yield Progress(done, total, _WHAT, "frame")
                    done += 1
                    if run.tracked[:, frame_idx].any():
                        copy[:, frame_idx] = maps[:, frame_idx]


def maps_as_tiff(run: ProbeRun, out: Path) -> Iterator[Progress]:
    """Write ``object-<id>_<position>_<key>_<statistic>.tif`` into a folder, each (T, h, w) float32."""
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
    with tiff_stack(folder / name, run.num_frames, maps.shape[2:]) as append:
        for frame_idx in range(run.num_frames):
            yield Progress(before * run.num_frames + frame_idx, stacks * run.num_frames, _WHAT, "frame")
            append(np.asarray(maps[obj_idx, frame_idx], np.float32))


def _recorded(run: ProbeRun) -> list[Position]:
    recorded = [BY_KEY[key] for key in run.map_keys]
    if not recorded:
        raise InputError(f"The run {run.path} holds no maps: make it again and keep them.")
    return recorded
