"""What the Track panel has of each video: kept while another one is worked on, such as a clip's clean twin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from napari.layers import Layer

    from napari_sam2_probe.gui.prompt_layers import PromptLayers
    from napari_sam2_probe.gui.state import VideoEntry
    from napari_sam2_probe.gui.tracking.objects import ObjectEntry
    from napari_sam2_probe.gui.tracking.result_layer import ResultLayer
    from napari_sam2_probe.gui.tracking.scores import ScoreTable


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
    """

    video: VideoEntry
    prompts: PromptLayers
    result: ResultLayer
    scores: ScoreTable
    objects: tuple[ObjectEntry, ...] = ()
    obj_id: int = 1
    earlier: Path | None = None

    @property
    def is_used(self) -> bool:
        """Whether there is anything to come back to."""
        return bool(self.prompts.states) or self.earlier is not None

    def close(self) -> None:
        """Let go of the layers; they stay in the viewer."""
        self.prompts.close()
        self.result.close()


class Desks:
    """The desks of all videos whose layers are in the viewer."""

    def __init__(self) -> None:
        self._kept: dict[Layer, VideoDesk] = {}

    def keep(self, desk: VideoDesk) -> None:
        """Keep a desk that is left, if anything is on it."""
        if desk.is_used:
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

    def drop(self, layer: Layer) -> None:
        """Close the desk of a layer that is gone."""
        desk = self._kept.pop(layer, None)
        if desk is not None:
            desk.close()

    def close(self) -> None:
        """Close all of them."""
        for layer in list(self._kept):
            self.drop(layer)


def _looks(video: VideoEntry) -> tuple[object, ...]:
    source = video.source
    return source.num_frames, source.height, source.width, source.path, source.scaling
