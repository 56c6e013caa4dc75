"""A clip of an experiment as the run that `record_run` would have made of it: one type for whoever reads either."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.feature_names import RUN_COLUMNS
from napari_sam2_probe.runs.layout import FORMAT
from napari_sam2_probe.runs.run import ProbeRun
from napari_sam2_probe.video.truth import OBJECT_OF_INTEREST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

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
        object_pointers=store["object_pointers"],
        object_pointers_raw=store["object_pointers_raw"],
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

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name in ("masks", "masks_per_object"):
            masks = self._results.masks(self._kind, self._clip)
            return masks[None] if name == "masks_per_object" else masks.astype(np.uint16) * OBJECT_OF_INTEREST
        array: NDArray[Any] = self._results.array(self._kind, self._clip, name)
        return array[None]

    def __contains__(self, name: object) -> bool:
        return name in self._results.array_names(self._kind, self._clip)

    def __iter__(self) -> Iterator[str]:
        return iter(self._results.array_names(self._kind, self._clip))
