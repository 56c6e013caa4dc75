"""What a run is and what it recorded: its description, lazy labelled arrays and tidy tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.api.names import unknown
from napari_sam2_probe.common.values import whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd
    import xarray as xr

    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.video.truth import ClipTruth


class RecordedRun:
    """What one opened run says of itself, and its arrays with named dimensions.

    Parameters
    ----------
    opened
        The run's folder, opened.
    temporary
        What the run's folder goes with, if it is a temporary one; kept as long as any of its arrays is.
    """

    def __init__(self, opened: ProbeRun, temporary: object = None) -> None:
        self._opened = opened
        self._temporary = temporary

    # What it is.

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self._opened.path

    @property
    def info(self) -> dict[str, Any]:
        """What ``run.json`` says: versions, model, flags, prompts, parameters, times."""
        return self._opened.info

    @property
    def truth(self) -> ClipTruth | None:
        """What the recipe of a transformed clip tells of its frames; None for any other video."""
        return self._opened.truth

    @property
    def name(self) -> str:
        """What the run is called in figures."""
        stem = self.path.stem if self._temporary is None else self._video_name()
        return str(self.info.get("title") or stem)

    @property
    def finished(self) -> bool:
        """Whether the run came to its end; a run that was stopped keeps its finished frames."""
        return self._opened.finished

    @property
    def objects(self) -> list[int]:
        """The ids of the objects."""
        return [int(one) for one in self._opened.object_ids]

    @property
    def frames(self) -> list[int]:
        """The frames on which any object was tracked."""
        return [int(one) for one in np.flatnonzero(self._opened.tracked.any(axis=0))]

    # Arrays.

    @property
    def masks(self) -> xr.DataArray:
        """(object, frame, y, x) bool: each object's mask; objects may overlap.

        Frames that were not tracked have no mask: ``run.masks.sel(frame=run.frames)`` leaves them out.
        """
        return self._array(self._opened.masks_per_object, ("object", "frame", "y", "x"), "masks")

    @property
    def labels(self) -> xr.DataArray:
        """(frame, y, x) uint16: object ids, a pixel wanted by several going to the highest logit."""
        return self._array(self._opened.masks, ("frame", "y", "x"), "labels")

    @property
    def maps(self) -> Maps:
        """Channel mean and variance of each map position, by key or number: ``run.maps["2"]``."""
        return Maps(self)

    @property
    def vectors(self) -> Vectors:
        """The vectors of each vector position, by key or number: ``run.vectors["4r"]``."""
        return Vectors(self)

    @property
    def pointers(self) -> xr.DataArray:
        """(object, frame, channel) float32: object pointers as stored in memory (position 4), NaN where nothing ran.

        ``run.vectors["4r"]`` has them before the no-object gate.
        """
        return self.vectors["object_pointer"]

    @property
    def scores(self) -> xr.DataArray:
        """(object, frame) float32: object score logits; above 0 SAM 2 believes the object present."""
        return self._small(self._opened.object_scores, "object_scores", long_name="object score", units="logit")

    @property
    def predicted_iou(self) -> xr.DataArray:
        """(object, frame) float32: SAM 2's own estimate of its mask's IoU; NaN on mask prompts."""
        return self._small(self._opened.predicted_iou, "predicted_iou", long_name="predicted IoU")

    @property
    def candidate_disagreement(self) -> xr.DataArray:
        """(object, frame) float32: 1 less the mean IoU of the masks that SAM 2 chose among; NaN on mask prompts."""
        return self._small(
            self._opened.candidate_disagreement, "candidate_disagreement", long_name="disagreement of candidates"
        )

    @property
    def prompted(self) -> xr.DataArray:
        """(object, frame) bool: whether the frame was prompted."""
        return self._small(self._opened.prompted, "prompted")

    @property
    def tracked(self) -> xr.DataArray:
        """(object, frame) bool: whether anything is known of the frame."""
        return self._small(self._opened.tracked, "tracked")

    @property
    def object_present(self) -> xr.DataArray:
        """(object, frame) bool: whether the object is in the frame, by the recipe or else by SAM 2's own score."""
        return self._small(self._opened.object_present, "object_present")

    @property
    def features(self) -> pd.DataFrame:
        """Features over time, one row for each object, position and frame.

        Columns ``object_id``, ``position``, ``frame``, ``short_term_l2``, ``long_term_l2``, ``short_term_ratio``.
        """
        return self._opened.features.copy()

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
            Columns ``kind``, ``frame``, ``role``, ``temporal_position`` and ``age``.

        Raises
        ------
        InputError
            If there is no such frame or object, or the run was made by a version that recorded no banks.
        """
        return self._opened.bank(whole(frame, "frame"), object_id)

    def attention(self, frame: int, object_id: int | None = None) -> pd.DataFrame:
        """Return where a frame looked in memory: the share of attention that each entry of its bank received.

        Parameters
        ----------
        frame
            The frame.
        object_id
            The object; not needed where there is only one.

        Returns
        -------
        pandas.DataFrame
            Columns ``object_id``, ``frame``, ``layer``, ``queries`` (all, inside the predicted mask, a ring around it,
            the rest), ``kind``, ``entry_frame``, ``share``. Shares of a layer and group of queries sum to 1.

        Raises
        ------
        InputError
            If there is no such frame or object, or the run recorded no attention.
        """
        return self._opened.attention(whole(frame, "frame"), object_id)

    def object_index(self, object_id: int | None = None) -> int:
        """Return where an object stands in arrays without names; the first one's if None.

        Raises
        ------
        InputError
            If the run doesn't hold the object.
        """
        if object_id is None:
            return 0
        if object_id not in self.objects:
            raise unknown("object", object_id, self.objects)
        return self.objects.index(object_id)

    def _video_name(self) -> str:
        return str(self.info.get("video", {}).get("name") or self.path.name)

    def _small(self, array: Any, name: str, **attributes: Any) -> xr.DataArray:
        import xarray as xr

        dims = ("object", "frame", "channel")[: array.ndim]
        coords = {dim: value for dim, value in self._coords(array.shape).items() if dim in dims}
        return xr.DataArray(array, coords, dims, name, attributes)

    def _array(self, array: Any, dims: tuple[str, ...], name: str, **attributes: Any) -> xr.DataArray:
        from napari_sam2_probe.api.lazy import lazy_array

        shape = array[0].shape if isinstance(array, list) else array.shape
        return lazy_array(array, dims, self._coords(shape), name=name, owner=self._temporary, **attributes)

    def _coords(self, shape: tuple[int, ...]) -> dict[str, Any]:
        from napari_sam2_probe.api.lazy import pixel_centres

        coords: dict[str, Any] = {"object": self.objects, "frame": np.arange(self._opened.num_frames)}
        if len(shape) > 2:
            height, width = self._opened.masks.shape[1:]
            coords |= {"y": pixel_centres(shape[-2], height), "x": pixel_centres(shape[-1], width)}
        return coords


class _ByPosition:
    """Arrays by a position's key or number."""

    _what = "map"

    def __init__(self, run: RecordedRun) -> None:
        self._run = run

    def keys(self) -> list[str]:
        """Return the keys of the positions that the run holds."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def __contains__(self, name: object) -> bool:
        return name in self.keys() or name in [_number(key) for key in self.keys()]

    def __repr__(self) -> str:
        lines = [f"  {_number(key) or '?':>3}  {key}" for key in self.keys()]
        return "\n".join([f"{type(self).__name__} of {self._run.name}, by key or number:", *lines])

    def _key(self, name: object) -> str:
        from napari_sam2_probe.probe.positions import BY_NUMBER

        key = BY_NUMBER[str(name)].key if str(name) in BY_NUMBER else str(name)
        if key not in self.keys():
            raise unknown(self._what, name, self.keys())
        return key


class Maps(_ByPosition):
    """Channel mean and variance maps: ``maps["memory_attention"]`` or ``maps["2"]``.

    Each is a lazy DataArray (statistic, object, frame, y, x), NaN where nothing ran.
    """

    def keys(self) -> list[str]:
        """Return the keys of the map positions that the run holds."""
        return list(self._run._opened.map_keys)

    def __getitem__(self, name: object) -> xr.DataArray:
        from napari_sam2_probe.probe.positions import STATISTICS

        key, opened = self._key(name), self._run._opened
        arrays = [opened.maps(key, statistic) for statistic in STATISTICS]
        dims = ("statistic", "object", "frame", "y", "x")
        stacked = self._run._array(arrays, dims, key, position=_number(key))
        return stacked.assign_coords(statistic=list(STATISTICS))


class Vectors(_ByPosition):
    """Vectors: ``vectors["object_pointer"]`` or ``vectors["4"]``, each a DataArray (object, frame, channel)."""

    _what = "vector"

    def keys(self) -> list[str]:
        """Return the keys of the vector positions that the run holds."""
        return list(self._run._opened.vector_keys)

    def __getitem__(self, name: object) -> xr.DataArray:
        key = self._key(name)
        return self._run._small(self._run._opened.vectors(key), key, position=_number(key))


def _number(key: str) -> str:
    from napari_sam2_probe.probe.positions import BY_KEY

    return BY_KEY[key].number if key in BY_KEY else ""
