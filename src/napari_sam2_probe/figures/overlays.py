"""What lies on top of a picture of a frame: the picture's axes, mask outlines, fills and prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.figures.style import object_colour

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from matplotlib.patches import PathPatch
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class DrawnPrompts:
    """The prompts that a user gave on one frame, in pixels of the video (x right, y down, pixel centres whole).

    Attributes
    ----------
    points
        (N, 2) float, x and y.
    positive
        (N,) bool, whether each point is on the object (True) or off it (False).
    box
        (x0, y0, x1, y1), or None.
    """

    points: tuple[tuple[float, float], ...] = ()
    positive: tuple[bool, ...] = ()
    box: tuple[float, float, float, float] | None = None


def show_frame(axes: Axes, frame: NDArray[np.uint8]) -> AxesImage:
    """Show an RGB frame, one axis unit a video pixel, without ticks.

    Parameters
    ----------
    axes
        Where to draw.
    frame
        (H, W, 3) uint8.
    """
    height, width = frame.shape[:2]
    image = axes.imshow(frame, extent=video_extent(height, width), interpolation="antialiased")
    bare(axes)
    return image


def video_extent(height: int, width: int) -> tuple[float, float, float, float]:
    """Give the extent (left, right, bottom, top) of the whole video in pixel coordinates, centres on integers."""
    return (-0.5, width - 0.5, height - 0.5, -0.5)


def bare(axes: Axes) -> None:
    """Take ticks and frame off axes that hold a picture."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def fill_mask(axes: Axes, mask: ArrayLike, colour: str, *, alpha: float = 0.45) -> AxesImage:
    """Lay one object's mask over a frame as a half transparent colour.

    Parameters
    ----------
    axes
        Axes that show the frame (`show_frame`).
    mask
        (H, W) bool.
    colour
        A matplotlib colour.
    alpha
        Opacity in [0, 1].
    """
    from matplotlib.colors import to_rgb

    mask = np.asarray(mask, dtype=bool)
    layer = np.zeros((*mask.shape, 4), dtype=np.float32)
    layer[..., :3] = to_rgb(colour)
    layer[..., 3] = mask * alpha
    # Edges keep the object's colour while the opacity fades: colour under transparent pixels is set, not black.
    return axes.imshow(layer, extent=video_extent(*mask.shape), interpolation="antialiased")


def outline_mask(axes: Axes, mask: ArrayLike, colour: str, *, linewidth: float = 0.8) -> PathPatch | None:
    """Draw the outline of a mask along its pixel edges, cased in black to be seen on any picture.

    Parameters
    ----------
    axes
        Axes in video pixels (`show_frame`, or a map drawn over the video).
    mask
        (H, W) bool.
    colour
        A matplotlib colour.
    linewidth
        In points.

    Returns
    -------
    matplotlib.patches.PathPatch or None
        The outline; None where the mask is empty.
    """
    from matplotlib import patheffects
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    segments = pixel_edges(mask)
    if not len(segments):
        return None
    vertices = segments.reshape(-1, 2)
    codes = np.tile([Path.MOVETO, Path.LINETO], len(segments))
    patch = PathPatch(
        Path(vertices, codes),
        facecolor="none",
        edgecolor=colour,
        linewidth=linewidth,
        capstyle="projecting",
        zorder=3,
    )
    patch.set_path_effects([patheffects.withStroke(linewidth=1.6 * linewidth + 0.1, foreground="black", alpha=0.7)])
    axes.add_patch(patch)
    return patch


def pixel_edges(mask: ArrayLike) -> NDArray[np.float64]:
    """Find the straight edges between a mask and what is not it.

    Parameters
    ----------
    mask
        (H, W) bool.

    Returns
    -------
    numpy.ndarray
        (N, 2, 2) float: for each edge its two ends as (x, y), in pixel coordinates with centres on integers.
        Edges that lie on one line and touch are joined.
    """
    padded = np.pad(np.asarray(mask, dtype=bool), 1)
    level = _runs_between_rows(padded)
    upright = _runs_between_rows(padded.T)[..., ::-1]
    return np.concatenate([level, upright])


def _runs_between_rows(padded: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Join the horizontal edges of a padded mask into runs: (N, 2, 2) ends as (x, y)."""
    edge = np.pad(padded[1:] != padded[:-1], ((0, 0), (1, 1)))
    starts = np.argwhere(edge[:, 1:-1] & ~edge[:, :-2])
    stops = np.argwhere(edge[:, 1:-1] & ~edge[:, 2:])
    y = starts[:, 0] - 0.5
    # A run covers its pixels from left edge to right edge; index k of the padded mask is pixel k - 1.
    first = np.stack([starts[:, 1] - 1.5, y], axis=-1)
    last = np.stack([stops[:, 1] - 0.5, y], axis=-1)
    return np.stack([first, last], axis=1)


def draw_prompts(axes: Axes, prompts: DrawnPrompts, *, object_id: int = 1) -> list[Artist]:
    """Draw the prompts of one frame: positive points as plus, negative ones as minus, the box as a rectangle.

    Parameters
    ----------
    axes
        Axes in video pixels.
    prompts
        The prompts.
    object_id
        Chooses the colour of the box.
    """
    from matplotlib import patheffects
    from matplotlib.patches import Rectangle

    dark = [patheffects.withStroke(linewidth=2.2, foreground="black")]
    artists: list[Artist] = []
    if prompts.box is not None:
        x0, y0, x1, y1 = prompts.box
        box = Rectangle(
            (x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=object_colour(object_id), linewidth=1.0, zorder=4
        )
        box.set_path_effects([patheffects.withStroke(linewidth=1.8, foreground="black", alpha=0.7)])
        artists.append(axes.add_patch(box))
    for (x, y), positive in zip(prompts.points, prompts.positive, strict=True):
        (mark,) = axes.plot(
            [x],
            [y],
            linestyle="none",
            marker="+" if positive else "_",
            markersize=5.5,
            markeredgewidth=1.1,
            color="#7CFC00" if positive else "#FF4040",
            zorder=5,
            path_effects=dark,
        )
        artists.append(mark)
    return artists
