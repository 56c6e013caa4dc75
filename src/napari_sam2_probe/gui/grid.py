"""The maps of a run side by side in napari's grid, with names, and afterwards the layers as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet, ref

import numpy as np

from napari_sam2_probe.gui.layers import METADATA_KEY, PROMPTS, VIDEO
from napari_sam2_probe.gui.map_layers import grid_arrangement, map_of
from napari_sam2_probe.gui.run_layers import run_content

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import napari
    from napari.layers import Layer

    from napari_sam2_probe.gui.map_layers import MapOf

NAME_SIZE = 8
"""Points of the names in cells, which are narrow."""


class MapGrid:
    """Puts the visible layers of a viewer into cells: video and maps in the order of the paper, others after them.

    Prompts, and what lies elsewhere in the world, such as the clean twin beside a clip, are hidden meanwhile: every
    cell shows the same piece of the world.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._before: list[ref[Layer]] | None = None
        self._opacities: WeakKeyDictionary[Layer, float] = WeakKeyDictionary()
        self._named: WeakSet[Layer] = WeakSet()
        self._hidden: list[ref[Layer]] = []
        # No method, which would be held weakly: napari's own button ends the grid also once the panel is closed.
        self._on_enabled: Callable[[Any], None] = lambda _: self._restore()

    @property
    def model(self) -> Any:
        """Napari's grid."""
        return self._viewer.canvas.grid

    def show(self, path: Path, over: Layer | None) -> None:
        """Show the grid with the layers of a run first.

        Parameters
        ----------
        path
            The run.
        over
            A layer that lies where the run's video lies; None: nothing is hidden.
        """
        self._before = [ref(layer) for layer in self._viewer.layers]
        if over is not None:
            self._hide_others(over)
        self.model.enabled = True
        self.model.events.enabled.connect(self._on_enabled)
        self.arrange(path)
        self._fit(over)

    def hide(self) -> None:
        """Show the layers over one another again, in the order in which they were."""
        self.model.enabled = False
        self._fit(None)

    def arrange(self, path: Path) -> None:
        """Order layers anew after maps were shown or hidden; nothing if the grid was not shown by `show`."""
        if self._before is None or not self.model.enabled:
            return
        visible = [layer for layer in self._viewer.layers if layer.visible]
        for layer in visible:
            self._name(layer)
            # Nothing lies under a map in its cell.
            if map_of(layer) is not None and layer not in self._opacities:
                self._opacities[layer] = layer.opacity
                layer.opacity = 1
        order, shape = grid_arrangement([_held(layer, path) for layer in visible])
        self.model.stride = 1
        self.model.shape = shape
        # Hidden layers come last: older versions of napari keep cells for them.
        self._put_first([visible[k] for k in order])

    def _restore(self) -> None:
        self.model.events.enabled.disconnect(self._on_enabled)
        before, self._before = self._before or [], None
        self.model.shape = (-1, -1)
        layers = [layer for weak in before if (layer := weak()) is not None and layer in self._viewer.layers]
        # Layers that came since stay where they are, above.
        self._put_first(layers)
        for layer, opacity in self._opacities.items():
            if layer.opacity == 1:
                layer.opacity = opacity
        self._opacities.clear()
        for layer in self._named:
            layer.name_overlay.visible = False
        self._named.clear()
        for weak in self._hidden:
            if (layer := weak()) is not None:
                layer.visible = True
        self._hidden = []

    def _name(self, layer: Layer) -> None:
        """Write a layer's name into its cell; what doesn't fit is cut off, and what tells maps apart comes first."""
        if not layer.name_overlay.visible:
            layer.name_overlay.font_size = NAME_SIZE
            layer.name_overlay.visible = True
            self._named.add(layer)

    def _hide_others(self, over: Layer) -> None:
        for layer in self._viewer.layers:
            prompts = layer.metadata.get(METADATA_KEY, {}).get("content") == PROMPTS
            if layer.visible and (prompts or not _lies_over(layer, over)):
                layer.visible = False
                self._hidden.append(ref(layer))

    def _fit(self, over: Layer | None) -> None:
        try:
            self._viewer.reset_view(**({} if over is None else {"layers": [over]}))
        except TypeError:
            # napari 0.9.0 looks at everything.
            self._viewer.reset_view()

    def _put_first(self, layers: list[Layer]) -> None:
        for index, layer in enumerate(layers):
            self._viewer.layers.move(self._viewer.layers.index(layer), index)


def _held(layer: Layer, path: Path) -> MapOf | str | None:
    content = run_content(layer)
    if content is None:
        # The video that is tracked now is no layer of the run; what lies elsewhere is hidden.
        return VIDEO if layer.metadata.get(METADATA_KEY, {}).get("content") == VIDEO else None
    return (map_of(layer) or content.get("content")) if content["run"] == str(path) else None


def _lies_over(layer: Layer, other: Layer) -> bool:
    """Whether a layer covers most of another."""
    (top, left), (bottom, right) = other.extent.world[:, -2:]
    own = layer.extent.world[:, -2:]
    shared = np.minimum(own[1], (bottom, right)) - np.maximum(own[0], (top, left))
    return bool((shared > 0).all() and shared.prod() > 0.5 * (bottom - top) * (right - left))
