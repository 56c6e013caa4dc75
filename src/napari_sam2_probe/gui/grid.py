"""The maps of a run side by side in napari's grid, and afterwards order and opacity of layers as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from napari_sam2_probe.gui.map_layers import grid_arrangement, map_of
from napari_sam2_probe.gui.run_layers import run_content

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from napari.layers import Layer

    from napari_sam2_probe.gui.map_layers import MapOf


class MapGrid:
    """Puts the visible layers of a viewer into cells: video and maps in the order of the paper, others after them."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._before: list[ref[Layer]] | None = None
        self._opacities: WeakKeyDictionary[Layer, float] = WeakKeyDictionary()

    @property
    def model(self) -> Any:
        """Napari's grid."""
        canvas = getattr(self._viewer, "canvas", None)
        return self._viewer.grid if canvas is None else canvas.grid

    def show(self, path: Path) -> None:
        """Show the grid with the layers of a run first."""
        self._before = [ref(layer) for layer in self._viewer.layers]
        self.model.enabled = True
        self.arrange(path)

    def hide(self) -> None:
        """Show the layers over one another again, in the order in which they were."""
        before, self._before = self._before or [], None
        self.model.enabled = False
        self.model.shape = (-1, -1)
        layers = [layer for weak in before if (layer := weak()) is not None and layer in self._viewer.layers]
        # Layers that came since stay where they are, above.
        self._put_first(layers)
        for layer, opacity in self._opacities.items():
            if layer.opacity == 1:
                layer.opacity = opacity
        self._opacities.clear()

    def arrange(self, path: Path) -> None:
        """Order layers anew after maps were shown or hidden; nothing if the grid was not shown by `show`."""
        if self._before is None or not self.model.enabled:
            return
        visible = [layer for layer in self._viewer.layers if layer.visible]
        for layer in visible:
            # Nothing lies under a map in its cell.
            if map_of(layer) is not None and layer not in self._opacities:
                self._opacities[layer] = layer.opacity
                layer.opacity = 1
        order, shape = grid_arrangement([_held(layer, path) for layer in visible])
        self.model.stride = 1
        self.model.shape = shape
        # Hidden layers come last: older versions of napari keep cells for them.
        self._put_first([visible[k] for k in order])

    def _put_first(self, layers: list[Layer]) -> None:
        for index, layer in enumerate(layers):
            self._viewer.layers.move(self._viewer.layers.index(layer), index)


def _held(layer: Layer, path: Path) -> MapOf | str | None:
    content = run_content(layer)
    if content is None or content["run"] != str(path):
        return None
    return map_of(layer) or content.get("content")
