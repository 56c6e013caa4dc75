"""The interactive session for scripts and notebooks: prompts, undo, tracking that can stop at any frame, recorded."""

from __future__ import annotations

import weakref
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.progress import ignore_progress
from napari_sam2_probe.common.temporary import TemporaryFolder
from napari_sam2_probe.families.loaded import Model, ModelChoice, as_model
from napari_sam2_probe.live.autosave import mark_of_this_process
from napari_sam2_probe.live.frame_step import Candidates, FrameStep, StepTensors
from napari_sam2_probe.live.going_on import check_can_go_on, check_options, do_again, kept_info, made_again, put_back
from napari_sam2_probe.live.recorded_session import RecordedSession
from napari_sam2_probe.models.device import oom_as_sentence
from napari_sam2_probe.runs.layout import is_run
from napari_sam2_probe.runs.place import check_new_path
from napari_sam2_probe.runs.reader import open_run
from napari_sam2_probe.runs.record import describe_stop
from napari_sam2_probe.runs.recorded import check_model, recorded_options
from napari_sam2_probe.runs.recorded_steps import recorded_steps
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.tracking.steps import PromptStep
from napari_sam2_probe.video.open import open_video
from napari_sam2_probe.video.source import FrameSource
from napari_sam2_probe.video.video import truth_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from napari_sam2_probe.common.progress import ProgressCallback
    from napari_sam2_probe.live.plan import RunDirection
    from napari_sam2_probe.runs.options import RunOptions
    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.tracking.observer import FramePass
    from napari_sam2_probe.tracking.results import FrameResult
    from napari_sam2_probe.video.truth import ClipTruth


