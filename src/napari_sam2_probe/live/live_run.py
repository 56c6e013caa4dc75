"""A run that a person steers: prompts at any time, tracking that can be paused, everything on disk as it happens.

All methods but the constructor, `pause` and `name_objects` are called in a worker thread, one at a time. Those that
take long are generators: they yield the events of `live.events` and `Progress`. A cancel comes
between two of them, so what happened at once is yielded at once, as a tuple: else a part of it would never be known.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError, ResourceError
from napari_sam2_probe.common.progress import Progress
from napari_sam2_probe.live.autosave import mark_of_this_process, new_run_folder, with_those_before
from napari_sam2_probe.live.events import (
    CandidatesShown,
    FrameShown,
    FramesSaved,
    ObjectForgotten,
    PassesDone,
    Paused,
    Ready,
    Refused,
    RunStarted,
)
from napari_sam2_probe.live.mask_stack import MaskStack
from napari_sam2_probe.live.options import LiveOptions
from napari_sam2_probe.live.prompt_queue import Removal
from napari_sam2_probe.live.prompt_state import NOTHING
from napari_sam2_probe.live.true_scores import TrueScorer
from napari_sam2_probe.models.device import oom_as_sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from pathlib import Path

    from napari_sam2_probe.families.loaded import ModelChoice
    from napari_sam2_probe.live.model_cache import ModelCache
    from napari_sam2_probe.live.plan import RunDirection
    from napari_sam2_probe.live.prompt_queue import PromptQueue
    from napari_sam2_probe.live.prompt_state import Key, PromptState
    from napari_sam2_probe.live.recorded_session import RecordedSession
    from napari_sam2_probe.tracking.results import Direction, FrameResult
    from napari_sam2_probe.video.source import FrameSource
    from napari_sam2_probe.video.truth import ClipTruth

    Events = Generator[Any, None, None]


class LiveRun:
    """One video in a session whose run grows on disk.

    Parameters
    ----------
    source
        The video.
    choice
        The model.
    runs_folder
        Where the run's own folder is made with the first prompt.
    model_cache
        Keeps a loaded model for the next run.
    queue
        What is asked of it; looked into before and between frames.
    earlier
        A run's folder whose masks, and those of the run that it went on with, are shown until there are others.
    truth
        What a recipe tells of the frames; None: what the data set that the video lies in tells, if it is a clip.
    options
        How features are computed, and whether position 5u is recorded.
    on_loaded
        Called in the worker thread once torch and the model are loaded.
    """

    def __init__(
        self,
        source: FrameSource,
        choice: ModelChoice,
        runs_folder: Path,
        model_cache: ModelCache,
        queue: PromptQueue,
        earlier: Path | None = None,
        truth: ClipTruth | None = None,
        *,
        options: LiveOptions | None = None,
        on_loaded: Callable[[], None] | None = None,
    ) -> None:
        self.source = source
        self._options = options or LiveOptions()
        self._on_loaded = on_loaded
        self._truth = truth
        self._choice = choice
        self._runs_folder = runs_folder
        self._model_cache = model_cache
        self._queue = queue
        self._earlier = earlier
        self._to_show = [] if earlier is None else with_those_before(earlier)
        self._names: dict[int, str] = {}
        self._pausing = threading.Event()
        self._recording: Any = None
        self._loaded: Any = None
        self._masks: Any = None
        self._scorer = TrueScorer(source)
        self._total = self._done = 0

    @property
    def recording(self) -> RecordedSession | None:
        """The session and its model; None as long as nothing was asked of it, or when it is closed. For jobs only."""
        found: RecordedSession | None = self._recording
        return found

    # From the window's thread.

    def pause(self) -> None:
        """Stop tracking after the frame it is at, ready to go on; prompts can be given meanwhile."""
        self._pausing.set()

    def name_objects(self, names: Mapping[int, str]) -> None:
        """Learn what the user calls the objects; noted in the run with the next prompt."""
        self._names = dict(names)

    # Jobs.

    def apply(self) -> Events:
        """Do what the queue holds, until it is empty."""
        yield from self._get_ready()
        with oom_as_sentence(self._loaded.device):
            yield from self._apply()

    def propagate(self, direction: RunDirection) -> Events:
        """Track all objects."""
        with self._one_pause():
            yield from self._get_ready()
            with oom_as_sentence(self._loaded.device):
                yield from self._propagate(direction)

    def resume(self) -> Events:
        """Go on where tracking was paused."""
        with self._one_pause(), oom_as_sentence(self._loaded.device):
            yield from self._apply()
            yield from self._run_passes()

    def stop(self) -> Events:
        """Forget what was paused; tracking again goes on there."""
        self._recording.give_up_passes()
        with oom_as_sentence(self._loaded.device):
            yield from self._apply()

    def close(self) -> None:
        """Keep what is on disk, give everything else back; calling it twice is harmless."""
        recording, self._recording, self._loaded = self._recording, None, None
        if recording is not None:
            recording.close(live=None)

    # The steps.

    @contextmanager
    def _one_pause(self) -> Iterator[None]:
        """Forget at the end of a job that it was to pause; a pause while the model is loading counts too."""
        try:
            yield
        finally:
            self._pausing.clear()

    def _get_ready(self) -> Events:
        if self._recording is None:
            yield from self._load()
        yield from self._show_earlier()

    def _load(self) -> Events:
        yield Progress(0, 0, "loading torch and the model")
        from napari_sam2_probe.live.recorded_session import RecordedSession
        from napari_sam2_probe.video.video import truth_of

        self._loaded = self._model_cache.load(self._choice)
        if self._on_loaded is not None:
            self._on_loaded()
        source = self.source
        self._masks = MaskStack((source.num_frames, source.height, source.width))
        self._truth = self._truth or truth_of(source)
        info: dict[str, Any] = {"live": mark_of_this_process()}
        if self._earlier is not None:
            info["continues"] = str(self._earlier)
        self._recording = RecordedSession(
            source, self._loaded, self._new_folder, self._options.run_options(), self._truth, info=info
        )
        yield Ready(self._masks, self._note())

    def _new_folder(self) -> Path:
        from napari_sam2_probe.runs.place import check_new_path

        folder = new_run_folder(self._runs_folder, self.source.name, datetime.now())
        try:
            check_new_path(folder)
        except InputError as error:
            # It is no fault of the prompt that is to be written there.
            raise ResourceError(str(error)) from error
        return folder

    def _note(self) -> str:
        if not self._loaded.checkpoint.trained:
            return "This model is untrained: its masks mean nothing."
        if self._truth is not None:
            return f"Clip {self._truth.clip}: object 1 is the object of interest, and known to be present or not."
        return ""

    def _show_earlier(self) -> Events:
        from napari_sam2_probe.runs import open_run

        # One at a time: after a cancel the next job goes on.
        while self._to_show:
            run = open_run(self._to_show[0])
            for frame_idx in np.flatnonzero(run.tracked.any(axis=0)).tolist():
                if frame_idx not in self._masks:
                    self._masks[frame_idx] = run.masks[frame_idx]
                    numbers = run.object_scores[:, frame_idx], run.predicted_iou[:, frame_idx]
                    obj_ids = tuple(run.object_ids.tolist())
                    truth = self._scorer.score(frame_idx, obj_ids, run.masks_per_object[:, frame_idx])
                    yield FrameShown(frame_idx, obj_ids, *numbers, truth)
            self._to_show.pop(0)

    def _apply(self) -> Events:
        while (request := self._queue.take()) is not None:
            if isinstance(request, Removal):
                yield from self._remove(request.obj_id)
            else:
                yield from self._prompt(*request)

    def _prompt(self, key: Key, wanted: PromptState) -> Events:
        recording = self._recording
        recording.object_names = self._names
        begun = recording.writer is not None
        try:
            result = recording.sync(key, wanted)
        except InputError as error:
            yield Refused(str(error), key, recording.applied.get(key, NOTHING))
            return
        frame_idx, obj_id = key
        happened: list[Any] = []
        if not begun and recording.writer is not None:
            happened.append(RunStarted(recording.writer.path))
        if obj_id in recording.session.obj_ids:
            candidates = recording.session.candidates(frame_idx, obj_id)
            ious = () if candidates is None else tuple(float(iou) for iou in candidates[1])
            happened.append(CandidatesShown(key, ious))
        yield *happened, replace(self._show(result, prompted=obj_id), cleared=wanted.is_empty)

    def _remove(self, obj_id: int) -> Events:
        frames = self._recording.remove_object(obj_id)
        self._scorer.forget(obj_id)
        shown = [self._show(self._recording.session.result(frame_idx)) for frame_idx in frames]
        yield *shown, ObjectForgotten(obj_id)

    def _propagate(self, direction: RunDirection) -> Events:
        yield from self._apply()
        try:
            self._total, self._done = self._recording.begin_passes(direction), 0
        except InputError as error:
            yield Refused(str(error))
            return
        yield from self._run_passes()

    def _run_passes(self) -> Events:
        recording = self._recording
        recording.set_finished(False)
        paused = False
        try:
            while (result := recording.next_frame()) is not None:
                yield from self._tell(result)
                if self._pausing.is_set() and recording.frames_left:
                    paused = True
                    yield Paused()
                    return
                yield from self._apply()
            yield from self._sweep()
            yield self._save()
            recording.set_finished(True)
            yield PassesDone()
        except InputError as error:
            yield Refused(str(error))
        finally:
            if not paused:
                recording.give_up_passes()
            recording.write_features()

    def _tell(self, result: FrameResult) -> Events:
        self._done += 1
        yield *self._save(only_if_due=True), self._show(result, self._recording.direction)
        yield Progress(self._done, self._total, f"tracking {self.source.name}", "frame")

    def _sweep(self) -> Events:
        total = self._recording.frames_to_sweep
        for shown in self._recording.sweep():
            yield Progress(shown, total, "comparing frames in time order", "frame")

    def _show(
        self, result: FrameResult, direction: Direction | None = None, *, prompted: int | None = None
    ) -> FrameShown:
        self._masks[result.frame_idx] = result.labels()
        truth = self._scorer.score(result.frame_idx, result.obj_ids, result.masks(), prompted)
        numbers = result.object_scores, result.predicted_iou
        return FrameShown(result.frame_idx, result.obj_ids, *numbers, truth, direction, prompted)

    def _save(self, *, only_if_due: bool = False) -> tuple[FramesSaved, ...]:
        """Bring all frames to disk and return what there is to tell of it."""
        frames = self._recording.save(only_if_due=only_if_due)
        return (FramesSaved(frames),) if frames else ()
