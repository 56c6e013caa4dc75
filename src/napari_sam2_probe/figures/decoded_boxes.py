"""Boxes decoded from object pointers on the frames they belong to (the paper's figures 14 and 15)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.decoder.boxes import box_iou
from napari_sam2_probe.figures.overlays import show_frame
from napari_sam2_probe.figures.pictures import picture_grid
from napari_sam2_probe.figures.style import DOUBLE_COLUMN, add_legend, publication_style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray

DECODED_COLOUR = "#EE7733"
TRUE_COLOUR = "#FFFFFF"


@dataclass(frozen=True)
class BoxFrame:
    """A frame with the box that its object pointer says, and the true one.

    Attributes
    ----------
    title
        What is seen (``"Obscured, frame 12"``).
    frame
        (H, W, 3) uint8 RGB.
    decoded
        (4,) float: ``[xmin / W, ymin / H, (xmax + 1) / W, (ymax + 1) / H]``; NaN for none.
    truth
        (4,) float, the same of the true mask; NaN where the object is not seen.
    """

    title: str
    frame: NDArray[np.uint8]
    decoded: NDArray[np.float64]
    truth: NDArray[np.float64]


def draw_box_frame(axes: Axes, box_frame: BoxFrame) -> None:
    """Draw a frame, the decoded box with its centre, the true box with its own, and below how far they agree.

    Parameters
    ----------
    axes
        Where to draw.
    box_frame
        What to draw.
    """
    height, width = box_frame.frame.shape[:2]
    show_frame(axes, box_frame.frame)
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    _draw_box(axes, box_frame.truth, (height, width), TRUE_COLOUR, dashed=True)
    _draw_box(axes, box_frame.decoded, (height, width), DECODED_COLOUR, dashed=False)
    axes.set_title(box_frame.title, pad=2)
    overlap = float(box_iou(box_frame.decoded, box_frame.truth))
    said = f"IoU {overlap:.2f}" if np.isfinite(overlap) else "object not seen"
    axes.annotate(
        said,
        (0.5, 0),
        xycoords="axes fraction",
        xytext=(0, -2),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=6.5,
        color=DECODED_COLOUR,
    )


def make_decoded_boxes(box_frames: Sequence[BoxFrame], *, columns: int = 4, width: float = DOUBLE_COLUMN) -> Figure:
    """Make the figure of several frames in reading order, with a legend.

    Parameters
    ----------
    box_frames
        At least one.
    columns
        Frames in a row at most.
    width
        In inches; the height follows from the shape of the first frame.
    """
    height, frame_width = box_frames[0].frame.shape[:2]
    with publication_style():
        figure, grid = picture_grid(len(box_frames), (height, frame_width), columns=columns, width=width, below=1)
        for axes, box_frame in zip(grid.flat, box_frames, strict=False):
            draw_box_frame(axes, box_frame)
        legend = add_legend(figure, _handles(), loc="lower center")
        legend.borderaxespad = 0.2
    return figure


def _handles() -> list[Line2D]:
    from matplotlib import patheffects
    from matplotlib.lines import Line2D

    dark = [patheffects.withStroke(linewidth=2.2, foreground="black", alpha=0.7)]
    decoded = Line2D([], [], color=DECODED_COLOUR, marker="+", label="decoded from the object pointer, with its centre")
    truth = Line2D([], [], color=TRUE_COLOUR, linestyle=(0, (3, 1.5)), marker="x", label="true box", path_effects=dark)
    return [decoded, truth]


def _draw_box(axes: Axes, edges: NDArray[np.float64], size: tuple[int, int], colour: str, *, dashed: bool) -> None:
    from matplotlib import patheffects
    from matplotlib.patches import Rectangle

    if not np.isfinite(edges).all():
        return
    height, width = size
    # Edges are those of pixels, half a pixel off their centres.
    x0, y0, x1, y1 = np.asarray(edges) * (width, height, width, height) - 0.5
    dark = [patheffects.withStroke(linewidth=2.2, foreground="black", alpha=0.7)]
    style = (0, (3, 1.5)) if dashed else "-"
    box = Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=colour, linewidth=1.1, linestyle=style, zorder=4)
    box.set_path_effects([*dark])
    axes.add_patch(box)
    axes.plot(
        [(x0 + x1) / 2],
        [(y0 + y1) / 2],
        linestyle="none",
        marker="x" if dashed else "+",
        markersize=5,
        markeredgewidth=1.0,
        color=colour,
        path_effects=dark,
        zorder=5,
    )
