"""What the Track panel has of each video: kept while another one is worked on, or while the panel is closed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari_sam2_probe.gui.closing import when_closed

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from napari.layers import Layer

    from napari_sam2_probe.families.loaded import ModelChoice
    from napari_sam2_probe.gui.prompt_layers import PromptLayers
    from napari_sam2_probe.gui.state import VideoEntry
    from napari_sam2_probe.gui.tracking.objects import ObjectEntry
    from napari_sam2_probe.gui.tracking.result_layer import ResultLayer
    from napari_sam2_probe.live.scores import ScoreTable


@dataclass(eq=False)
class TrackingWorkspace:
    """Prompts, masks and numbers of one video.

    Attributes
    ----------
    video
        The video.
    prompts, result, scores
        Its prompt layers, the layer of its masks, and the numbers of its frames.
    objects, obj_id
        Its objects and the one that is chosen, as they were when it was left.
    earlier
        The run that the next one goes on with: its masks are shown until there are others.
    earlier_choice
        The model of that run; None if any model may go on with it.
    """

    video: VideoEntry
    prompts: PromptLayers
    result: ResultLayer
    scores: ScoreTable
    objects: tuple[ObjectEntry, ...] = ()
    obj_id: int = 1
    earlier: Path | None = None
    earlier_choice: ModelChoice | None = None

    def run_before(self, choice: ModelChoice | None) -> Path | None:
        """Return the run that one with this model goes on with: masks of another model are not its own."""
        return self.earlier if self.earlier_choice in (None, choice) else None

    @property
    def is_used(self) -> bool:
        """Whether there is anything to come back to."""
        return bool(self.prompts.layers) or self.earlier is not None

    def close(self) -> None:
        """Let go of the layers; they stay in the viewer."""
        self.prompts.close()
        self.result.close()


class WorkspaceStore:
    """The workspaces that nobody works at, of all videos whose layers are in the viewer."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._kept: dict[Layer, TrackingWorkspace] = {}
        self._closed = False
        viewer.layers.events.removed.connect(self._on_layer_removed)
        # The viewer is held by its workspaces.
        when_closed(viewer, self.close)

    def keep(self, workspace: TrackingWorkspace) -> None:
        """Keep a workspace that is left, if anything is in it."""
        if workspace.is_used and not self._closed:
            self._kept[workspace.video.layer] = workspace
        else:
            workspace.close()

    def take(self, video: VideoEntry) -> TrackingWorkspace | None:
        """Give a video's workspace back; None if it has none, or its frames are others now."""
        workspace = self._kept.pop(video.layer, None)
        if workspace is None or _looks(workspace.video) == _looks(video):
            return workspace
        workspace.close()
        return None

    def close(self) -> None:
        """Close all of them, and keep no more."""
        self._closed = True
        while self._kept:
            self._kept.popitem()[1].close()

    def _on_layer_removed(self, event: Any) -> None:
        workspace = self._kept.pop(event.value, None)
        if workspace is not None:
            workspace.close()


def workspaces_of(viewer: napari.Viewer) -> WorkspaceStore:
    """Return the workspaces of a viewer; a panel that is closed and opened again finds them as they were."""
    if viewer not in _STORES:
        _STORES[viewer] = WorkspaceStore(viewer)
    return _STORES[viewer]


_STORES: WeakKeyDictionary[napari.Viewer, WorkspaceStore] = WeakKeyDictionary()


def _looks(video: VideoEntry) -> tuple[object, ...]:
    source = video.video
    return source.num_frames, source.height, source.width, source.path, source.scaling
