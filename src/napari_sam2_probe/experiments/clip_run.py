"""A clip of an experiment as the run that `record_run` would have made of it: one type for whoever reads either."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.feature_names import RUN_COLUMNS
from napari_sam2_probe.runs.layout import FORMAT
from napari_sam2_probe.runs.run import ProbeRun
from napari_sam2_probe.video.truth import OBJECT_OF_INTEREST

if TYPE_CHECKING:
    from napari_sam2_probe.experiments.results import ExperimentResults


def clip_run(results: ExperimentResults, kind: str, clip: str) -> ProbeRun:
    """Return a clip of an experiment as a run; its maps and masks are read when they are asked for.

    What an experiment doesn't keep is not there: status codes, banks, attention, and maps without ``keep_maps``.

    Parameters
    ----------
    results
        The experiment.
    kind, clip
        Which clip.

    Raises
    ------
    InputError
        If the clip is not done, or the masks are another system's.
    """
    if not results.has_model:
        raise InputError(f"{results.path} scores masks of another system: it holds no runs.")
    if clip not in results.clips(kind):
        raise InputError(
            f"{results.path} has no finished clip {clip} of kind {kind}: choose one of results.clips(kind)."
        )
    frames = results.frames[(results.frames["kind"] == kind) & (results.frames["clip"] == clip)]
    features = results.features[(results.features["kind"] == kind) & (results.features["clip"] == clip)]
    video = results.sequence(kind, clip)
    store = _ClipStore(results, kind, clip)
    scores = frames["object_score"].to_numpy(np.float32)[None]
    return ProbeRun(
        path=results.clip_path(kind, clip),
        info=_info(results, clip, video),
        object_ids=np.array([OBJECT_OF_INTEREST]),
        object_pointers=store["object_pointers"][:],
        object_pointers_raw=store["object_pointers_raw"][:],
        object_scores=scores,
        predicted_iou=frames["predicted_iou"].to_numpy(np.float32)[None],
        prompted=frames["prompted"].to_numpy(bool)[None],
        # An experiment holds complete clips alone.
        tracked=np.ones(scores.shape, bool),
        object_present=frames["object_present"].to_numpy(bool)[None],
        features=features.assign(object_id=OBJECT_OF_INTEREST)[list(RUN_COLUMNS)].reset_index(drop=True),
        _store=store,
    )


def _info(results: ExperimentResults, clip: str, video: Any) -> dict[str, Any]:
    provenance = results.provenance
    return {
        "format": FORMAT,
        "finished": True,
        "title": clip,
        "software": provenance.get("software", {}),
        "model": provenance.get("model") or {},
        "video": {
            "path": video.path,
            "name": video.name,
            "num_frames": video.num_frames,
            "height": video.height,
            "width": video.width,
            "fps": video.fps,
        },
        "prompts": [],
        "objects": [OBJECT_OF_INTEREST],
        "known": None if video.truth is None else video.truth.as_json(),
    }


class _ClipStore:
    """The arrays of a clip under the names and with the axes that they have in a run: objects first."""

    def __init__(self, results: ExperimentResults, kind: str, clip: str) -> None:
        self._results, self._kind, self._clip = results, kind, clip

    def __getitem__(self, name: str) -> _RunArray:
        if name == "masks":
            return _RunArray(self._stored("masks"), np.dtype(np.uint16), has_objects=False)
        stored = self._stored("masks" if name == "masks_per_object" else name)
        return _RunArray(stored, stored.dtype, has_objects=True)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self._results.array_names(self._kind, self._clip))

    def _stored(self, name: str) -> Any:
        return self._results.stored(self._kind, self._clip, name)


class _RunArray:
    """A stored array of one clip, read when it is indexed, as the array of a run: with objects first, or as labels.

    Parameters
    ----------
    stored
        The zarr array, time first.
    dtype
        The dtype to give.
    has_objects
        Whether a first axis for the one object is added.
    """

    def __init__(self, stored: Any, dtype: np.dtype[Any], *, has_objects: bool) -> None:
        self._stored = stored
        self.dtype = dtype
        self._has_objects = has_objects
        self.shape = (1, *stored.shape) if has_objects else tuple(stored.shape)
        self.ndim = len(self.shape)
        self.path = stored.path

    def __getitem__(self, key: Any) -> Any:
        if not self._has_objects:
            return np.asarray(self._stored[key]).astype(self.dtype)
        first, rest = _split(key)
        return np.asarray(self._stored[rest])[None][first]

    @property
    def oindex(self) -> _Outer:
        """Indexing of every axis by itself, as zarr has it."""
        return _Outer(self)

    def outer(self, key: Any) -> Any:
        """Return what `oindex` finds."""
        if not self._has_objects:
            return np.asarray(self._stored.oindex[key]).astype(self.dtype)
        first, rest = _split(key)
        return np.asarray(self._stored.oindex[rest])[None][first]


class _Outer:
    def __init__(self, array: _RunArray) -> None:
        self._array = array

    def __getitem__(self, key: Any) -> Any:
        return self._array.outer(key)


def _split(key: Any) -> tuple[Any, Any]:
    """Return what is asked of the axis of objects, and of the others."""
    if not isinstance(key, tuple):
        # An ellipsis stands for all axes.
        return (slice(None), ...) if key is Ellipsis else (key, slice(None))
    if not key or key[0] is Ellipsis:
        return slice(None), key or slice(None)
    return key[0], key[1:] or slice(None)
