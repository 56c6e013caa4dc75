"""A run that a person steers: prompts at any time, tracking that can be paused, everything on disk as it happens.

All methods but the constructor, `pause` and `name_objects` are called in a worker thread, one at a time. Those that
take long are generators: they yield the events of `live.events` and `Progress`. A cancel comes
between two of them, so what happened at once is yielded at once, as a tuple: else a part of it would never be known.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError
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
from napari_sam2_probe.live.plan import Plan
from napari_sam2_probe.live.prompt_queue import Removal
from napari_sam2_probe.models.device import memory_in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from napari_sam2_probe.live.model_cache import ModelCache
    from napari_sam2_probe.live.plan import RunDirection
    from napari_sam2_probe.live.prompt_queue import PromptQueue
    from napari_sam2_probe.live.prompt_state import Key, PromptState
    from napari_sam2_probe.models.loaded import ModelChoice
    from napari_sam2_probe.tracking.results import Direction, FrameResult
    from napari_sam2_probe.video.source import FrameSource
    from napari_sam2_probe.video.truth import ClipTruth

    Events = Generator[Any, None, None]

_SAVE_SECONDS = 0.5
"""How long frames that are done may wait before those who read the run can see them."""


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
    known
        What a recipe tells of the frames; None: what the data set that the video lies in tells, if it is a clip.
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
        known: ClipTruth | None = None,
        *,
        on_loaded: Callable[[], None] | None = None,
    ) -> None:
        self.source = source
        self._on_loaded = on_loaded
        self._known = known
        self._choice = choice
        self._runs_folder = runs_folder
        self._model_cache = model_cache
        self._queue = queue
        self._earlier = earlier
        self._to_show = [] if earlier is None else with_those_before(earlier)
        self._names: dict[int, str] = {}
        self._pausing = threading.Event()
        self._session: Any = None
        self._recorder: Any = None
        self._edits: Any = None
        self._loaded: Any = None
        self._masks: Any = None
        self._writer: Any = None
        self._plan = Plan(source.num_frames)
        self._passes: list[tuple[Direction, range]] = []
        self._frames: Iterator[FrameResult] | None = None
        self._total = self._done = 0
        self._swept = True
        self._unsaved: list[int] = []
        self._saved = 0.0

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
        with memory_in_words(self._loaded.device):
            yield from self._apply()

    def propagate(self, direction: RunDirection) -> Events:
        """Track all objects."""
        with self._one_pause():
            yield from self._get_ready()
            with memory_in_words(self._loaded.device):
                yield from self._propagate(direction)

    def resume(self) -> Events:
        """Go on where tracking was paused."""
        with self._one_pause(), memory_in_words(self._loaded.device):
            yield from self._apply()
            yield from self._run_passes()

    def stop(self) -> Events:
        """Forget what was paused; tracking again goes on there."""
        self._give_up_passes()
        with memory_in_words(self._loaded.device):
            yield from self._apply()

    def close(self) -> None:
        """Keep what is on disk, give everything else back; calling it twice is harmless."""
        self._give_up_passes()
        if self._session is not None:
            self._session.close()
            self._recorder.close()
            self._session = self._recorder = self._edits = self._loaded = None
        if self._writer is not None:
            writer, self._writer = self._writer, None
            if writer.has_frames or writer.info.get("prompts"):
                writer.flush()
                writer.update_info(live=None)
            else:
                writer.discard()

    # The steps.

    @contextmanager
    def _one_pause(self) -> Iterator[None]:
        """Forget at the end of a job that it was to pause; a pause while the model is loading counts too."""
        try:
            yield
        finally:
            self._pausing.clear()

    def _get_ready(self) -> Events:
        if self._session is None:
            yield from self._load()
        yield from self._show_earlier()

    def _load(self) -> Events:
        yield Progress(0, 0, "loading torch and the model")
        from napari_sam2_probe.live.synchronizer import PromptSynchronizer
        from napari_sam2_probe.probe.recorder import ProbeRecorder
        from napari_sam2_probe.tracking.results import SessionOptions
        from napari_sam2_probe.tracking.session import VideoSession
        from napari_sam2_probe.video.truth import OBJECT_OF_INTEREST, find_truth

        self._loaded = self._model_cache.load(self._choice)
        if self._on_loaded is not None:
            self._on_loaded()
        source = self.source
        shape = (source.num_frames, source.height, source.width)
        self._masks = MaskStack(shape)
        known = self._known = self._known or find_truth(source)
        present = {} if known is None else {OBJECT_OF_INTEREST: known.object_present}
        self._recorder = ProbeRecorder(source.num_frames, object_present=present)
        self._session = VideoSession(self._loaded.model, source, SessionOptions.for_model(self._loaded), self._recorder)
        self._edits = PromptSynchronizer(self._session)
        yield Ready(self._masks, self._note())

    def _note(self) -> str:
        if not self._loaded.checkpoint.trained:
            return "This model is untrained: its masks mean nothing."
        if self._known is not None:
            return f"Clip {self._known.clip}: object 1 is the object of interest, and known to be present or not."
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
                    yield FrameShown(frame_idx, tuple(run.object_ids.tolist()), *numbers)
            self._to_show.pop(0)

    def _apply(self) -> Events:
        while (wish := self._queue.take()) is not None:
            if isinstance(wish, Removal):
                yield from self._forget(wish.obj_id)
            else:
                yield from self._say(*wish)

    def _say(self, key: Key, wanted: PromptState) -> Events:
        try:
            self._edits.reach(key, wanted)
        except InputError as error:
            yield Refused(str(error))
            return
        frame_idx, obj_id = key
        self._plan.touch(frame_idx)
        happened: list[Any] = []
        if self._writer is None:
            happened.append(RunStarted(self._start_run(obj_id)))
        self._writer.add_object(obj_id)
        self._save_prompts()
        if obj_id in self._session.obj_ids:
            candidates = self._session.candidates(frame_idx, obj_id)
            ious = () if candidates is None else tuple(float(iou) for iou in candidates[1])
            happened.append(CandidatesShown(key, ious))
        yield *happened, self._show(self._session.result(frame_idx))

    def _forget(self, obj_id: int) -> Events:
        frames = {frame_idx for frame_idx, of in self._edits.told if of == obj_id}
        if obj_id in self._session.obj_ids:
            frames |= set(self._session.visited_frames(obj_id))
        self._edits.forget(obj_id)
        # An object that was added, but of which nothing was said, is in no run.
        if self._writer is not None and obj_id in self._objects_of_run():
            self._writer.clear_object(obj_id)
            self._save_prompts()
        shown = [self._show(self._session.result(frame_idx)) for frame_idx in sorted(frames)]
        yield *shown, ObjectForgotten(obj_id)

    def _propagate(self, direction: RunDirection) -> Events:
        yield from self._apply()
        prompted = self._session.prompted_frames()
        if not prompted:
            yield Refused("Nothing to track yet: give a point, a box or a mask on a frame first.")
            return
        self._give_up_passes()
        self._clear_lost_objects()
        self._passes = self._plan.passes(direction, prompted)
        self._total, self._done = sum(len(frames) for _, frames in self._passes), 0
        yield from self._run_passes()

    def _run_passes(self) -> Events:
        self._set_finished(False)
        paused = False
        try:
            while self._passes:
                direction, frames = self._passes[0]
                if self._frames is None:
                    self._frames = self._session.propagate(direction, frames[0], frames[-1])
                for result in self._frames:
                    self._passes[0] = (direction, self._passes[0][1][1:])
                    self._swept = self._swept and direction == "forward"
                    yield from self._take(result)
                    if self._pausing.is_set() and self._passes[0][1]:
                        paused = True
                        yield Paused()
                        return
                    yield from self._apply()
                self._frames = None
                self._passes.pop(0)
            yield from self._sweep()
            yield self._save()
            self._set_finished(True)
            yield PassesDone()
        except InputError as error:
            yield Refused(str(error))
        finally:
            if not paused:
                self._give_up_passes()
            self._write_features()

    def _take(self, result: FrameResult) -> Events:
        from napari_sam2_probe.probe.status import PROMPTED_KINDS

        self._writer.write_records(self._recorder.take())
        scores = zip(result.obj_ids, result.object_scores, strict=True)
        self._writer.write_frame(
            result.frame_idx,
            result.labels(),
            result.masks(),
            object_scores=result.object_scores,
            predicted_iou=result.predicted_iou,
            prompted=[kind in PROMPTED_KINDS for kind in result.kinds],
            object_present=[self._recorder.is_present(of, result.frame_idx, float(score)) for of, score in scores],
            obj_ids=result.obj_ids,
        )
        self._done += 1
        self._unsaved.append(result.frame_idx)
        saved = self._save() if time.monotonic() - self._saved > _SAVE_SECONDS else ()
        yield *saved, self._show(result, tracked=True)
        yield Progress(self._done, self._total, f"tracking {self.source.name}", "frame")

    def _sweep(self) -> Events:
        """Bring features up to date where frames were not tracked in time order."""
        if self._swept:
            return
        total = sum(len(self._session.visited_frames(obj_id)) for obj_id in self._session.obj_ids)
        for shown in self._session.sweep():
            yield Progress(shown, total, "comparing frames in time order", "frame")
        self._swept = True

    def _show(self, result: FrameResult, *, tracked: bool = False) -> FrameShown:
        self._masks[result.frame_idx] = result.labels()
        return FrameShown(result.frame_idx, result.obj_ids, result.object_scores, result.predicted_iou, tracked=tracked)

    def _give_up_passes(self) -> None:
        """Forget what is left to track, but where to go on."""
        if self._frames is not None:
            self._frames.close()  # type: ignore[attr-defined]
            self._frames = None
        for direction, frames in self._passes:
            self._plan.stopped(direction, frames)
        self._passes = []

    # The run on disk.

    def _start_run(self, obj_id: int) -> Path:
        from napari_sam2_probe.runs.describe import describe_run
        from napari_sam2_probe.runs.record import RunOptions
        from napari_sam2_probe.runs.writer import RunWriter

        source = self.source
        info = describe_run(source, self._loaded, RunOptions(), self._known)
        info |= {"objects": [obj_id], "live": mark_of_this_process()}
        if self._earlier is not None:
            info["continues"] = str(self._earlier)
        shape = (source.num_frames, source.height, source.width)
        folder = new_run_folder(self._runs_folder, source.name, datetime.now())
        self._writer = RunWriter(folder, (obj_id,), shape, self._loaded.model.hidden_dim, info)
        return folder

    def _save_prompts(self) -> None:
        from napari_sam2_probe.runs.prompts_file import prompts_as_json

        told = self._edits.told
        chosen = [
            {"frame": frame_idx, "object_id": obj_id, "candidate": state.candidate}
            for (frame_idx, obj_id), state in told.items()
            if state.candidate is not None
        ]
        prompts = [state.prompt(key) for key, state in told.items()]
        objects = list(dict.fromkeys(obj_id for _, obj_id in told))
        self._writer.update_info(
            finished=False,
            prompts=prompts_as_json(prompts, self._writer.path),
            chosen_candidates=chosen,
            objects=objects,
            object_names={str(obj_id): name for obj_id, name in self._names.items()},
        )

    def _save(self) -> tuple[FramesSaved, ...]:
        """Bring all frames to disk and return what there is to tell of it."""
        self._writer.flush()
        self._saved = time.monotonic()
        frames, self._unsaved = tuple(self._unsaved), []
        return (FramesSaved(frames),) if frames else ()

    def _write_features(self) -> None:
        self._writer.write_features(self._recorder.features_table(), self._stale())

    def _stale(self) -> Any:
        there = self._session.obj_ids
        nothing = np.zeros(self.source.num_frames, bool)
        rows = [self._recorder.features(of).stale if of in there else nothing for of in self._objects_of_run()]
        return np.stack(rows)

    def _objects_of_run(self) -> Sequence[int]:
        ids: Sequence[int] = self._writer.obj_ids
        return ids

    def _clear_lost_objects(self) -> None:
        """Take out of the run what was tracked of objects whose prompts have been taken back."""
        for obj_id in self._objects_of_run():
            if obj_id not in self._session.obj_ids:
                self._writer.clear_object(obj_id)

    def _set_finished(self, finished: bool) -> None:
        from napari_sam2_probe.runs.describe import now

        times = self._writer.info["times"] | ({"finished": now()} if finished else {})
        self._writer.update_info(finished=finished, times=times)
