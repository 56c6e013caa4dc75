"""Contrast limits of map layers: read beside the window, and not forced on a layer whose limits the user set."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from napari_sam2_probe.gui.map_layers import load_contrast, map_layers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari
    from napari.layers import Image

    from napari_sam2_probe.gui.background import Background
    from napari_sam2_probe.gui.map_layers import Limits, Sharing
    from napari_sam2_probe.gui.state import RunEntry


class MapContrast:
    """Keeps the limits of the visible maps as they should be, while runs grow and maps come."""

    def __init__(self, viewer: napari.Viewer, background: Background) -> None:
        self._viewer = viewer
        self._background = background
        self._set: WeakKeyDictionary[Image, Limits] = WeakKeyDictionary()

    def watch(self, layer: Image) -> None:
        """Take the limits a layer has as ours, so that they may change until the user sets others; once a layer."""
        self._set.setdefault(layer, tuple(layer.contrast_limits))

    def update(self, entries: Sequence[RunEntry], sharing: Sharing, *, anew: bool) -> None:
        """Read the limits of the maps of some runs that are visible.

        Parameters
        ----------
        entries
            The runs.
        sharing
            As in `share_limits`.
        anew
            Whether limits that the user set go too.
        """
        layers, maps = [], []
        for entry in entries:
            for of, layer in map_layers(self._viewer, entry.path).items():
                if layer.visible:
                    layers.append(layer)
                    maps.append((entry, of))
        if anew:
            # Now, since a later request may replace this one.
            self._set.update((layer, tuple(layer.contrast_limits)) for layer in layers)
        if any(layer in self._set for layer in layers):
            self._background.submit("contrast", lambda: load_contrast(maps, sharing), partial(self._apply, layers))

    def _apply(self, layers: list[Image], limits: list[Limits]) -> None:
        for layer, (low, high) in zip(layers, limits, strict=True):
            if tuple(layer.contrast_limits) == self._set.get(layer):
                least, most = layer.contrast_limits_range
                layer.contrast_limits_range = (min(low, least), max(high, most))
                layer.contrast_limits = (low, high)
                self._set[layer] = tuple(layer.contrast_limits)
