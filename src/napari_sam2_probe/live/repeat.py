"""A run made again from what it says of itself, equal to the last bit."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.progress import Progress, ignore_progress
from napari_sam2_probe.live.recorded_session import RecordedSession
from napari_sam2_probe.models.device import oom_as_sentence
from napari_sam2_probe.runs.place import check_new_path
from napari_sam2_probe.runs.reader import open_run
from napari_sam2_probe.runs.record import describe_stop
from napari_sam2_probe.runs.recorded import (
    check_model,
    check_video,
    load_recorded_model,
    recorded_options,
    recorded_source,
)
from napari_sam2_probe.runs.recorded_steps import steps_of_run
from napari_sam2_probe.runs.run import ProbeRun
from napari_sam2_probe.tracking.sharing import processor_threads
from napari_sam2_probe.tracking.steps import PromptStep, TrackStep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam2_probe.common.progress import ProgressCallback
    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.tracking.results import FrameResult
    from napari_sam2_probe.tracking.steps import Step
    from napari_sam2_probe.video.source import FrameSource


def repeat_run(
    run: ProbeRun | Path | str,
    out: Path | str,
    video: Any = None,
    *,
    checkpoint: str | Path | None = None,
    model: Model | None = None,
    progress: ProgressCallback = ignore_progress,
) -> ProbeRun:
    """Make a run again from its own ``run.json``: the same prompts, passes and options in the same order.

    With the same versions of the software on the same device the result is equal to the last bit.

    Parameters
    ----------
    run
        The run, or its folder. One made in the window or in a script is repeated step by step.
    out
        The new run's folder, which must not exist.
    video
        The video (a path, an array, a `FrameSource`) if it isn't where it was, or never lay anywhere.
    checkpoint
        The file or name of the weights if they aren't where they were.
    model
        The model, if it is loaded already.
    progress
        Called with every frame.

    Returns
    -------
    ProbeRun
        The new run.

    Raises
    ------
    InputError
        If the run doesn't say what was done, or video or weights aren't those that it was made with.
    ResourceError
        If memory or disk don't suffice.
    """
    for _ in iterate_repeat(run, out, video, checkpoint=checkpoint, model=model, progress=progress):
        pass
    return open_run(out)


def iterate_repeat(
    run: ProbeRun | Path | str,
    out: Path | str,
    video: Any = None,
    *,
    checkpoint: str | Path | None = None,
    model: Model | None = None,
    progress: ProgressCallback = ignore_progress,
) -> Iterator[FrameResult]:
    """Do what `repeat_run` does, giving each frame as it is done; closing the iterator stops and keeps the rest.

    Yields
    ------
    FrameResult
        In the order of tracking.
    """
    path, out = run.path if isinstance(run, ProbeRun) else Path(run), Path(out)
    old = open_run(path)
    check_new_path(out)
    with ExitStack() as stack:
        source = recorded_source(old, video)
        if source is not video:
            stack.enter_context(closing(source))
        check_video(old, source)
        options = recorded_options(old.info["parameters"])
        steps = steps_of_run(old, source, options)
        loaded = load_recorded_model(old, checkpoint) if model is None else model
        check_model(old, loaded)
        # The number of threads moves float32 results.
        stack.enter_context(processor_threads(old.info["model"]["threads"]))
        info = {"parameters": old.info["parameters"], "repeats": str(path.resolve())}
        obj_ids = old.object_ids.tolist()
        prompts = [step.prompt for step in steps if isinstance(step, PromptStep)]
        recorded = RecordedSession(
            source, loaded, lambda: out, options, old.truth, obj_ids=obj_ids, info=info, prompts=prompts
        )
        recorded.object_names = {int(obj_id): name for obj_id, name in old.info.get("object_names", {}).items()}
        try:
            with oom_as_sentence(loaded.device):
                yield from _tracked(recorded, steps, source, progress)
        except BaseException as error:
            recorded.close(stopped=describe_stop(error))
            raise
        if old.finished:
            recorded.set_finished(True)
        recorded.close(parameters=old.info["parameters"])


def _tracked(
    recorded: RecordedSession, steps: list[Step], source: FrameSource, progress: ProgressCallback
) -> Iterator[FrameResult]:
    total = sum(step.num_frames for step in steps if isinstance(step, TrackStep))
    for done, result in enumerate(recorded.repeat(steps), 1):
        progress(Progress(done, total, f"tracking {source.name}", "frame"))
        yield result
