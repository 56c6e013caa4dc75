"""From a video and prompts to a run on disk: the main job, as a function and as a generator."""

from __future__ import annotations

import platform
import sys
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.progress import Progress, ProgressCallback, ignore_progress
from napari_sam2_probe.probe.distance import FeatureOptions
from napari_sam2_probe.probe.recorder import ProbeRecorder
from napari_sam2_probe.probe.status import PROMPTED_KINDS
from napari_sam2_probe.runs.known import OBJECT_OF_INTEREST, KnownFrames
from napari_sam2_probe.runs.prompts_file import prompts_as_json
from napari_sam2_probe.runs.reader import open_run
from napari_sam2_probe.runs.writer import RunWriter, check_free
from napari_sam2_probe.tracking.session import VideoSession

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.tracking.loaded import LoadedModel
    from napari_sam2_probe.tracking.prompts import Prompt
    from napari_sam2_probe.tracking.results import FrameResult
    from napari_sam2_probe.video.source import FrameSource

RunDirection = Literal["forward", "backward", "both"]


@dataclass(frozen=True)
class RunOptions:
    """What to track and how to observe it.

    Attributes
    ----------
    direction
        In time; "both" goes forward from the earliest prompt, then backward from it.
    start, end
        The first and last frame, by default all there are in the direction.
    features
        How features over time are computed.
    unblanked
        Whether position 5u is recorded too.
    """

    direction: RunDirection = "forward"
    start: int | None = None
    end: int | None = None
    features: FeatureOptions = field(default_factory=FeatureOptions)
    unblanked: bool = False


def check_job(source: FrameSource, prompts: Sequence[Prompt], out: Path | str, options: RunOptions) -> None:
    """Check what can be checked before any work is done and anything is written.

    Raises
    ------
    InputError
        If the output exists, a prompt doesn't fit the video, or a frame is not in it.
    """
    check_free(Path(out))
    if not prompts:
        raise InputError(f"There is no prompt for {source.name}: give a mask, points or a box.")
    for prompt in prompts:
        prompt.check(source)
    for name, frame in (("first", options.start), ("last", options.end)):
        if frame is not None and not 0 <= frame < source.num_frames:
            raise InputError(
                f"The {name} frame {frame} is not in {source.name}, whose frames are 0 to {source.num_frames - 1}."
            )
    if options.direction == "both" and (options.start, options.end) != (None, None):
        raise InputError("A first or last frame can't be given for both directions: choose forward or backward.")


def record_run(
    source: FrameSource,
    prompts: Sequence[Prompt],
    out: Path | str,
    loaded: LoadedModel,
    options: RunOptions | None = None,
    *,
    known: KnownFrames | None = None,
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
    known
        What a recipe tells of the frames of a clip.
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
    frames = iterate_run(source, prompts, out, loaded, options, known=known, progress=progress)
    for _ in frames:
        pass
    return open_run(out)


def iterate_run(
    source: FrameSource,
    prompts: Sequence[Prompt],
    out: Path | str,
    loaded: LoadedModel,
    options: RunOptions | None = None,
    *,
    known: KnownFrames | None = None,
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
    present = {} if known is None else {OBJECT_OF_INTEREST: known.object_present}
    recorder = ProbeRecorder(source.num_frames, options.features, present, unblanked=options.unblanked)
    session = VideoSession(loaded.model, source, loaded.session_options(observe_unblanked=options.unblanked), recorder)
    try:
        with session:
            obj_ids = tuple(dict.fromkeys(p.obj_id for p in prompts))
            shape = (source.num_frames, source.height, source.width)
            writer = RunWriter(out, obj_ids, shape, loaded.model.hidden_dim, _describe(source, loaded, options, known))
            writer.update_info(prompts=prompts_as_json(prompts, writer.path), objects=list(obj_ids))
            try:
                yield from _track(session, recorder, writer, prompts, options, progress)
            finally:
                # Also when stopped or failed: what is done is kept.
                writer.write_features(recorder.features_table(), _stale(recorder, obj_ids))
                writer.flush()
    finally:
        recorder.close()


def _track(
    session: VideoSession,
    recorder: ProbeRecorder,
    writer: RunWriter,
    prompts: Sequence[Prompt],
    options: RunOptions,
    progress: ProgressCallback,
) -> Iterator[FrameResult]:
    began = time.perf_counter()
    for prompt in prompts:
        session.add_prompt(prompt)
    passes = _passes(session, options)
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
    seconds = time.perf_counter() - began
    writer.write_features(recorder.features_table(), _stale(recorder, session.obj_ids))
    writer.finish(times=writer.info["times"] | {"finished": _now(), "seconds": round(seconds, 3)})


def write_result(writer: RunWriter, recorder: ProbeRecorder, result: FrameResult) -> None:
    """Write one frame of a session, and all that was recorded up to it."""
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
    )


def _passes(session: VideoSession, options: RunOptions) -> list[tuple[Literal["forward", "backward"], range]]:
    first, last = session.prompted_frames()[0], session.prompted_frames()[-1]
    end = session.source.num_frames - 1
    if options.direction == "both":
        backward = range(first, -1, -1)
        return [("forward", range(first, end + 1)), *([("backward", backward)] if first > 0 else [])]  # type: ignore[list-item]
    if options.direction == "backward":
        start = last if options.start is None else options.start
        return [("backward", _checked(range(start, (options.end or 0) - 1, -1)))]
    start = first if options.start is None else options.start
    return [("forward", _checked(range(start, (end if options.end is None else options.end) + 1)))]


def _checked(frames: range) -> range:
    if not frames:
        raise InputError(
            "The first frame comes after the last in the direction of tracking: exchange --start and --end."
        )
    return frames


def _stale(recorder: ProbeRecorder, obj_ids: Sequence[int]) -> Any:
    return np.stack([recorder.features(obj_id).stale for obj_id in obj_ids])


def _describe(
    source: FrameSource, loaded: LoadedModel, options: RunOptions, known: KnownFrames | None
) -> dict[str, Any]:
    return {
        "software": software_versions(),
        "model": loaded.describe(),
        "video": {
            "path": source.path,
            "name": source.name,
            "num_frames": source.num_frames,
            "height": source.height,
            "width": source.width,
            "fps": source.fps,
            "sha256": source.fingerprint(),
            "scaling": None if source.scaling is None else asdict(source.scaling),
        },
        "parameters": asdict(options),
        "known": None if known is None else known.as_json(),
        "times": {"started": _now()},
    }


def software_versions() -> dict[str, str]:
    """Return the versions of everything that can move a number."""
    versions = {"python": platform.python_version(), "platform": f"{sys.platform} {platform.machine()}"}
    for name in ("napari-sam2-probe", "sam2", "torch", "numpy", "pillow", "av", "scikit-image"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed as a package"
    return versions


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
