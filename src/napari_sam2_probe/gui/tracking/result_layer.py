"""The labels layer that shows the masks of a live run, drawn anew no more often than a person can see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from qtpy.QtCore import QTimer

from napari_sam2_probe.gui.adding import turns_of
from napari_sam2_probe.gui.layer_order import insert_in_order
from napari_sam2_probe.gui.layers import MASK_OPACITY, MASKS, METADATA_KEY
from napari_sam2_probe.gui.time_axis import shown_frame
from napari_sam2_probe.gui.videos import placement

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari
    from napari.layers import Labels
    from napari.utils.colormaps import DirectLabelColormap

    from napari_sam2_probe.gui.state import VideoEntry

_REDRAW_MS = 100


class ResultLayer:
    """Adds the layer, and refreshes it when the frame that is looked at has changed.

    Parameters
    ----------
    viewer, video
        Where.

    Attributes
    ----------
    on_redraw
        Called after every time that the layer may have been drawn.
    """

    def __init__(self, viewer: napari.Viewer, video: VideoEntry) -> None:
        self._viewer = viewer
        self._video = video
        self.on_redraw: Callable[[], None] = _do_nothing
        self._layer: Labels | None = None
        self._masks: Any = None
        self._about: dict[str, Any] = {"content": MASKS, "of": ref(video.layer)}
        self._coming = False
        self._changed: set[int] = set()
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REDRAW_MS)
        self._timer.timeout.connect(self._redraw)

    @property
    def layer(self) -> Labels | None:
        """The layer, if it is in the viewer."""
        return self._layer if self._layer in self._viewer.layers else None

    @property
    def _made_layer(self) -> Labels | None:
        """The layer, also while its turn to be inserted has not come."""
        return self._layer if self._coming else self.layer

    def show(self, masks: Any, colormap: DirectLabelColormap) -> None:
        """Show other masks, (T, H, W), in the layer; it is added below prompts if it isn't there."""
        self._masks = masks
        layer = self._made_layer
        if layer is not None:
            layer.data = masks
            return
        from napari.layers import Labels

        self._layer = Labels(
            masks,
            name=f"masks · {self._video.layer.name}",
            opacity=MASK_OPACITY,
            colormap=colormap,
            metadata={METADATA_KEY: self._about},
            **placement(self._video.layer),
        )
        # Painting here would change nothing that SAM 2 knows; masks are painted in the layer for it.
        self._layer.editable = False
        self._coming = True
        # To make it took long already.
        turns_of(self._viewer).add(self._insert)

    def show_again(self, colormap: DirectLabelColormap) -> None:
        """Show the masks that are known in a new layer, if the user has deleted the one that they had."""
        if self._masks is not None and self._made_layer is None:
            self.show(self._masks, colormap)

    def tell_run(self, path: Any) -> None:
        """Note in the layer which run it shows."""
        self._about = {**self._about, "run": str(path)}
        if self._layer is not None:
            self._layer.metadata[METADATA_KEY] = self._about

    def recolour(self, colormap: DirectLabelColormap) -> None:
        """Show objects in other colours."""
        layer = self._made_layer
        if layer is not None:
            layer.colormap = colormap

    def frame_changed(self, frame_idx: int) -> None:
        """Learn that a frame has other masks."""
        self._insert()
        self._changed.add(frame_idx)
        if not self._timer.isActive():
            self._timer.start()

    def close(self) -> None:
        """Refresh no more; the layer stays in the viewer."""
        self._coming = False
        self._timer.stop()

    def _insert(self) -> None:
        if self._coming and self._layer is not None and self._video.layer in self._viewer.layers:
            insert_in_order(self._viewer, self._layer, self._video.layer)
        self._coming = False

    def _redraw(self) -> None:
        layer = self.layer
        if layer is not None and shown_frame(self._viewer, layer) in self._changed:
            layer.refresh()
        self._changed.clear()
        self.on_redraw()

    def rest(self) -> None:
        """Call nobody until somebody works on the video again."""
        self.on_redraw = _do_nothing


def _do_nothing() -> None:
    pass
