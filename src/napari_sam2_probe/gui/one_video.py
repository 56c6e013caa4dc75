"""One video at a time is seen where several lie in one place: each brings its layers and takes them out of sight."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet, ref

import numpy as np

from napari_sam2_probe.gui.adding import turns_of
from napari_sam2_probe.gui.layer_order import belongs_to, layers_of
from napari_sam2_probe.gui.state import state_of
from napari_sam2_probe.gui.time_axis import show_frame, shown_frame

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer

    from napari_sam2_probe.gui.state import VideoEntry


def show_one_video(viewer: napari.Viewer) -> None:
    """Hide what belongs to a video while another in its place is worked on; calling it twice is harmless.

    A video that is deleted takes with it what was made for it: ground truth, masks, prompts.
    """
    if viewer not in _SHOWN:
        _SHOWN[viewer] = _OneVideo(viewer)


class _OneVideo:
    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = ref(viewer)
        video = state_of(viewer).video
        self._layer: ref[Layer] | None = None if video is None else ref(video.layer)
        self._hidden: WeakSet[Layer] = WeakSet()
        self._frames: WeakKeyDictionary[Layer, int] = WeakKeyDictionary()
        state_of(viewer).video_changed.connect(self._on_video)
        viewer.layers.events.removed.connect(self._on_removed)

    def _on_video(self, video: VideoEntry | None) -> None:
        viewer = self._viewer()
        if viewer is None or video is None:
            return
        before = None if self._layer is None else self._layer()
        self._layer = ref(video.layer)
        if before is video.layer:
            return
        replaced = before is not None and before in viewer.layers and _overlap(before, video.layer)
        if before is not None and replaced:
            self._frames[before] = shown_frame(viewer, before)
            self._hide(viewer, before)
        if replaced or video.layer in self._hidden:
            self._show(viewer, video.layer)
            _fit(viewer, video.layer)
            show_frame(viewer, self._frames.get(video.layer, 0), video.layer)

    def _hide(self, viewer: napari.Viewer, video: Layer) -> None:
        for layer in layers_of(viewer, video):
            if layer.visible:
                layer.visible = False
                self._hidden.add(layer)

    def _show(self, viewer: napari.Viewer, video: Layer) -> None:
        for layer in layers_of(viewer, video):
            if layer in self._hidden:
                self._hidden.discard(layer)
                layer.visible = True

    def _on_removed(self, event: Any) -> None:
        viewer, video = self._viewer(), event.value
        if viewer is None:
            return
        for layer in viewer.layers:
            if belongs_to(layer, video):
                # Hidden at once, for what is removed between two drawings has crashed software OpenGL. Removed later:
                # napari is not done with removing the video, and may be about to remove this one too.
                layer.visible = False
                turns_of(viewer).add(partial(_remove, ref(viewer), ref(layer)))


_SHOWN: WeakKeyDictionary[napari.Viewer, _OneVideo] = WeakKeyDictionary()


def _remove(viewer: ref[napari.Viewer], layer: ref[Layer]) -> None:
    of, gone = viewer(), layer()
    if of is not None and gone is not None and gone in of.layers:
        of.layers.remove(gone)


def _overlap(one: Layer, other: Layer) -> bool:
    """Whether some of a video is drawn over the other."""
    (low, high), (others_low, others_high) = (layer.extent.world[:, -2:] for layer in (one, other))
    return bool(np.all((low < others_high) & (others_low < high)))


def _fit(viewer: napari.Viewer, layer: Layer) -> None:
    # Beside layers of more axes napari takes the last axes of this one for others; then all is fitted.
    viewer.fit_to_view(layers=[layer] if layer.ndim == viewer.dims.ndim else None)
