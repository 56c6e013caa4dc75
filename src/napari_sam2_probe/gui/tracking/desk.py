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

    from napari_sam2_probe.gui.prompt_layers import PromptLayers
    from napari_sam2_probe.gui.state import VideoEntry
    from napari_sam2_probe.gui.tracking.objects import ObjectEntry
    from napari_sam2_probe.gui.tracking.result_layer import ResultLayer
    from napari_sam2_probe.gui.tracking.scores import ScoreTable
    from napari_sam2_probe.models.loaded import ModelChoice


@dataclass(eq=False)
class VideoDesk:
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
        return bool(self.prompts.states) or self.earlier is not None

    def close(self) -> None:
        """Let go of the layers; they stay in the viewer."""
        self.prompts.close()
        self.result.close()


class Desks:
    """The desks that nobody works at, of all videos whose layers are in the viewer."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._kept: dict[Layer, VideoDesk] = {}
        self._closed = False
        viewer.layers.events.removed.connect(self._on_layer_removed)
        # The viewer is held by what lies on desks.
        when_closed(viewer, self.close)

    def keep(self, desk: VideoDesk) -> None:
        """Keep a desk that is left, if anything is on it."""
        if desk.is_used and not self._closed:
            self._kept[desk.video.layer] = desk
        else:
            desk.close()

    def take(self, video: VideoEntry) -> VideoDesk | None:
        """Give a video's desk back; None if it has none, or its frames are others now."""
        desk = self._kept.pop(video.layer, None)
        if desk is None or _looks(desk.video) == _looks(video):
            return desk
        desk.close()
        return None

    def close(self) -> None:
        """Close all of them, and keep no more."""
        self._closed = True
        while self._kept:
            self._kept.popitem()[1].close()

    def _on_layer_removed(self, event: Any) -> None:
        desk = self._kept.pop(event.value, None)
        if desk is not None:
            desk.close()


def desks_of(viewer: napari.Viewer) -> Desks:
    """Return the desks of a viewer; a panel that is closed and opened again finds them as they were."""
    if viewer not in _DESKS:
        _DESKS[viewer] = Desks(viewer)
    return _DESKS[viewer]


_DESKS: WeakKeyDictionary[napari.Viewer, Desks] = WeakKeyDictionary()


def _looks(video: VideoEntry) -> tuple[object, ...]:
    source = video.source
    return source.num_frames, source.height, source.width, source.path, source.scaling
