"""From a video and prompts to a run on disk: the main job, as a function and as a generator."""

from __future__ import annotations

import math
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import InputError, ProbeError
from napari_sam2_probe.common.progress import Progress, ProgressCallback, ignore_progress
from napari_sam2_probe.models.device import oom_as_sentence
from napari_sam2_probe.probe.recorder import ProbeRecorder
from napari_sam2_probe.probe.status import PROMPTED_KINDS
from napari_sam2_probe.runs.describe import describe_run, now
from napari_sam2_probe.runs.donors import RunDonors, check_sources
from napari_sam2_probe.runs.layout import ATTENTION, BANK
from napari_sam2_probe.runs.options import RunOptions, plan_passes
from napari_sam2_probe.runs.place import check_new_path, os_errors_as_sentences
from napari_sam2_probe.runs.prompts_file import PromptFiles
from napari_sam2_probe.runs.reader import open_run
from napari_sam2_probe.runs.remake import remake_donor
from napari_sam2_probe.runs.steps_file import describe_steps
from napari_sam2_probe.runs.writer import RunWriter
from napari_sam2_probe.tracking.interventions import edits_as_json, parse_edits
from napari_sam2_probe.tracking.policies import STOCK, make_policy, policy_for
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.video.truth import OBJECT_OF_INTEREST, ClipTruth
from napari_sam2_probe.video.video import truth_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.probe.distance import FeatureOptions
    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.tracking.prompts import Prompt
    from napari_sam2_probe.tracking.results import FrameResult
    from napari_sam2_probe.video.source import FrameSource

_MAX_OBJ_ID = 2**16 - 1


def check_job(source: FrameSource, prompts: Sequence[Prompt], out: Path | str, options: RunOptions) -> None:
    """Check what can be checked before any work is done and anything is written.

    Raises
    ------
    InputError
        If the output exists or can't be made, a prompt doesn't fit the video, a frame is not in it, or an option
        makes no sense.
    """
    check_new_path(out)
    if not prompts:
        raise InputError(f"There is no prompt for {source.name}: give a mask, points or a box.")
    for prompt in prompts:
        check_prompt(prompt, source)
    plan_passes(prompts, source, options)
    policy_for(make_policy(options.policy), source)
    check_sources(parse_edits(options.intervene))
    check_features(options.features)


def check_prompt(prompt: Prompt, source: FrameSource) -> None:
    """Make sure that a prompt fits the video, and its object a run.

    Raises
    ------
    InputError
        If it doesn't.
    """
    prompt.check(source)
    if prompt.obj_id > _MAX_OBJ_ID:
        raise InputError(f"Object id {prompt.obj_id} can't be used: ids in a run are at most {_MAX_OBJ_ID}.")


def check_features(features: FeatureOptions) -> None:
    """Make sure that features can be computed.

    Raises
    ------
    InputError
        If the epsilon is not above 0.
    """
    if not (math.isfinite(features.epsilon) and features.epsilon > 0):
        raise InputError(f"The epsilon {features.epsilon:g} can't be used: give a small number above 0 such as 1e-6.")


def record_run(
    source: FrameSource,
    prompts: Sequence[Prompt],
    out: Path | str,
    loaded: Model,
    options: RunOptions | None = None,
    *,
    truth: ClipTruth | None = None,
    progress: ProgressCallback = ignore_progress,
) -> ProbeRun:
    """Track objects through a video, observe SAM 2 on the way, and write everything down.

    Parameters
    ----------
    source
        The video.
    prompts
        What is said about the objects, in the order in which it is said.
    out
        The run's folder, which must not exist.
    loaded
        The model.
    options
        What to track and how to observe it.
    truth
        What a recipe tells of the frames of a clip; if None, the `truth` of a `Video`, which one that lies in a data
        set of clips finds by itself.
    progress
        Called with every frame.

    Returns
    -------
    ProbeRun
        The finished run.

    Raises
    ------
    InputError, ResourceError
        If something can't be used, or memory or disk don't suffice. Whatever was finished is kept, in a run that
        says that it is not.
    """
    frames = iterate_run(source, prompts, out, loaded, options, truth=truth, progress=progress)
    for _ in frames:
        pass
    return open_run(out)


