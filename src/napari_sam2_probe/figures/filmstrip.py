"""Selected frames of a run with predicted masks, ground truth and object scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.figures.overlays import fill_mask, outline_mask, show_frame
from napari_sam2_probe.figures.pictures import picture_grid
from napari_sam2_probe.figures.style import DOUBLE_COLUMN, add_legend, object_colour, publication_style

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


@dataclass(frozen=True)
class FilmFrame:
    """One frame of a filmstrip.

    Attributes
    ----------
    frame_idx
        Its index in the video.
    frame
        (H, W, 3) uint8 RGB.
    predicted
        (H, W) bool by object id; an empty mask means that SAM 2 sees no object.
    truth
        (H, W) bool by object id; without the objects whose true mask is not known.
    object_scores
        Logit by object id.
    note
        A few words beside the frame's number (``"interjected"``).
    """

    frame_idx: int
    frame: NDArray[np.uint8]
    predicted: Mapping[int, NDArray[np.bool_]]
    truth: Mapping[int, NDArray[np.bool_]] = field(default_factory=dict)
    object_scores: Mapping[int, float] = field(default_factory=dict)
    note: str = ""


def draw_film_frame(axes: Axes, film_frame: FilmFrame) -> None:
    """Draw a frame, its predicted masks as fills and outlines by object, ground truth as white outlines.

    Parameters
    ----------
    axes
        Where to draw.
    film_frame
        What to draw. Scores are written below the frame, each in its object's colour.
    """
    show_frame(axes, film_frame.frame)
    for object_id, mask in film_frame.predicted.items():
        fill_mask(axes, mask, object_colour(object_id))
    for mask in film_frame.truth.values():
        outline_mask(axes, mask, "white", linewidth=0.35)
    note = f" ({film_frame.note})" if film_frame.note else ""
    axes.set_title(f"Frame {film_frame.frame_idx}{note}", pad=2)
    _write_scores(axes, film_frame.object_scores)


def make_filmstrip(film_frames: Sequence[FilmFrame], *, columns: int = 4, width: float = DOUBLE_COLUMN) -> Figure:
    """Make the figure of several frames in reading order, with a legend of objects.

    Parameters
    ----------
    film_frames
        At least one; all of one video.
    columns
        Frames in a row at most.
    width
        In inches; the height follows from the video's shape.
    """
    height, video_width = film_frames[0].frame.shape[:2]
    with publication_style():
        figure, grid = picture_grid(len(film_frames), (height, video_width), columns=columns, width=width, below=1)
        for axes, film_frame in zip(grid.flat, film_frames, strict=False):
            draw_film_frame(axes, film_frame)
        legend = add_legend(figure, _legend(film_frames), loc="lower center")
        legend.borderaxespad = 0.2
    return figure


def _write_scores(axes: Axes, scores: Mapping[int, float]) -> None:
    """Write each object's score under a frame in the object's colour, side by side."""
    for k, (object_id, score) in enumerate(scores.items()):
        text = f"{score:+.1f}".replace("-", "−") if np.isfinite(score) else "not tracked"
        axes.annotate(
            text,
            ((k + 0.5) / len(scores), 0),
            xycoords="axes fraction",
            xytext=(0, -2),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=6,
            color=object_colour(object_id),
        )


def _legend(film_frames: Sequence[FilmFrame]) -> list[Artist]:
    """Give a legend entry for each object, and one for ground truth where it is drawn."""
    from matplotlib import patheffects
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    ids = sorted({object_id for f in film_frames for object_id in f.predicted})
    entries: list[Artist] = [
        Patch(facecolor=object_colour(i), alpha=0.6, label="predicted" if len(ids) == 1 else f"object {i}") for i in ids
    ]
    if any(f.truth for f in film_frames):
        cased = [patheffects.withStroke(linewidth=1.8, foreground="black", alpha=0.7)]
        entries.append(Line2D([], [], color="white", path_effects=cased, label="ground truth"))
    if any(f.object_scores for f in film_frames):
        entries.append(
            Line2D(
                [],
                [],
                linestyle="none",
                marker="$+1.0$",
                markersize=11,
                color="0.35",
                markeredgewidth=0,
                label="object score (logit)",
            )
        )
    return entries
