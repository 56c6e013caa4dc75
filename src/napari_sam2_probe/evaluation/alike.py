"""How alike is what two models hold of the same frames: linear CKA at positions 1 to 3, over places in the frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam2_probe.analysis.cka import unbiased_cka
from napari_sam2_probe.probe.positions import IMAGE_EMBEDDING, MEMORY_ATTENTION, PROMPT_ATTENTION
from napari_sam2_probe.runs.recorded import load_recorded_model
from napari_sam2_probe.runs.remake import remake
from napari_sam2_probe.tracking.sharing import processor_threads

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.tracking.observer import FramePass

    Grids = dict[tuple[str, int], NDArray[np.float32]]

POSITIONS = (IMAGE_EMBEDDING, MEMORY_ATTENTION, PROMPT_ATTENTION)
"""Where models are compared: their maps cover the frame alike, whatever their size."""

GRID = 16
"""Places a side: maps of any size are averaged over so many parts of the frame."""

COLUMNS = ("position", "frame", "twin_frame", "cka", "control")


def compare_maps(
    runs: tuple[ProbeRun, ProbeRun],
    frames: Sequence[tuple[int, int]],
    obj_ids: tuple[int, int],
    *,
    models: tuple[Model | None, Model | None] = (None, None),
    videos: tuple[Any, Any] = (None, None),
) -> pd.DataFrame:
    """Make two runs again and compare their maps, frame by frame.

    Parameters
    ----------
    runs
        Of the same frames.
    frames
        Pairs of frames that show the same, one of each run.
    obj_ids
        The object in each.
    models
        The models that they were made with; None loads the recorded ones.
    videos
        Where their frames are, if not where they were.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`: ``cka`` is the unbiased linear CKA over `GRID` squared places of the frame. Places of any two frames
        are a little alike, whatever is seen there (edges, centre): ``control`` is the same number with another frame of
        the second run, half the video away; NaN where there is one frame only.

    Raises
    ------
    InputError
        If a run can't be made again.
    """
    import pandas as pd

    grids = [
        _grids(run, model or load_recorded_model(run), {pair[k] for pair in frames}, obj_ids[k], videos[k])
        for k, (run, model) in enumerate(zip(runs, models, strict=True))
    ]
    rows = []
    for position in POSITIONS:
        for index, (frame, other) in enumerate(frames):
            away = frames[(index + len(frames) // 2) % len(frames)][1]
            first = grids[0].get((position.key, frame))
            values = [
                float("nan") if first is None or second is None else unbiased_cka(first, second)
                for second in (grids[1].get((position.key, at)) for at in (other, away))
            ]
            control = values[1] if away != other else float("nan")
            rows.append((position.number, frame, other, values[0], control))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _grids(run: ProbeRun, loaded: Model, frames: Collection[int], obj_id: int, video: Any) -> Grids:
    observer = _GridObserver(frames, obj_id)
    threads = run.info["model"]["threads"]
    with processor_threads(threads), remake(run, loaded, observer=observer, video=video) as again:
        again.finish()
    return observer.grids


class _GridObserver:
    """Keeps maps of one object, averaged over places; an `Observer`. Of several passes over a frame the last counts."""

    def __init__(self, frames: Collection[int], obj_id: int) -> None:
        self.grids: Grids = {}
        self._frames, self._obj_id = frames, obj_id
        self._keys = {position.key for position in POSITIONS}

    def observe(self, at: FramePass, key: str, tensor: Tensor) -> None:
        """Take a tensor; see `Observer.observe`."""
        if key in self._keys and at.obj_id == self._obj_id and at.frame_idx in self._frames:
            from torch.nn.functional import adaptive_avg_pool2d

            places = adaptive_avg_pool2d(tensor[:1].float(), (GRID, GRID))
            self.grids[key, at.frame_idx] = places[0].flatten(1).T.cpu().numpy()

    def pass_copied(self, source: FramePass, target: FramePass) -> None:
        """Do nothing: maps are the same."""

    def frame_committed(self, at: FramePass, object_score: float, *, reverse: bool) -> None:
        """Do nothing: what was shown is what counts."""

    def required_references(self, obj_id: int, start: int) -> Iterable[int]:
        """Want none."""
        return ()

    def reference_replayed(self, at: FramePass) -> None:
        """Do nothing: none was wanted."""

    def removed(self, obj_id: int) -> None:
        """Do nothing: the object is one that stays."""
