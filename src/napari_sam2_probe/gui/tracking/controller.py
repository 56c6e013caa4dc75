"""The window's side of tracking: what the Track panel shows and does, without its widgets."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import ref

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.families.loaded import ModelChoice
from napari_sam2_probe.gui.connections import Connections
from napari_sam2_probe.gui.preferences import preferences
from napari_sam2_probe.gui.prompt_layers import PromptLayers
from napari_sam2_probe.gui.state import state_of
from napari_sam2_probe.gui.time_axis import show_frame, shown_frame
from napari_sam2_probe.gui.tracking.objects import ObjectList
from napari_sam2_probe.gui.tracking.result_layer import ResultLayer
from napari_sam2_probe.gui.tracking.runner import LiveRunner, Phase
from napari_sam2_probe.gui.tracking.workspace import TrackingWorkspace, workspaces_of
from napari_sam2_probe.live import events
from napari_sam2_probe.live.autosave import default_runs_folder, set_aside
from napari_sam2_probe.live.doubt import next_stretch
from napari_sam2_probe.live.options import LiveOptions
from napari_sam2_probe.live.scores import ScoreTable
from napari_sam2_probe.video import object_ids

if TYPE_CHECKING:
    import napari

    from napari_sam2_probe.gui.state import VideoEntry
    from napari_sam2_probe.live.autosave import UnfinishedRun
    from napari_sam2_probe.live.plan import RunDirection
    from napari_sam2_probe.live.prompt_state import Key, PromptState


class TrackController:
    """Prompts, objects and the live run of the video that is worked on; all of it in the GUI thread.

    Parameters
    ----------
    viewer
        The viewer.
    """

    video_changed = Signal(object)
    """Another `VideoEntry` is worked on, or None; prompts, objects and scores are new."""

    scores_changed = Signal()
    """There are other scores."""

    prompts_changed = Signal()
    """Something else is said about the objects."""

    model_changed = Signal()
    """`choice` is another."""

    candidates_changed = Signal(object, tuple)
    """Frame and object, and the predicted IoU of the masks that SAM 2 considered there; empty for a single one."""

    told = Signal(str)
    """Something that the user should read, but that is no error."""

    refused = Signal(str)
    """What the user asked for can't be done: why."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = ref(viewer)
        self.state = state_of(viewer)
        self.objects = ObjectList()
        self.choice: ModelChoice | None = ModelChoice()
        self.options = LiveOptions()
        wanted = preferences().runs_folder
        self.runs_folder: Path = Path(wanted).expanduser() if wanted else default_runs_folder()
        self.follow = True
        self._workspace: TrackingWorkspace | None = None
        self._workspaces = workspaces_of(viewer)
        self._followed = 0.0
        self._looks_elsewhere = False
        self.runner = LiveRunner(self.state)
        self.runner.happened.connect(self._on_event)
        self.runner.dropped.connect(self._on_dropped)
        self._connections = Connections()
        self._connections.add(viewer.layers.events.removed, self._on_layer_removed)
        self._connections.add(self.runner.phase_changed, self._on_phase)
        self._connections.add(self.state.video_changed, self._set_video)
        self._connections.add(self.state.object_changed, self._on_object)
        self._connections.add(self.objects.changed, self._on_looks)
        self._connections.add(self.objects.removed, self._on_object_removed)
        self._set_video(self.state.video)

    @property
    def video(self) -> VideoEntry | None:
        """The video that is worked on."""
        return None if self._workspace is None else self._workspace.video

    @property
    def prompts(self) -> PromptLayers | None:
        """What is said about its objects."""
        return None if self._workspace is None else self._workspace.prompts

    @property
    def scores(self) -> ScoreTable | None:
        """What is known of its frames."""
        return None if self._workspace is None else self._workspace.scores

    @property
    def viewer(self) -> napari.Viewer | None:
        """The viewer, as long as it is there."""
        return self._viewer()

    # What the panel does.

    def choose_model(self, choice: ModelChoice | None) -> None:
        """Track with another model from now on, or with none; all prompts are said to it when it is first needed."""
        if choice != self.choice:
            # First, because what it has tracked is kept as that model's.
            self.runner.drop()
            self.choice = choice
            self.model_changed.emit()

    def choose_options(self, options: LiveOptions) -> None:
        """Compute and record with other options from now on; the next prompt begins a run of its own."""
        if options != self.options:
            self.runner.drop()
            self.options = options

    def use_runs_folder(self, folder: Path | str) -> None:
        """Keep the next runs in another folder."""
        self.runs_folder = Path(folder)

    def add_object(self, *_: Any) -> None:
        """Add an object, and work on it."""
        self.state.obj_id = self.objects.add().obj_id

    def propagate(self, direction: RunDirection, *_: Any) -> None:
        """Track all objects through the video, or to its beginning."""
        if self._workspace is None or self.runner.phase is Phase.TRACKING:
            return
        if not self._workspace.prompts.states:
            self.told.emit("Add a prompt first: click, box or paint the object.")
        elif self._has_run():
            self.runner.propagate(direction)

    def go_to(self, frame_idx: int) -> None:
        """Show a frame of the video; a tracking that goes on leaves the slider there, the next is followed again."""
        viewer = self._viewer()
        if viewer is not None and self._workspace is not None:
            self._looks_elsewhere = True
            show_frame(viewer, frame_idx, self._workspace.video.layer)

    def doubtful_frames(self) -> dict[int, tuple[int, ...]]:
        """Return the frames of each object that are worth a second look; none that is prompted."""
        if self._workspace is None:
            return {}
        table, states = self._workspace.scores, self._workspace.prompts.states
        found = {}
        for obj_id in self.objects.names:
            prompted = [frame_idx for frame_idx, of in states if of == obj_id]
            found[obj_id] = tuple(table.doubtful_frames(obj_id, prompted).tolist())
        return found

    def go_to_doubtful(self, step: int = 1) -> None:
        """Show the next doubtful frame, or the one before (-1), and work on an object that is doubtful there.

        Of consecutive frames only the first is gone to.
        """
        viewer, doubtful = self._viewer(), self.doubtful_frames()
        if viewer is None or self._workspace is None:
            return
        here = shown_frame(viewer, self._workspace.video.layer)
        frame_idx = next_stretch((frame for frames in doubtful.values() for frame in frames), here, step)
        if frame_idx is None:
            self.told.emit("No frame is doubtful.")
            return
        self.go_to(frame_idx)
        if frame_idx not in doubtful.get(self.state.obj_id, ()):
            self.state.obj_id = next(obj_id for obj_id, frames in doubtful.items() if frame_idx in frames)

    def use_truth(self, *_: Any) -> None:
        """Prompt with the true mask of each object on the shown frame, instead of what was said of it there."""
        viewer = self._viewer()
        if viewer is None or self._workspace is None:
            return
        video, prompts = self._workspace.video, self._workspace.prompts
        frame_idx = shown_frame(viewer, video.layer)
        try:
            labels = video.video.mask(frame_idx)
        except InputError as error:
            self.refused.emit(str(error))
            return
        present = [] if labels is None else object_ids(labels)
        if labels is None or not present:
            what = "no true mask" if labels is None else "no object in its true mask"
            self.told.emit(f"Frame {frame_idx} has {what}: go to a frame that has one.")
            return
        prompts.say_masks(frame_idx, {obj_id: labels == obj_id for obj_id in present})

    def restore(self, run: UnfinishedRun) -> None:
        """Go on with a run that was left unfinished: its prompts are said again and its masks shown."""
        if self._workspace is None:
            return
        states, names = run.restore(self._workspace.video.video)
        self.runner.drop()
        self._workspace.earlier, self._workspace.earlier_choice = run.path, None
        self.objects.reset({obj_id: names.get(obj_id, f"Object {obj_id}") for _, obj_id in states} | names)
        self.state.obj_id = self.objects.entries[0].obj_id
        self._workspace.prompts.restore(states)

    def close(self) -> None:
        """End whatever runs, without waiting for it; calling it twice is harmless."""
        self._connections.close()
        self.runner.close()
        self._leave_workspace()

    def shut_down(self) -> None:
        """End whatever runs and wait for it: the window closes."""
        self.close()
        self.runner.shut_down()

    # The video.

    def _set_video(self, video: VideoEntry | None) -> None:
        if video is self.video:
            return
        self.runner.drop()
        self._leave_workspace()
        viewer = self._viewer()
        if video is None or viewer is None:
            self.objects.reset()
            self.state.obj_id = 1
        else:
            self._workspace = self._workspaces.take(video) or _new_workspace(viewer, video)
            self._workspace.video = video
            self._workspace.result.on_redraw = self._on_redraw
            self.objects.restore(self._workspace.objects)
            self._workspace.prompts.changed.connect(self._on_prompts)
            self._workspace.prompts.refused.connect(self._on_refused)
            self.state.obj_id = self._workspace.obj_id
            self._workspace.prompts.set_object(self.state.obj_id)
        self.runner.keeps_model = self._workspace is not None
        self.video_changed.emit(self.video)

    def _leave_workspace(self) -> None:
        workspace, self._workspace = self._workspace, None
        if workspace is None:
            return
        workspace.prompts.changed.disconnect(self._on_prompts)
        workspace.prompts.refused.disconnect(self._on_refused)
        workspace.result.rest()
        workspace.objects, workspace.obj_id = self.objects.entries, self.state.obj_id
        viewer = self._viewer()
        if viewer is not None and workspace.video.layer in viewer.layers:
            self._workspaces.keep(workspace)
        else:
            workspace.close()

    def _on_layer_removed(self, event: Any) -> None:
        if self._workspace is not None and event.value is self._workspace.video.layer:
            self.state.video = None

    # What the user says.

    def _has_run(self) -> bool:
        """Return whether there is a live run, which is begun if there is none; the user is told why it can't be."""
        assert self._workspace is not None
        if self.choice is None:
            self.refused.emit("The chosen model is not on this machine: download it, or choose another one.")
            return False
        if not self.runner.is_open:
            workspace, before = self._workspace, self._workspace.run_before(self.choice)
            self.runner.open(
                workspace.video, self.choice, self.runs_folder, workspace.prompts.states, before, self.options
            )
        self.runner.name_objects(self.objects.names)
        # Deleted, it stays away until something is asked for whose masks the user will want to see.
        self._workspace.result.show_again(self.objects.colormap())
        return True

    def _on_prompts(self, wishes: dict[Key, PromptState]) -> None:
        for _, obj_id in wishes:
            self.objects.add(obj_id)
        self.prompts_changed.emit()
        if self._has_run():
            self.runner.tell(wishes)

    def _on_refused(self, reason: str) -> None:
        self.refused.emit(reason)

    def _on_redraw(self) -> None:
        self.scores_changed.emit()

    def _on_object(self, obj_id: int) -> None:
        self.objects.add(obj_id)
        if self.prompts is not None:
            self.prompts.set_object(obj_id)
        self.scores_changed.emit()

    def _on_object_removed(self, obj_id: int) -> None:
        if self.prompts is not None:
            self.prompts.remove_object(obj_id)
        if self.scores is not None:
            self.scores.forget(obj_id)
        self.runner.remove_object(obj_id)
        if self.state.obj_id == obj_id and self.objects.entries:
            self.state.obj_id = self.objects.entries[0].obj_id
        self.scores_changed.emit()

    def _on_looks(self) -> None:
        if self.prompts is not None:
            self.prompts.set_looks(self.objects.colours, self.objects.hidden)
        if self._workspace is not None:
            self._workspace.result.recolour(self.objects.colormap())
        self.runner.name_objects(self.objects.names)

    # What the run says.

    def _on_event(self, event: Any) -> None:
        workspace = self._workspace
        if workspace is None:
            return
        if isinstance(event, events.FrameShown):
            workspace.scores.take(event)
            workspace.result.frame_changed(event.frame_idx)
            if event.tracked and self.follow and not self._looks_elsewhere:
                self._show_frame(event.frame_idx)
        elif isinstance(event, events.CandidatesShown):
            self.candidates_changed.emit(event.key, event.predicted_iou)
        elif isinstance(event, events.Refused):
            if event.key is not None and event.applied is not None and not self.runner.asks_for(event.key):
                workspace.prompts.reject(event.key, event.applied)
            self.refused.emit(event.reason)
        elif isinstance(event, events.Ready):
            workspace.result.show(event.masks, self.objects.colormap())
            if event.note:
                self.told.emit(event.note)
        elif isinstance(event, events.RunStarted):
            workspace.result.tell_run(event.path)
            before = workspace.run_before(self.choice)
            if before is not None:
                set_aside(before, event.path.name)
            workspace.earlier = None

    def _on_phase(self, phase: Phase) -> None:
        if phase is Phase.TRACKING:
            self._looks_elsewhere = False

    def _on_dropped(self, path: Path) -> None:
        if self._workspace is not None:
            self._workspace.earlier, self._workspace.earlier_choice = path, self.choice

    def _show_frame(self, frame_idx: int) -> None:
        viewer = self._viewer()
        now = time.monotonic()
        # Not while the mouse is held: what is being drawn would lie on two frames.
        if QGuiApplication.mouseButtons() != Qt.MouseButton.NoButton:
            return
        # No more often than masks are drawn.
        if viewer is not None and self._workspace is not None and now - self._followed > 0.1:
            self._followed = now
            show_frame(viewer, frame_idx, self._workspace.video.layer)


def _new_workspace(viewer: napari.Viewer, video: VideoEntry) -> TrackingWorkspace:
    prompts, result = PromptLayers(viewer, video), ResultLayer(viewer, video)
    return TrackingWorkspace(video, prompts, result, ScoreTable(video.video.num_frames))
