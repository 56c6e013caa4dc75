"""Videos as napari layers: one that is opened becomes a layer, and a layer that is there becomes a video."""

from __future__ import annotations

import weakref
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.gui.adding import add_in_turns, turns_of
from napari_sam2_probe.gui.contrib.preference import prefer_own_reader
from napari_sam2_probe.gui.first_layers import prepare_layers
from napari_sam2_probe.gui.layers import (
    AXIS_LABELS,
    METADATA_KEY,
    TRUE_MASKS,
    VIDEO,
)
from napari_sam2_probe.gui.lazy import TrueMaskStack, VideoStack
from napari_sam2_probe.gui.outlines import truth_colormap
from napari_sam2_probe.gui.state import VideoEntry, state_of
from napari_sam2_probe.gui.time_axis import show_frame
from napari_sam2_probe.gui.time_series import take_time_series
from napari_sam2_probe.video import Video, open_video
from napari_sam2_probe.video.layer import layer_video

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import napari
    from napari.layers import Image, Layer

    from napari_sam2_probe.gui.layers import LayerData


def read_video(path: Path | str) -> Video:
    """Open a folder of images, a video file or ``DAVIS_ROOT/SEQUENCE``, with its true masks if they lie beside it.

    Touches no viewer: may run in any thread.

    Raises
    ------
    InputError
        If there is no such video.
    """
    video = open_video(path)
    prepare_layers()
    return video


def video_layers(video: Video) -> list[LayerData]:
    """Return a video, and its true masks if it has some, as layers that are read as they are looked at."""
    about = {"content": VIDEO, "video": video}
    frames: LayerData = (VideoStack(video), {"name": video.name, "rgb": True, **_common(about)}, "image")
    if not video.has_masks:
        return [frames]
    keywords = {
        "name": f"ground truth · {video.name}",
        "opacity": 1.0,
        "colormap": truth_colormap(),
        **_common({"content": TRUE_MASKS, "frames": video}),
    }
    return [frames, (TrueMaskStack(video), keywords, "labels")]


def add_video(viewer: napari.Viewer, video: Video) -> VideoEntry:
    """Add a video to the viewer, a turn later its true masks as a layer of their own, and work on it.

    Parameters
    ----------
    viewer
        Where to.
    video
        Its frames, and its true masks where there are some.
    """
    layer = add_in_turns(viewer, video_layers(video))
    entry = use_video(viewer, VideoEntry(layer, video))
    viewer.dims.set_current_step(0, 0)
    return entry


def use_video(viewer: napari.Viewer, entry: VideoEntry) -> VideoEntry:
    """Work on a video whose layer is in the viewer, until that layer is removed."""
    state_of(viewer).video = entry
    to_viewer = weakref.ref(viewer)
    to_layer = weakref.ref(entry.layer)
    emitter = viewer.layers.events.removed

    def forget(event: Any) -> None:
        if event.value is not to_layer():
            return
        emitter.disconnect(forget)
        of = to_viewer()
        if of is not None and (video := state_of(of).video) is not None and video.layer is event.value:
            state_of(of).video = None

    emitter.connect(forget)
    return entry


def watch_videos(viewer: napari.Viewer) -> None:
    """Work on the first video that is there with its source (a sample, a sequence), and on each that napari opens.

    From now on napari opens video files with this plugin, where the user has not chosen another (`prefer_own_reader`).

    Every panel that needs a video may ask for it.
    """
    if viewer in _WATCHED:
        return
    prefer_own_reader()
    _WATCHED[viewer] = callback = _adopter(viewer)
    for layer in viewer.layers:
        if state_of(viewer).video is None and _has_source(layer):
            use_video(viewer, video_from_layer(layer))
    viewer.layers.events.inserted.connect(callback)


_WATCHED: weakref.WeakKeyDictionary[napari.Viewer, Callable[..., None]] = weakref.WeakKeyDictionary()


def _adopter(viewer: napari.Viewer) -> Callable[..., None]:
    weak = weakref.ref(viewer)

    def adopt(event: Any) -> None:
        viewer, layer = weak(), event.value
        if viewer is None or not _has_source(layer):
            return
        # What panels open they work on themselves.
        if state_of(viewer).video is None or layer.source.sample is not None or layer.source.reader_plugin is not None:
            use_video(viewer, video_from_layer(layer))
            # napari goes to the middle of its first layer, and from there one would only track half of it.
            turns_of(viewer).add(partial(_show_first_frame, weak, weakref.ref(layer)))

    return adopt


def _show_first_frame(to_viewer: weakref.ref[napari.Viewer], to_layer: weakref.ref[Layer]) -> None:
    viewer, layer = to_viewer(), to_layer()
    if viewer is not None and layer is not None and layer in viewer.layers:
        show_frame(viewer, 0, layer)


def _has_source(layer: Layer) -> bool:
    about = layer.metadata.get(METADATA_KEY, {})
    return about.get("content") == VIDEO and about.get("video") is not None and "run" not in about


def is_image(layer: Layer) -> bool:
    """Whether a layer holds images."""
    from napari.layers import Image

    return isinstance(layer, Image)


def is_video_layer(layer: Layer) -> bool:
    """Whether a layer can be worked on as a video, or a part of it: an image over time, and none of our maps."""
    about = layer.metadata.get(METADATA_KEY, {})
    return is_image(layer) and layer.ndim >= 3 and about.get("content", VIDEO) == VIDEO


def layer_to_work_on(viewer: napari.Viewer, layer: Image) -> Image:
    """Return the layer itself, or where it has more axes than a video, one time series of it (see `time_series`)."""
    if not is_image(layer) or layer.ndim <= 3:
        return layer
    from napari.utils.notifications import show_info

    taken, told = take_time_series(viewer, layer)
    show_info(told)
    return taken


def video_from_layer(layer: Image) -> VideoEntry:
    """Return the video that an image layer shows.

    A layer that `add_video` made gives its own video back; any other is taken as `layer_video` does.

    Parameters
    ----------
    layer
        (T, Y, X), or (T, Y, X, 3|4) shown in colour; uint8, uint16 or float; NumPy, dask or zarr, multiscale too.

    Raises
    ------
    InputError
        If the layer has fewer or more axes, or no real numbers.
    """
    about = layer.metadata.get(METADATA_KEY, {})
    if about.get("video") is not None:
        return VideoEntry(layer, about["video"])
    if not is_image(layer):
        what = type(layer).__name__.lower()
        raise InputError(f"The layer {layer.name!r} holds {what}, not images: choose an image layer.")
    return VideoEntry(layer, layer_video(layer))


def placement(layer: Layer) -> dict[str, Any]:
    """Return the layer arguments that lay another (T, Y, X) layer of the same size exactly over this one."""
    return {
        "scale": np.array(layer.scale),
        "translate": np.array(layer.translate),
        "rotate": np.array(layer.rotate),
        "shear": np.array(layer.shear),
        "affine": np.array(layer.affine.affine_matrix),
        "units": layer.units,
        "axis_labels": layer.axis_labels,
    }


def _common(about: dict[str, Any]) -> dict[str, Any]:
    return {"axis_labels": AXIS_LABELS, "metadata": {METADATA_KEY: about}}
