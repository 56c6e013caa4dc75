"""What a finished (or interrupted) probe run holds, as NumPy arrays and tables. Format: ``docs/run-format.md``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.probe.positions import BY_KEY, Statistic
from napari_sam2_probe.runs.zarr_store import StoredArray
from napari_sam2_probe.video.truth import ClipTruth

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ProbeRun:
    """One clip or video that went through SAM 2, with everything recorded.

    Sizes: O objects, T frames, H x W the video, C pointer channels. Arrays that may be long are zarr arrays:
    index them to read (``run.maps("image_embedding", "mean")[0, 5]``).

    Attributes
    ----------
    path
        The run's folder.
    info
        The contents of ``run.json``.
    object_ids
        (O,) int64.
    object_pointers, object_pointers_raw
        (O, T, C) float32, NaN where nothing ran.
    object_scores
        (O, T) float32 logits, NaN where nothing ran.
    predicted_iou
        (O, T) float32, NaN on mask prompts and where nothing ran.
    prompted, tracked, object_present
        (O, T) bool.
    features
        The table of ``features.csv``, columns `napari_sam2_probe.common.feature_names.RUN_COLUMNS`; ``position`` is
        a string column.
    """

    path: Path
    info: dict[str, Any]
    object_ids: NDArray[np.int64]
    object_pointers: NDArray[np.float32]
    object_pointers_raw: NDArray[np.float32]
    object_scores: NDArray[np.float32]
    predicted_iou: NDArray[np.float32]
    prompted: NDArray[np.bool_]
    tracked: NDArray[np.bool_]
    object_present: NDArray[np.bool_]
    features: pd.DataFrame
    _store: Any

    def bank(self, frame: int, object_id: int | None = None) -> pd.DataFrame:
        """Return what a frame read of memory, in the order in which attention saw it.

        Parameters
        ----------
        frame
            The frame.
        object_id
            The object; not needed where there is only one.

        Returns
        -------
        pandas.DataFrame
            Columns ``kind`` (memory or pointer), ``frame`` (whose), ``role`` (conditioning or recent),
            ``temporal_position`` (what its temporal encoding is made of) and ``age`` (frames between them). Empty
            for a frame that read nothing: an initial prompt, or one that was not tracked.

        Raises
        ------
        InputError
            If there is no such frame or object, or the run was made by a version that recorded no banks.
        """
        from napari_sam2_probe.runs.banks import read_bank

        return read_bank(self, frame, object_id)

    def bank_frames(self, object_id: int) -> list[int]:
        """Return the frames that read anything of memory for an object, in time order.

        Raises
        ------
        InputError
            If the run was made by a version that recorded no banks.
        """
        from napari_sam2_probe.runs.banks import reading_frames

        return reading_frames(self, object_id)

    def attention(self, frame: int | None = None, object_id: int | None = None) -> pd.DataFrame:
        """Return the share of memory attention that each entry of the bank received.

        Parameters
        ----------
        frame, object_id
            The frame and object; all if None.

        Returns
        -------
        pandas.DataFrame
            Columns ``object_id, frame, layer, queries`` (all, inside the predicted mask, a ring around it, the rest),
            ``kind, entry_frame, share``. Shares of a layer and group of queries sum to 1.

        Raises
        ------
        InputError
            If there is no such frame or object, or the run recorded no attention.
        """
        from napari_sam2_probe.runs.banks import read_attention

        return read_attention(self, frame, object_id)

    @property
    def finished(self) -> bool:
        """Whether the run came to its end; a run that was stopped keeps its finished frames."""
        return bool(self.info["finished"])

    @cached_property
    def truth(self) -> ClipTruth | None:
        """What the recipe of a clip tells of its frames; None for any other video."""
        # A run that another program wrote may tell of its kind alone.
        told = self.info.get("known")
        return ClipTruth.from_json(told) if told is not None and "object_present" in told else None

    @property
    def num_frames(self) -> int:
        """Number of frames of the video, T."""
        return int(self.tracked.shape[1])

    @property
    def partly_tracked(self) -> str:
        """Which part of the video was tracked, as views say it: ``"frames 10-19 of 0-99"``; empty if all of it was."""
        import numpy as np

        frames = np.flatnonzero(self.tracked.any(axis=0))
        if len(frames) == self.num_frames:
            return ""
        if not len(frames):
            return f"no frame of 0-{self.num_frames - 1}"
        gaps = "" if len(frames) == frames[-1] - frames[0] + 1 else f", {len(frames)} of them"
        return f"frames {frames[0]}-{frames[-1]}{gaps} of 0-{self.num_frames - 1}"

    @property
    def masks(self) -> Any:
        """(T, H, W) uint16 zarr array of object ids; overlaps go to the object with the higher logit."""
        return StoredArray(self._store["masks"], self.path)

    @property
    def masks_per_object(self) -> Any:
        """(O, T, H, W) bool zarr array."""
        return StoredArray(self._store["masks_per_object"], self.path)

    @property
    def map_keys(self) -> tuple[str, ...]:
        """Keys of the map positions that the run holds, in the order of tables and panels."""
        return tuple(p.key for p in BY_KEY.values() if p.is_map and f"maps/{p.key}/mean" in self._store)

    @property
    def vector_keys(self) -> tuple[str, ...]:
        """Keys of the vector positions that the run holds, in the order of tables and panels."""
        return tuple(p.key for p in BY_KEY.values() if not p.is_map and p.array in self._store)

    def vectors(self, key: str) -> NDArray[np.float32]:
        """(O, T, C) float32 vectors of the position with this `key`, NaN where nothing ran."""
        name = BY_KEY[key].array if key in BY_KEY else f"vectors/{key}"
        vectors: NDArray[np.float32] = StoredArray(self._store[name], self.path)[:]
        return vectors

    def maps(self, key: str, statistic: Statistic) -> Any:
        """(O, T, h, w) float32 zarr array of channel `statistic` at the position with this `key`."""
        return StoredArray(self._store[f"maps/{key}/{statistic}"], self.path)

    @property
    def candidate_disagreement(self) -> NDArray[np.float32]:
        """(O, T) float32: 1 less the mean IoU of the masks that SAM 2 chose among on each frame.

        NaN on mask prompts, where nothing ran, and in runs of versions that recorded none.
        """
        import numpy as np

        recorded = self.stored("candidate_disagreement")
        return np.full(self.tracked.shape, np.nan, np.float32) if recorded is None else recorded

    def stored(self, name: str) -> Any:
        """Return an array of the run that not every run holds; None where it doesn't."""
        return self._store[name][:] if name in self._store else None

    @property
    def attention_entropy(self) -> NDArray[np.float64]:
        """(O, T) float64: how evenly memory attention is spread over the bank, from 0 to 1, mean over layers.

        Of all queries of a frame; NaN where no memory was read, and where no attention was recorded.
        """
        from napari_sam2_probe.runs.banks import read_attention_entropy

        return read_attention_entropy(self)

    def status(self, key: str) -> NDArray[np.uint8]:
        """(O, T) uint8 status codes of the position with this `key`; see ``napari_sam2_probe.probe.status``."""
        status: NDArray[np.uint8] = StoredArray(self._store[f"status/{key}"], self.path)[:]
        return status
