"""A run's session made again from its ``run.json``, frame by frame as far as somebody needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.runs.donors import RunDonors, plain_session_options
from napari_sam2_probe.runs.info import INFO
from napari_sam2_probe.runs.prompts_file import prompts_from_json
from napari_sam2_probe.runs.recorded import check_model, check_video, recorded_options, recorded_source
from napari_sam2_probe.runs.recorded_steps import steps_of_run
from napari_sam2_probe.tracking.donors import SessionDonor
from napari_sam2_probe.video.truth import OBJECT_OF_INTEREST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.runs.options import RunOptions
    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.tracking.attention import AttentionDetail
    from napari_sam2_probe.tracking.observer import Observer
    from napari_sam2_probe.tracking.prompts import Prompt
    from napari_sam2_probe.video.source import FrameSource


def remake(
    run: ProbeRun,
    loaded: Model,
    *,
    keys: Iterable[str] = (),
    observer: Observer | None = None,
    attention: AttentionDetail = "none",
    video: Any = None,
) -> SessionDonor:
    """Return a session that does again what a run did, with its policy and its intervention.

    Parameters
    ----------
    run
        The run.
    loaded
        The model that it was made with.
    keys
        The positions of which whole tensors are kept.
    observer
        Who is shown the tensors instead.
    attention
        As in `SessionOptions`.
    video
        The video, if it isn't where it was, or never lay anywhere.

    Raises
    ------
    InputError
        If the model is another one, or the video isn't where it was or is another one.
    """
    check_model(run, loaded)
    source, prompts, options = recorded_job(run, video)
    steps = steps_of_run(run, source, options)
    is_present = presence(run)
    donors = RunDonors(source, prompts, loaded, options, is_present, remake=remake_donor)
    donors.prepare()

    def close() -> None:
        donors.close()
        # What was handed over open stays so.
        if source is not video:
            source.close()

    return SessionDonor(
        f"The run {run.path}",
        loaded.model,
        source,
        plain_session_options(loaded, options, intervention=donors.intervention, attention=attention),
        steps,
        keys=keys,
        is_present=is_present,
        observer=observer,
        close=close,
    )


def remake_donor(run: ProbeRun, loaded: Model, keys: Iterable[str]) -> SessionDonor:
    """Return `remake` of a run that edits take from."""
    return remake(run, loaded, keys=keys)


def recorded_job(run: ProbeRun, video: Any = None) -> tuple[FrameSource, list[Prompt], RunOptions]:
    """Open a run's video, and return it with prompts and options.

    Raises
    ------
    InputError
        If the run doesn't say, or the video isn't there or is another one.
    """
    prompts = prompts_from_json(run.info.get("prompts", []), run.path / INFO, enclosed=True)
    if not prompts:
        raise InputError(f"{run.path} holds no prompt: it can't be made again.")
    source = recorded_source(run, video)
    try:
        check_video(run, source)
    except InputError:
        source.close()
        raise
    return source, prompts, recorded_options(run.info["parameters"])


def presence(run: ProbeRun) -> Callable[[int, int, float], bool]:
    """Return a function that says whether an object is in a frame: by the recipe, else by its object score."""
    present = None if run.truth is None else run.truth.object_present

    def is_present(obj_id: int, frame_idx: int, score: float) -> bool:
        if present is None or obj_id != OBJECT_OF_INTEREST:
            return score > 0
        return bool(present[frame_idx])

    return is_present