class Session:
    """SAM 2 on one video, step by step, everything recorded.

    ::

        with Session("dog.mp4", model="sample", out="run") as session:
            session.prompt(Prompt.from_points(0, 1, [[120, 80]], [1]))
            for step in session.propagate():
                if step.scores[1] < 0:
                    break
            session.prompt(Prompt.from_points(step.frame, 1, [[130, 84]], [1]))
            list(session.propagate())

    Not safe for several threads at once: one thread at a time calls it.

    Parameters
    ----------
    video
        A path, an array, a `FrameSource`, or anything whose ``frames`` are one.
    model
        A loaded model, a `ModelChoice`, the name or file of a checkpoint, or ``"auto"`` for the best one there is.
    out
        The run's folder. If it holds a run of the same video and model, that one goes on: all that was done in it is
        done again first, which takes about as long as it took, since the memories of SAM 2 are not kept on disk.
        Without a folder the run is in a temporary one, which goes with this object.
    options
        How features are computed, and whether position 5u is recorded.
    truth
        What a recipe tells of the frames; None: what the data set that the video lies in tells, if it is a clip.
    progress
        Called while an earlier run is done again.

    Raises
    ------
    InputError
        If video or model can't be used, or the folder holds something else.
    """

    def __init__(
        self,
        video: Any,
        *,
        model: Model | ModelChoice | Path | str = "auto",
        out: Path | str | None = None,
        options: RunOptions | None = None,
        truth: ClipTruth | None = None,
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        self._recorded: RecordedSession | None = None
        self._tensors: StepTensors | None = None
        self._shown: dict[int, Mapping[str, Any]] = {}
        self._last_key: tuple[int, int] | None = None
        self._pass = 0
        self._stack = ExitStack()
        with ExitStack() as on_error:
            on_error.push(self._stack)
            self.source = self._open(video)
            self.path = self._temporary_folder() if out is None else Path(out)
            put_back(self.path)
            earlier = open_run(self.path) if is_run(self.path) else None
            if earlier is None:
                check_new_path(self.path)
            else:
                check_can_go_on(earlier, self.source)
            self.model = as_model(model)
            truth = truth or truth_of(self.source)
            if earlier is None:
                self._recorded = self._begin(options, truth, {})
            else:
                self._recorded = self._go_on(earlier, options, truth, progress)
            on_error.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self.close(error)

    def __repr__(self) -> str:
        state = "closed" if self._recorded is None else f"objects {list(self._recorded.session.obj_ids)}"
        return f"<session on {self.source.name} with {self.model.checkpoint.name}, {state}, in {self.path}>"

    # Prompts.

    def prompts(self, object_id: int) -> dict[int, Prompt]:
        """Return what is said of an object now, by frame; nothing of one that was not named yet."""
        session = self._open_session.session
        return session.prompts(object_id) if object_id in session.obj_ids else {}

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The objects, in the order in which they were added."""
        return self._open_session.session.obj_ids

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return self._open_session.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is something to redo."""
        return self._open_session.can_redo

    def prompt(self, prompt: Prompt) -> FrameStep:
        """Give a prompt: all there is to say about an object on a frame, replacing what was said there before.

        On a frame that was tracked already this is a correction. Tracking goes on from there the next time.

        Raises
        ------
        InputError
            If it doesn't fit the video; then nothing has changed, and there is nothing more to undo.
        """
        if not isinstance(prompt, Prompt):
            raise InputError(f"{prompt!r} is not a prompt: make one of points, a box or a mask.")
        with self._stepping() as recorded:
            result = recorded.add_prompt(prompt)
        self._last_key = (prompt.frame_idx, prompt.obj_id)
        return self._step(result)

    def candidates(self, frame: int | None = None, object_id: int | None = None) -> Candidates | None:
        """Return the masks that SAM 2 considered for a prompt, by default the last one; None if it considered one."""
        frame_idx, obj_id = self._key(frame, object_id)
        found = self._open_session.session.candidates(frame_idx, obj_id)
        return None if found is None else Candidates(frame_idx, obj_id, *found)

    def choose(self, index: int, frame: int | None = None, object_id: int | None = None) -> FrameStep:
        """Take another of the `candidates` as the mask of a prompt, by default of the last one.

        Raises
        ------
        InputError
            If there is no such candidate, or the object was tracked since.
        """
        with self._stepping() as recorded:
            return self._step(recorded.choose_candidate(*self._key(frame, object_id), index))

    def clear(self, frame: int, object_id: int) -> FrameStep:
        """Take back all that was said about an object on a frame."""
        with self._stepping() as recorded:
            return self._step(recorded.clear_prompt(frame, object_id))

    def undo(self) -> FrameStep | None:
        """Undo the last prompt, choice or clearing; None if there is nothing to undo.

        Frames that were tracked with it stay as they are until they are tracked again.
        """
        with self._stepping() as recorded:
            return self._step_or_none(recorded.undo())

    def redo(self) -> FrameStep | None:
        """Redo what was undone last; None if there is nothing to redo."""
        with self._stepping() as recorded:
            return self._step_or_none(recorded.redo())

    def remove(self, object_id: int) -> None:
        """Delete an object with its prompts and masks; this can't be undone.

        Raises
        ------
        InputError
            If there is no such object.
        """
        with self._stepping() as recorded:
            if object_id not in recorded.session.obj_ids:
                there = ", ".join(map(str, recorded.session.obj_ids)) or "none"
                raise InputError(f"There is no object {object_id} (objects: {there}).")
            recorded.remove_object(object_id)

    # Tracking.

    def propagate(
        self, direction: RunDirection = "forward", start: int | None = None, end: int | None = None
    ) -> Iterator[FrameStep]:
        """Track all objects, giving each frame as it is done.

        The iterator may wait at any frame, also while prompts are given, and may be left for good: `propagate` again
        goes on there.

        Parameters
        ----------
        direction
            Forward or backward in time, or "both": forward, then backward from the earliest prompt.
        start, end
            The first and last frame. By default tracking goes on where it stopped or where prompts have changed since,
            else it begins at the earliest prompt (backward: at the latest), and runs to the end of the video.

        Raises
        ------
        InputError
            If there is no prompt yet, or a frame doesn't fit; while tracking, if an object has no prompt any more.
        """
        if direction not in ("forward", "backward", "both"):
            raise InputError(f"There is no direction {direction!r}: choose forward, backward or both.")
        with self._stepping() as recorded:
            recorded.begin_passes(direction, start, end)
        self._pass += 1
        return self._track(self._pass)

    def _track(self, number: int) -> Iterator[FrameStep]:
        try:
            while True:
                if number != self._pass:
                    raise InputError("Another propagation was begun since: go on with that one.")
                with self._stepping() as recorded:
                    result = recorded.next_frame()
                    recorded.save(only_if_due=True)
                if result is None:
                    break
                yield self._step(result)
            self._sweep()
        finally:
            if number == self._pass and self._recorded is not None:
                self._recorded.give_up_passes()

    def _sweep(self) -> None:
        with self._stepping() as recorded:
            list(recorded.sweep())

    # The run.

    @property
    def run(self) -> ProbeRun:
        """The run as it is now.

        Raises
        ------
        InputError
            If nothing was recorded yet.
        """
        recorded = self._recorded
        if recorded is not None and recorded.writer is not None:
            recorded.write_features()
            recorded.save()
        if not is_run(self.path):
            raise InputError("Nothing is recorded yet: give a prompt first.")
        return open_run(self.path)

    def close(self, error: BaseException | None = None) -> None:
        """Complete the run on disk and give everything else back; calling it twice is harmless.

        Parameters
        ----------
        error
            What ended the session; the run is then marked as unfinished.
        """
        if self._recorded is None:
            return
        try:
            if self._recorded.writer is not None and error is None:
                self._recorded.give_up_passes()
                self._sweep()
                self._recorded.set_finished(True)
        finally:
            recorded, self._recorded = self._recorded, None
            self._expire()
            with self._stack:
                recorded.close(live=None, **({} if error is None else {"stopped": describe_stop(error)}))

    # Parts.

    @property
    def _open_session(self) -> RecordedSession:
        if self._recorded is None:
            raise InputError("The session is closed: begin another one in the same folder to go on.")
        return self._recorded

    @contextmanager
    def _stepping(self) -> Iterator[RecordedSession]:
        """Take a step: what lived of the one before is gone, and "out of memory" becomes a sentence."""
        recorded = self._open_session
        self._expire()
        with oom_as_sentence(self.model.device):
            yield recorded

    def _expire(self) -> None:
        if self._tensors is not None:
            self._tensors.expire()
        self._tensors = None
        self._shown = {}

    def _step(self, result: FrameResult) -> FrameStep:
        self._tensors = StepTensors(result.frame_idx, lambda of: self._tensors_of(result.frame_idx, of), result.obj_ids)
        return FrameStep.of(result, self._tensors)

    def _step_or_none(self, result: FrameResult | None) -> FrameStep | None:
        return None if result is None else self._step(result)

    def _tensors_of(self, frame_idx: int, obj_id: int) -> Mapping[str, Any]:
        if obj_id in self._shown:
            return self._shown[obj_id]
        recorded = self._open_session
        at = recorded.session.latest_pass(frame_idx, obj_id)
        return {} if at is None else recorded.recorder.prompted_embeddings(at)

    def _on_passed(self, at: FramePass, embeddings: Mapping[str, Any]) -> None:
        self._shown[at.obj_id] = embeddings

    def _key(self, frame: int | None, object_id: int | None) -> tuple[int, int]:
        if self._last_key is None and (frame is None or object_id is None):
            raise InputError("There was no prompt yet: give one first, or name frame and object.")
        last = self._last_key or (0, 0)
        return last[0] if frame is None else frame, last[1] if object_id is None else object_id

    def _open(self, video: Any) -> FrameSource:
        if isinstance(video, FrameSource):
            return video
        source = open_video(video)
        self._stack.callback(source.close)
        return source

    def _temporary_folder(self) -> Path:
        self._folder = TemporaryFolder("sam2-probe-session-")
        return self._folder.path / "run"

    def _begin(self, options: RunOptions | None, truth: ClipTruth | None, info: dict[str, Any]) -> RecordedSession:
        info = {"live": mark_of_this_process(), **info}
        path = self.path
        recorded = RecordedSession(self.source, self.model, lambda: path, options, truth, info=info)
        # Weak, so that the temporary folder goes with this object and not with a cycle of references.
        method = weakref.WeakMethod(self._on_passed)
        recorded.recorder.on_committed = partial(_call, method)
        return recorded

    def _go_on(
        self, earlier: ProbeRun, options: RunOptions | None, truth: ClipTruth | None, progress: ProgressCallback
    ) -> RecordedSession:
        """Do again what was done in an earlier session, in its folder; whatever happens, the folder holds a run."""
        check_model(earlier, self.model)
        steps, before = recorded_steps(earlier), recorded_options(earlier.info["parameters"])
        check_options(earlier, before, options)
        with made_again(self.path):
            recorded = self._begin(before, truth, kept_info(earlier))
            recorded.object_names = {int(of): name for of, name in earlier.info.get("object_names", {}).items()}
            try:
                with oom_as_sentence(self.model.device):
                    do_again(recorded, steps, progress)
            except BaseException:
                recorded.close()
                raise
        self._expire()
        prompts = [step.prompt for step in steps if isinstance(step, PromptStep)]
        self._last_key = (prompts[-1].frame_idx, prompts[-1].obj_id) if prompts else None
        return recorded


def _call(method: weakref.WeakMethod[Any], *arguments: Any) -> None:
    alive = method()
    if alive is not None:
        alive(*arguments)
