"""Causes in runs on disk: patches between a run and its twin's, and where one frame looked, pixel by pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam2_probe.causes.explain import check_the_same, truth_beside
from napari_sam2_probe.causes.pairs import WHOLE_TENSORS, Pair, match_frames
from napari_sam2_probe.causes.patches import patch_effects
from napari_sam2_probe.causes.tables import PATCH_COLUMNS
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.progress import Progress, ProgressCallback, ignore_progress
from napari_sam2_probe.runs.banks import check_frame, the_object
from napari_sam2_probe.runs.recorded import load_recorded_model
from napari_sam2_probe.runs.remake import remake
from napari_sam2_probe.tracking.sharing import processor_threads

if TYPE_CHECKING:
    import pandas as pd

    from napari_sam2_probe.causes.pairs import Truth
    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.tracking.looking import FrameAttention


def patch_runs(
    run: ProbeRun,
    twin: ProbeRun,
    object_id: int | None = None,
    *,
    model: Model | None = None,
    video: Any = None,
    twin_video: Any = None,
    truth: Truth | None = None,
    twin_truth: Truth | None = None,
    progress: ProgressCallback = ignore_progress,
) -> pd.DataFrame:
    """Put a twin's tensors into a run, position by position and frame by frame, and return how much comes back.

    Both runs are made again. Frames belong together that come from the same source frame, else those of the same
    number.

    Parameters
    ----------
    run, twin
        The runs of a clip and of its twin, with the same object and made with the same model.
    object_id
        The object; not needed where there is only one.
    model
        The model, if it is loaded already.
    video, twin_video
        The videos, if they aren't where they were, or never lay anywhere.
    truth, twin_truth
        Give the true mask (H, W) bool of a frame, None where it is not known; looked for beside the videos if None.
    progress
        Called with every frame.

    Returns
    -------
    pandas.DataFrame
        Columns `PATCH_COLUMNS`; see `patch_effects`.

    Raises
    ------
    InputError
        If the twin has another length or lacks the object, or a run can't be made again.
    """
    import pandas as pd

    object_id = the_object(run, object_id)
    the_object(twin, object_id)
    match = _match(run, twin)
    loaded = load_recorded_model(run) if model is None else model
    with (
        processor_threads(run.info["model"]["threads"]),
        remake(run, loaded, video=video) as clip,
        remake(twin, loaded, keys=WHOLE_TENSORS, video=twin_video) as other,
    ):
        clip.finish()
        other.finish()
        of_clip = truth_beside(run, object_id) if truth is None else truth
        of_twin = truth_beside(twin, object_id) if twin_truth is None else twin_truth
        pair = Pair(clip, other, object_id, match, of_clip, of_twin)
        done = 0

        def passed() -> None:
            nonlocal done
            done += 1
            progress(Progress(done, len(match), f"patching {run.path.name}", "frame"))

        rows = patch_effects(pair, passed=passed)
    return pd.DataFrame(rows, columns=list(PATCH_COLUMNS))


def look_at(
    run: ProbeRun,
    frame: int,
    object_id: int | None = None,
    *,
    model: Model | None = None,
    video: Any = None,
) -> FrameAttention:
    """Make a run again as far as a frame, and return where the frame looked, pixel by pixel.

    Parameters
    ----------
    run
        The run.
    frame
        A frame that was tracked from memory, or prompted first.
    object_id, model, video
        As in `patch_runs`.

    Raises
    ------
    InputError
        If there is no such frame, its pass can't be repeated, or the run can't be made again.
    """
    object_id = the_object(run, object_id)
    check_frame(run, frame)
    if not run.tracked[run.object_ids.tolist().index(object_id), frame]:
        raise InputError(f"Frame {frame} of {run.path} was not tracked for object {object_id}: choose one that was.")
    loaded = load_recorded_model(run) if model is None else model
    with processor_threads(run.info["model"]["threads"]), remake(run, loaded, video=video) as again:
        for _ in again.settle([frame]):
            check_the_same(run, again.session, frame, object_id)
        return again.session.look(frame, object_id)


def _match(run: ProbeRun, twin: ProbeRun) -> list[int]:
    if run.truth is not None and twin.truth is not None:
        return match_frames(run.truth, twin.truth)
    if run.num_frames != twin.num_frames:
        raise InputError(
            f"{twin.path} has {twin.num_frames} frames and {run.path} {run.num_frames}: give the run of its twin."
        )
    return list(range(run.num_frames))
