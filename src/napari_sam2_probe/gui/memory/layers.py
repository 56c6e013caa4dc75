"""The layers that the Memory panel adds: a second prediction, and which pixels read a memory; never active."""

from __future__ import annotations

import textwrap
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from napari_sam2_probe.figures.style import OUTCOME_COLOUR
from napari_sam2_probe.gui.adding import turns_of
from napari_sam2_probe.gui.layer_order import insert_in_order
from napari_sam2_probe.gui.layers import METADATA_KEY, OTHER_OUTCOME, READERS, map_transform
from napari_sam2_probe.gui.map_layers import video_to_world
from napari_sam2_probe.gui.videos import placement
from napari_sam2_probe.live.mask_stack import MaskStack
from napari_sam2_probe.video.frame_stack import FrameStack

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels, Layer
    from napari.utils.colormaps import Colormap
    from numpy.typing import NDArray

READERS_OPACITY = 0.75
_NAME = 60
"""Letters of a layer's name that say what is changed."""
_SMALL = 300
"""Pixels of a video's longer side up to which one of them is a line that is seen."""


class _OwnLayer:
    """One layer that comes and goes; the user may delete it too."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._layer: Layer | None = None

    @property
    def layer(self) -> Layer | None:
        """The layer, if it is in the viewer."""
        return self._layer if self._layer in self._viewer.layers else None

    def clear(self) -> None:
        """Take the layer out of the viewer."""
        layer, self._layer = self.layer, None
        if layer is not None:
            self._viewer.layers.remove(layer)

    def _fitting(self, shape: tuple[int, ...], run: Any) -> Layer | None:
        """Return the layer if it can show other data: to make one takes napari long."""
        layer = self.layer
        fits = layer is not None and layer.data.shape == shape and layer.metadata[METADATA_KEY]["run"] == str(run)
        return layer if fits else None


class OutcomeLayer(_OwnLayer):
    """Shows what frames come to with another bank, as outlines over the prediction.

    Parameters
    ----------
    viewer
        The viewer.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__(viewer)
        self._masks: MaskStack | None = None

    def begin(self, shape: tuple[int, int, int], what: str, run: Any, video: Layer) -> None:
        """Show nothing yet of another outcome.

        Parameters
        ----------
        shape
            (T, H, W) of the video.
        what
            What is changed, as the layer's name says it.
        run
            The run's folder.
        video
            A layer that lies where the run's video lies.
        """
        name = f"what if · {textwrap.shorten(what, _NAME, placeholder=' …')}"
        self._masks = MaskStack(shape)
        layer = self._fitting(shape, run)
        if layer is not None:
            layer.data, layer.name = self._masks, name
            return
        super().clear()
        from napari.layers import Labels
        from napari.utils.colormaps import DirectLabelColormap

        self._layer = layer = Labels(
            self._masks,
            name=name,
            opacity=1.0,
            colormap=DirectLabelColormap(color_dict={None: "transparent", 1: OUTCOME_COLOUR}),
            metadata={METADATA_KEY: {"content": OTHER_OUTCOME, "run": str(run)}},
            **_over(video),
        )
        layer.contour = 1 if max(shape[1:]) <= _SMALL else 3
        layer.editable = False
        turns_of(self._viewer).add(partial(self._insert, layer, ref(video)))

    def put(self, frame: int, mask: NDArray[np.bool_]) -> None:
        """Show the mask (H, W) of a frame."""
        if self._masks is not None:
            self._masks[frame] = mask.astype(np.uint16)
            layer = self.layer
            if layer is not None:
                layer.refresh()

    def clear(self) -> None:
        """Take the layer out of the viewer."""
        super().clear()
        self._masks = None

    def _insert(self, layer: Labels, video: ref[Layer]) -> None:
        below = video()
        if layer is self._layer and below is not None and below in self._viewer.layers:
            insert_in_order(self._viewer, layer, below)


class ReadersLayer(_OwnLayer):
    """Shows which pixels of one frame read a memory, or a part of it.

    Parameters
    ----------
    viewer
        The viewer.
    """

    def show(
        self, heat: NDArray[np.float32], frame: int, shape: tuple[int, int, int], what: str, run: Any, video: Layer
    ) -> None:
        """Show heat (h, w) over a frame of a video of the given shape (T, H, W), instead of what was shown before."""
        stack = _OneFrame(np.sqrt(heat / max(float(heat.max()), 1e-12)), frame, shape[0])
        layer = self._fitting(stack.shape, run)
        if layer is not None:
            layer.data = stack
            layer.name = f"reads {what}"
            return
        self.clear()
        from napari.layers import Image

        self._layer = Image(
            stack,
            name=f"reads {what}",
            opacity=READERS_OPACITY,
            colormap=_from_nothing(),
            contrast_limits=(0.0, 1.0),
            interpolation2d="linear",
            cache=False,
            metadata={METADATA_KEY: {"content": READERS, "run": str(run)}},
            **map_transform((stack.shape[1], stack.shape[2]), (shape[1], shape[2])),
            axis_labels=video.axis_labels[-3:],
            affine=video_to_world(video),
            units=video.units[-3:],
        )
        insert_in_order(self._viewer, self._layer, video)


class _OneFrame(FrameStack):
    """A stack that is 0, drawn transparent, on all frames but one."""

    def __init__(self, picture: NDArray[np.float32], frame: int, num_frames: int) -> None:
        super().__init__((num_frames, *picture.shape), np.float32)
        self._picture, self._frame = np.asarray(picture, np.float32), frame

    def read(self, frame_idx: int) -> NDArray[np.float32]:
        """Return a frame (h, w)."""
        return self._picture if frame_idx == self._frame else np.zeros(self.shape[1:], np.float32)


def _from_nothing() -> Colormap:
    """Return a colour map whose lowest value is transparent, so that frames and pixels without heat show the video."""
    from napari.utils.colormaps import Colormap, ensure_colormap

    colours = np.array(ensure_colormap("inferno").colors)
    colours[:, 3] = np.linspace(0, 1, len(colours))
    return Colormap(colours, name="inferno from transparent")


def _over(video: Layer) -> dict[str, Any]:
    if video.ndim == 3:
        return placement(video)
    # The axes before time, and those of colour, are not the masks'.
    return {"affine": video_to_world(video), "units": video.units[-3:], "axis_labels": video.axis_labels[-3:]}
