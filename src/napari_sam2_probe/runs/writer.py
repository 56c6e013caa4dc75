"""A probe run as it grows on disk: each frame is written when it is done."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.files import atomic_path, atomic_write_text
from napari_sam2_probe.common.reading import file_sha256
from napari_sam2_probe.probe.positions import BY_KEY, OBJECT_POINTER, OBJECT_POINTER_RAW, STATISTICS
from napari_sam2_probe.runs.info import INFO
from napari_sam2_probe.runs.layout import FEATURES, FORMAT, STORE, TABLES
from napari_sam2_probe.runs.place import check_new_path, os_errors_as_sentences
from napari_sam2_probe.runs.tables import TRACKED, FrameTables
from napari_sam2_probe.runs.video_path import stated_paths
from napari_sam2_probe.runs.zarr_store import make_array, make_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from napari_sam2_probe.probe.recorder import FrameRecord


STALE = 255
"""Status of features (``status/features``) that must be computed again."""

_FLUSH_SECONDS = 2.0

# Held back while the run grows, so that on a full disk there is room for what can't be computed again.
_RESERVED = ".reserved"
_BYTES_OF_FEATURES = 512  # a frame and object in features.csv
_BYTES_OF_BANK = 512  # the same in bank.parquet
_BYTES_OF_ATTENTION = 4096  # the same in attention.parquet
_BYTES_OF_INFO = 1 << 17


class RunWriter:
    """Writes one run.

    Masks and maps go to disk frame by frame. The tables (pointers, scores, flags) follow every two seconds and at
    the end, after the frames they speak of, and `tracked`, which tells which frames are complete, after all others. So
    whenever the process dies, the run on disk can be opened and no frame looks complete that isn't.

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
        If the folder exists or can't be made.
    ResourceError
        If the disk is full or refuses; every method raises it too.
    """

    def __init__(
        self,
        path: Path | str,
        obj_ids: tuple[int, ...],
        shape: tuple[int, int, int],
        pointer_size: int,
        info: dict[str, Any],
    ) -> None:
        self.path = Path(path)
        check_new_path(self.path)
        self.info = {"format": FORMAT, "finished": False, **info}
        self._obj_index = {obj_id: index for index, obj_id in enumerate(obj_ids)}
        self._num_frames = shape[0]
        self._maps: dict[str, Any] = {}
        self._last_flush = time.monotonic()
        with os_errors_as_sentences(self.path):
            self.path.mkdir(parents=True)
            try:
                self._make_store(obj_ids, shape, pointer_size)
                self._write_info()
            except BaseException:
                self.discard()
                raise

    @property
    def obj_ids(self) -> tuple[int, ...]:
        """The objects in the order of all arrays."""
        return tuple(self._obj_index)

    @property
    def has_frames(self) -> bool:
        """Whether any frame is complete."""
        return bool(self._tables[TRACKED].any())

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
        obj_ids: Sequence[int] | None = None,
    ) -> None:
        """Write one frame's masks (H, W) and (O, H, W), and note its numbers (O,).

        The objects are those of the run in its order, or `obj_ids`; of any other object nothing changes.
        """
        rows = [self._obj_index[obj_id] for obj_id in (self._obj_index if obj_ids is None else obj_ids)]
        with os_errors_as_sentences(self.path):
            self._masks[frame_idx] = labels
            for row, mask in zip(rows, masks, strict=True):
                self._masks_per_object[row, frame_idx] = mask
        self._tables.put("object_scores", rows, frame_idx, object_scores)
        self._tables.put("predicted_iou", rows, frame_idx, predicted_iou)
        self._tables.put("prompted", rows, frame_idx, list(prompted))
        self._tables.put("object_present", rows, frame_idx, list(object_present))
        self._tables.put(TRACKED, rows, frame_idx, True)
        if time.monotonic() - self._last_flush > _FLUSH_SECONDS:
            self.flush()

    def write_records(self, records: Iterable[FrameRecord]) -> None:
        """Write what was seen of frames; a frame that is seen again is overwritten."""
        with os_errors_as_sentences(self.path):
            for record in records:
                at = (self._obj_index[record.obj_id], record.frame_idx)
                for key, maps in record.maps.items():
                    for statistic, array in zip(STATISTICS, maps, strict=True):
                        self._map(f"maps/{key}/{statistic}", array.shape)[at] = array
                for key, vector in record.vectors.items():
                    self._table(BY_KEY[key].array, np.float32, len(vector))
                    self._tables.put(BY_KEY[key].array, *at, vector)
                for name, number in record.numbers.items():
                    self._table(name, np.float32)
                    self._tables.put(name, *at, number)
                for key in (*record.maps, *record.vectors, *record.tokens):
                    self._table(f"status/{key}", np.uint8)
                    self._tables.put(f"status/{key}", *at, record.kind)

    def add_object(self, obj_id: int) -> None:
        """Make room for another object, of which nothing is known yet; one that is there already is left alone."""
        if obj_id in self._obj_index:
            return
        self._obj_index[obj_id] = len(self._obj_index)
        with os_errors_as_sentences(self.path):
            self._tables.add_object()
            for array in (self._masks_per_object, *self._maps.values()):
                array.resize((len(self._obj_index), *array.shape[1:]))
            # Last, so that whoever reads meanwhile finds everything of the objects that are named.
            ids = self._store["object_ids"]
            ids.resize((len(self._obj_index),))
            ids[-1] = obj_id

    def clear_object(self, obj_id: int) -> None:
        """Take back all that was tracked of an object; it stays in the run as one of which nothing is known."""
        row = self._obj_index[obj_id]
        whole = np.array(self._tables[TRACKED])
        frames = np.flatnonzero(whole[row])
        whole[row] = False
        # First of all its frames are no longer complete; then the pictures follow.
        self._tables.clear_object(row)
        self.flush()
        with os_errors_as_sentences(self.path):
            for frame_idx in frames:
                labels = self._masks[frame_idx]
                labels[labels == obj_id] = 0
                for other_id, other in self._obj_index.items():
                    if whole[other, frame_idx]:
                        # What the object hid of another comes back.
                        labels[(labels == 0) & self._masks_per_object[other, frame_idx]] = other_id
                self._masks[frame_idx] = labels

    def write_features(self, table: pd.DataFrame, stale: NDArray[np.bool_]) -> None:
        """Write the features, and which (O, T) of them must be computed again."""
        with os_errors_as_sentences(self.path), atomic_path(self.path / FEATURES) as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")
        self._tables.fill("status/features", np.where(stale, STALE, 0))
        self.flush()

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Write a table beside the store, as Parquet."""
        with os_errors_as_sentences(self.path), atomic_path(self.path / name) as temporary:
            table.to_parquet(temporary, engine="pyarrow", index=False, write_page_checksum=True)

    def flush(self) -> None:
        """Write the tables as they are now."""
        with os_errors_as_sentences(self.path):
            self._tables.save()
        self._last_flush = time.monotonic()

    def update_info(self, **changes: Any) -> None:
        """Change what ``run.json`` says."""
        self.info |= changes
        with os_errors_as_sentences(self.path):
            self._write_info()

    def release_reserve(self) -> None:
        """Give back the room that was held back for tables and features."""
        (self.path / _RESERVED).unlink(missing_ok=True)

    def finish(self, **changes: Any) -> None:
        """Write what is left and mark the run as finished, with what tells later whether all of it is there."""
        self.release_reserve()
        self.flush()
        self.update_info(finished=True, objects=list(self._obj_index), written=self._written(), **changes)

    def _written(self) -> dict[str, Any]:
        tracked = self._tables[TRACKED].sum(1).tolist()
        files = {name: file_sha256(self.path / name) for name in TABLES if (self.path / name).is_file()}
        return {"tracked": {str(obj_id): tracked[row] for obj_id, row in self._obj_index.items()}, "files": files}

    def discard(self) -> None:
        """Remove the run."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _make_store(self, obj_ids: tuple[int, ...], shape: tuple[int, int, int], pointer_size: int) -> None:
        self._store: Any = make_store(self.path / STORE)
        num_objects, frame_shape = len(obj_ids), shape[1:]
        self._store.create_array("object_ids", data=np.array(obj_ids, np.int64), dimension_names=("object",))
        # Names of dimensions, so that xarray and others read a run without us.
        self._masks: Any = make_array(
            self._store, "masks", shape, np.uint16, (1, *frame_shape), dimensions=("frame", "y", "x")
        )
        self._masks_per_object: Any = make_array(
            self._store,
            "masks_per_object",
            (num_objects, *shape),
            np.bool_,
            (1, 1, *frame_shape),
            fill=False,
            dimensions=("object", "frame", "y", "x"),
        )
        self._tables = FrameTables(self._store, num_objects, shape[0])
        for name in ("object_scores", "predicted_iou"):
            self._tables.add(name, np.float32)
        for name in ("prompted", "object_present", TRACKED):
            self._tables.add(name, np.bool_)
        # These are in every run, also where nothing ran.
        for position in (OBJECT_POINTER, OBJECT_POINTER_RAW):
            self._tables.add(position.array, np.float32, pointer_size)
        self._tables.add("status/features", np.uint8)
        rows = num_objects * shape[0]
        size = (
            _BYTES_OF_INFO
            + rows * (_BYTES_OF_FEATURES + _BYTES_OF_BANK + _BYTES_OF_ATTENTION)
            + self._tables.bytes_at_once
        )
        self._reserve(size)

    def _reserve(self, size: int) -> None:
        with (self.path / _RESERVED).open("ab") as file:
            # Random, so that a file system that compresses holds the room too.
            file.write(os.urandom(size))

    def _table(self, name: str, dtype: type[np.generic], *sizes: int) -> None:
        """Make a table when there is something to put into it for the first time."""
        if name not in self._tables:
            before = self._tables.bytes_at_once
            self._tables.add(name, dtype, *sizes)
            self._reserve(self._tables.bytes_at_once - before)

    def _map(self, name: str, shape: tuple[int, ...]) -> Any:
        if name not in self._maps:
            self._maps[name] = make_array(
                self._store,
                name,
                (len(self._obj_index), self._num_frames, *shape),
                np.float32,
                (1, 1, *shape),
                fill=np.nan,
                dimensions=("object", "frame", "y", "x"),
            )
        return self._maps[name]

    def _write_info(self) -> None:
        info = self.info
        if "path" in info.get("video", {}):
            info = info | {"video": info["video"] | stated_paths(info["video"]["path"], self.path)}
        atomic_write_text(self.path / INFO, json.dumps(info, indent=2) + "\n")
