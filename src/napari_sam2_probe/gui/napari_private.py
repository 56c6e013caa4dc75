"""The few parts of napari that it keeps to itself and that have no public counterpart, all in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    import napari
    from napari.layers import Image, Layer, Shapes
    from napari.window import Window
    from numpy.typing import NDArray
    from qtpy.QtWidgets import QDockWidget, QMainWindow


def main_window(viewer: napari.Viewer) -> QMainWindow:
    """Return the Qt window of a viewer: its docks, its size, and its closing."""
    return viewer.window._qt_window


def drawn_node(viewer: napari.Viewer, layer: Layer) -> Any | None:
    """Return the vispy node that draws a layer on the canvas; None while there is none."""
    visual = viewer.window._qt_viewer.canvas.layer_to_visual.get(layer)
    return None if visual is None else visual.node


def shown_slice(layer: Image) -> NDArray[Any]:
    """Return the part of an image that is drawn now, as it is in the data."""
    shown: NDArray[Any] = layer._data_view
    return shown


def is_drawing(layer: Shapes) -> bool:
    """Return whether the user is still drawing a shape, which then has corners to come."""
    return bool(layer._is_creating)


def docks_by_name(window: Window) -> MutableMapping[str, Any]:
    """Return the docks of a window by the names under which menus find them; what is set here is found too."""
    docks: MutableMapping[str, Any] = window._wrapped_dock_widgets
    return docks


def show_dock_title(dock: QDockWidget, title: str) -> None:
    """Show a short title in the tab and the title bar of a dock.

    napari names docks after plugins too, finds them by that name, which therefore stays, and shows it again when a dock
    comes out of the window or back.
    """
    dock.setWindowTitle(title)
    # The title bar is a widget of napari's own, with a label.
    label = getattr(getattr(dock, "title", None), "title", None)
    if label is not None:
        label.setText(title)
