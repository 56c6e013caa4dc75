"""Layers that come one a turn of the event loop: each takes napari up to a tenth of a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from napari_sam2_probe.gui.closing import when_closed
from napari_sam2_probe.gui.layer_order import Rank, insert_in_order, rank_of
from napari_sam2_probe.gui.outlines import outline
from napari_sam2_probe.gui.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import napari
    from napari.layers import Layer

    from napari_sam2_probe.gui.layers import LayerData


def add_in_turns(
    viewer: napari.Viewer, layers: Sequence[LayerData], on_added: Callable[[Layer], Any] = lambda _: None
) -> Layer:
    """Add layers from the bottom up: the first at once, and active, the others one a turn.

    What belongs to a video takes its place in the order of that video's layers; anything else comes directly above the
    one before it, wherever the user has moved that meanwhile. With one that the user has removed, those above it stay
    away too. What is active then stays active. Nothing comes after the viewer's end.

    Parameters
    ----------
    viewer
        Where to.
    layers
        What the layers are made of, bottom first; at least one.
    on_added
        Called with each of the others when it is there.

    Returns
    -------
    Layer
        The first.
    """
    from napari.layers import Layer

    first = Layer.create(*layers[0])
    viewer.layers.append(first)
    viewer.layers.selection.active = first
    turns_of(viewer).run(_add(ref(viewer), first, layers[1:], on_added))
    return first


def turns_of(viewer: napari.Viewer) -> Turns:
    """Return the turns in which layers come into a viewer; they end with its window."""
    if viewer not in _TURNS:
        _TURNS[viewer] = turns = Turns()
        when_closed(viewer, turns.close)
    return _TURNS[viewer]


_TURNS: WeakKeyDictionary[napari.Viewer, Turns] = WeakKeyDictionary()


def _insert_above(viewer: napari.Viewer, below: Layer, layer: Layer) -> None:
    layers = viewer.layers
    active = layers.selection.active
    layers.insert(layers.index(below) + 1, layer)
    if active is not None:
        layers.selection.active = active


def _add(
    to_viewer: ref[napari.Viewer], below: Layer, layers: Sequence[LayerData], on_added: Callable[[Layer], Any]
) -> Iterator[None]:
    from napari.layers import Layer

    for data in layers:
        # A labels layer takes long to make already.
        layer = Layer.create(*data)
        outline(layer)
        yield
        viewer = to_viewer()
        if viewer is None or below not in viewer.layers:
            return
        if rank_of(layer) in (None, Rank.VIDEO):
            _insert_above(viewer, below, layer)
        else:
            insert_in_order(viewer, layer)
        on_added(layer)
        below = layer
        del viewer
        yield
