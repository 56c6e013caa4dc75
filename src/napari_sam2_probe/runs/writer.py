"""A probe run as it grows on disk: each frame is written when it is done (SPEC 8)."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.files import atomic_path, atomic_write_text, disk_error
from napari_sam2_probe.runs.run import STATISTICS

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from numpy.typing import NDArray

    from napari_sam2_probe.probe.recorder import FrameRecord
    from napari_sam2_probe.tracking.observer import PassKind

FORMAT = "napari-sam2-probe run 1"
STORE = "probe.zarr"
FEATURES = "features.csv"
INFO = "run.json"

STALE = 255
"""Status of features (``status/features``) that must be computed again."""

_FLUSH_SECONDS = 2.0


class RunWriter:
    """Writes one run.

    Masks and maps go to disk frame by frame. The small arrays (pointers, scores, flags) are one chunk each and are
    written every two seconds and at the end, after the frames they speak of; `tracked` tells which frames are whole.

    Parameters
    ----------
    path
        The run's folder, which must not exist yet.
    obj_ids
        The O objects.
    shape
        (T, H, W) of the video.
    pointer_size
        Channels of an object pointer, C.
    info
        What ``run.json`` says; `finished` and the format are added.

    Raises
    ------
    InputError
        If the folder exists.
    ResourceError
        If the disk is full.
    """

    def __init__(
        self,
        path: Path | str,
        obj_ids: tuple[int, ...],
        shape: tuple[int, int, int],
        pointer_size: int,
        info: dict[str, Any],
    ) -> None:
        import zarr

        self.path = Path(path)
        check_free(self.path)
        self.info = {"format": FORMAT, "finished": False, **info}
        self._obj_index = {obj_id: index for index, obj_id in enumerate(obj_ids)}
        num_objects, num_frames = len(obj_ids), shape[0]
        with _disk(self.path):
            self.path.mkdir(parents=True)
            self._write_info()
            self._store = zarr.create_group(self.path / STORE)
            self._array("object_ids", (num_objects,), "int64", fill=0)[:] = np.array(obj_ids)
            self._masks = self._array("masks", shape, "uint16", chunks=(1, *shape[1:]), fill=0)
            self._masks_per_object = self._array(
                "masks_per_object", (num_objects, *shape), "bool", chunks=(1, 1, *shape[1:]), fill=False
            )
        table = (num_objects, num_frames)
        self._small: dict[str, NDArray[Any]] = {
            "object_scores": np.full(table, np.nan, np.float32),
            "predicted_iou": np.full(table, np.nan, np.float32),
            "prompted": np.zeros(table, bool),
            "tracked": np.zeros(table, bool),
            "object_present": np.zeros(table, bool),
            "object_pointer": np.full((*table, pointer_size), np.nan, np.float32),
            "object_pointer_raw": np.full((*table, pointer_size), np.nan, np.float32),
        }
        self._written: dict[str, Any] = {}
        self._maps: dict[str, Any] = {}
        self._last_flush = time.monotonic()

    def write_frame(
        self,
        frame_idx: int,
        labels: NDArray[np.uint16],
        masks: NDArray[np.bool_],
        *,
        object_scores: NDArray[np.float32],
        predicted_iou: NDArray[np.float32],
        prompted: Iterable[bool],
        object_present: Iterable[bool],
    ) -> None:
        """Write one frame's masks (H, W) and (O, H, W), and note its numbers (O,), objects in the order of the run."""
        with _disk(self.path):
            self._masks[frame_idx] = labels
            self._masks_per_object[:, frame_idx] = masks
        column = (slice(None), frame_idx)
        self._small["object_scores"][column] = object_scores
        self._small["predicted_iou"][column] = predicted_iou
        self._small["prompted"][column] = list(prompted)
        self._small["object_present"][column] = list(object_present)
        self._small["tracked"][column] = True
        if time.monotonic() - self._last_flush > _FLUSH_SECONDS:
            self.flush()

    def write_records(self, records: Iterable[FrameRecord]) -> None:
        """Write what was seen of frames; a frame that is seen again is overwritten."""
        with _disk(self.path):
            for record in records:
                at = (self._obj_index[record.obj_id], record.frame_idx)
                for key, maps in record.maps.items():
                    for statistic, array in zip(STATISTICS, maps, strict=True):
                        self._map(f"maps/{key}/{statistic}", array.shape)[at] = array
                    self._note_status(key, at, record.kind)
                for key, pointer in record.pointers.items():
                    self._small[key][at] = pointer
                    self._note_status(key, at, record.kind)

    def write_features(self, table: pd.DataFrame, stale: NDArray[np.bool_]) -> None:
        """Write the features, and which (O, T) of them must be computed again."""
        self._small["status/features"] = np.where(stale, np.uint8(STALE), np.uint8(0))
        with _disk(self.path), atomic_path(self.path / FEATURES) as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")

    def flush(self) -> None:
        """Write the small arrays as they are now."""
        with _disk(self.path):
            for name, values in self._small.items():
                if name not in self._written:
                    fill = np.nan if values.dtype == np.float32 else 0
                    self._written[name] = self._array(_place(name), values.shape, str(values.dtype), fill=fill)
                self._written[name][:] = values
        self._last_flush = time.monotonic()

    def update_info(self, **changes: Any) -> None:
        """Change what ``run.json`` says."""
        self.info |= changes
        self._write_info()

    def finish(self, **changes: Any) -> None:
        """Write what is left and mark the run as finished."""
        self.flush()
        self.update_info(finished=True, **changes)

    def _array(
        self, name: str, shape: tuple[int, ...], dtype: str, *, fill: Any, chunks: tuple[int, ...] | None = None
    ) -> Any:
        return self._store.create_array(name, shape=shape, dtype=dtype, chunks=chunks or shape, fill_value=fill)

    def _map(self, name: str, shape: tuple[int, ...]) -> Any:
        if name not in self._maps:
            num_objects, num_frames = self._small["tracked"].shape
            self._maps[name] = self._array(
                name, (num_objects, num_frames, *shape), "float32", chunks=(1, 1, *shape), fill=np.nan
            )
        return self._maps[name]

    def _note_status(self, key: str, at: tuple[int, int], kind: PassKind) -> None:
        name = f"status/{key}"
        if name not in self._small:
            self._small[name] = np.zeros(self._small["tracked"].shape, np.uint8)
        self._small[name][at] = kind

    def _write_info(self) -> None:
        atomic_write_text(self.path / INFO, json.dumps(self.info, indent=2) + "\n")


def check_free(path: Path) -> None:
    """Make sure that nothing is at `path`.

    Raises
    ------
    InputError
        If something is.
    """
    if path.exists():
        raise InputError(f"{path} exists already: name another folder for the run, or remove this one.")


def _place(name: str) -> str:
    # On disk the pointers' arrays have plural names (SPEC 8).
    return {"object_pointer": "object_pointers", "object_pointer_raw": "object_pointers_raw"}.get(name, name)


class _disk:
    """Say in words when the disk is full."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            said = disk_error(error, self._path)
            if said is not error:
                raise said from error
