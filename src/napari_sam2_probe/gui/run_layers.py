"""Runs that come into a viewer as layers (drag and drop, File → Open) become known to the panels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from napari_sam2_probe.gui.layers import METADATA_KEY
from napari_sam2_probe.gui.state import RunEntry, state_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari
    from napari.layers import Layer


def run_content(layer: Layer) -> dict[str, Any] | None:
    """Return what `METADATA_KEY` says of a layer of a run; None for any other layer."""
    content = layer.metadata.get(METADATA_KEY)
    return content if isinstance(content, dict) and "run" in content else None


def layers_of_run(viewer: napari.Viewer, path: Path | str, content: str) -> list[Layer]:
    """Return the layers of a run that hold one content (`layers.METADATA_KEY`), bottom first."""
    found = [(layer, run_content(layer)) for layer in viewer.layers]
    return [layer for layer, is_of in found if is_of and is_of["run"] == str(path) and is_of.get("content") == content]


def watch_run_layers(viewer: napari.Viewer) -> None:
    """Add every run that has a layer in the viewer to its state, now and from now on; every panel may ask for it."""
    if viewer in _WATCHED:
        return
    for layer in viewer.layers:
        _add_run(viewer, layer)
    _WATCHED[viewer] = callback = _adder(viewer)
    viewer.layers.events.inserted.connect(callback)


_WATCHED: WeakKeyDictionary[napari.Viewer, Callable[[Any], None]] = WeakKeyDictionary()


def _adder(viewer: napari.Viewer) -> Callable[[Any], None]:
    weak = ref(viewer)

    def add(event: Any) -> None:
        viewer = weak()
        if viewer is not None:
            _add_run(viewer, event.value)

    return add


def _add_run(viewer: napari.Viewer, layer: Layer) -> None:
    content = run_content(layer)
    if content is None:
        return
    path, state = Path(content["run"]), state_of(viewer)
    # One folder is one run, also while it grows: a panel that shows a map of it adds a layer of it.
    if all(entry.path != path for entry in state.runs):
        state.add_run(RunEntry(path, path.resolve().name))