def iterate_run(
    source: FrameSource,
    prompts: Sequence[Prompt],
    out: Path | str,
    loaded: Model,
    options: RunOptions | None = None,
    *,
    truth: ClipTruth | None = None,
    progress: ProgressCallback = ignore_progress,
) -> Iterator[FrameResult]:
    """Do what `record_run` does, giving each frame as it is done; closing the iterator stops and keeps the rest.

    Yields
    ------
    FrameResult
        In the order of tracking.
    """
    options = options or RunOptions()
    check_job(source, prompts, out, options)
    truth = truth or truth_of(source)
    if truth is not None and len(truth.object_present) != source.num_frames:
        raise InputError(
            f"The truth of {truth.clip} is of {len(truth.object_present)} frames, but {source.name} has "
            f"{source.num_frames}: give the truth of this clip."
        )
    present = {} if truth is None else {OBJECT_OF_INTEREST: truth.object_present}
    recorder = ProbeRecorder(
        source.num_frames, options.features, present, unblanked=options.unblanked, model=loaded.model
    )
    donors = RunDonors(
        source, prompts, loaded, options, recorder.is_present, loaded.model.intervention, remake=remake_donor
    )
    options = replace(options, intervene=tuple(edits_as_json(donors.intervention.edits)))
    session_options = SessionOptions.for_model(
        loaded,
        observe_unblanked=options.unblanked,
        policy=None if options.policy == STOCK else make_policy(options.policy),
        intervention=donors.intervention,
        attention=options.attention,
    )
    obj_ids = tuple(dict.fromkeys(p.obj_id for p in prompts))
    shape = (source.num_frames, source.height, source.width)
    with closing(donors), closing(recorder), VideoSession(loaded.model, source, session_options, recorder) as session:
        donors.prepare()
        info = describe_run(source, loaded, options, truth) | {"objects": list(obj_ids)}
        writer = RunWriter(out, obj_ids, shape, loaded.model.hidden_dim, info)
        files = PromptFiles(writer.path)
        began = time.perf_counter()
        try:
            with os_errors_as_sentences(writer.path):
                writer.update_info(prompts=[files.entry(prompt) for prompt in prompts])
            with oom_as_sentence(loaded.device):
                yield from _track(session, recorder, writer, prompts, options, progress)
            _write_features(writer, recorder, obj_ids)
            done = describe_steps(session, files)
        except BaseException as error:
            _keep_what_is_whole(writer, recorder, session, files, error)
            raise
        seconds = round(time.perf_counter() - began, 3)
        writer.finish(**done, times=writer.info["times"] | {"finished": now(), "seconds": seconds})


def _track(
    session: VideoSession,
    recorder: ProbeRecorder,
    writer: RunWriter,
    prompts: Sequence[Prompt],
    options: RunOptions,
    progress: ProgressCallback,
) -> Iterator[FrameResult]:
    for prompt in prompts:
        session.add_prompt(prompt)
    passes = plan_passes(prompts, session.source, options)
    total, done = sum(len(frames) for _, frames in passes), 0
    for direction, frames in passes:
        for result in session.propagate(direction, frames[0], frames[-1]):
            write_result(writer, recorder, result)
            done += 1
            progress(Progress(done, total, f"tracking {session.source.name}", "frame"))
            yield result
    if any(direction == "backward" for direction, _ in passes):
        total = sum(len(session.visited_frames(obj_id)) for obj_id in session.obj_ids)
        for shown in session.sweep():
            progress(Progress(shown, total, "comparing frames in time order", "frame"))


def _keep_what_is_whole(
    writer: RunWriter, recorder: ProbeRecorder, session: VideoSession, files: PromptFiles, error: BaseException
) -> None:
    """Leave a stopped run with the frames that were finished and the reason, or nothing if none was."""
    if not writer.has_frames:
        writer.discard()
        return
    writer.release_reserve()
    # First what tells which frames are complete, should the room not suffice for all.
    writer.flush()
    writer.update_info(stopped=describe_stop(error), **describe_steps(session, files))
    _write_features(writer, recorder, writer.obj_ids)


def describe_stop(error: BaseException) -> str:
    """Return why a run was stopped, for its ``run.json``."""
    if isinstance(error, GeneratorExit | KeyboardInterrupt):
        return "stopped by the user"
    return str(error) if isinstance(error, ProbeError) else f"{type(error).__name__}: {error}"


def _write_features(writer: RunWriter, recorder: ProbeRecorder, obj_ids: Sequence[int]) -> None:
    stale = np.stack([recorder.features(obj_id).stale for obj_id in obj_ids])
    writer.write_features(recorder.features_table(), stale)
    write_reads(writer, recorder)


def write_reads(writer: RunWriter, recorder: ProbeRecorder) -> None:
    """Write what frames read of memory, and where memory attention looked, if the session was asked to show it."""
    writer.write_table(BANK, recorder.banks.table())
    writer.write_table(ATTENTION, recorder.attention.table())


def write_result(writer: RunWriter, recorder: ProbeRecorder, result: FrameResult) -> None:
    """Write one frame of a session, and all that was recorded up to it; of other objects nothing changes."""
    writer.write_records(recorder.take())
    present = [
        recorder.is_present(obj_id, result.frame_idx, float(score))
        for obj_id, score in zip(result.obj_ids, result.object_scores, strict=True)
    ]
    writer.write_frame(
        result.frame_idx,
        result.labels(),
        result.masks(),
        object_scores=result.object_scores,
        predicted_iou=result.predicted_iou,
        prompted=[kind in PROMPTED_KINDS for kind in result.kinds],
        object_present=present,
        obj_ids=result.obj_ids,
    )
