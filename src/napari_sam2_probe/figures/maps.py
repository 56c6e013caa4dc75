"""One map of a channel statistic over the area of the frame it belongs to."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.figures.overlays import bare, video_extent
from napari_sam2_probe.figures.style import NEUTRAL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from numpy.typing import ArrayLike, NDArray

    from napari_sam2_probe.probe.positions import Statistic

COLOUR_MAPS: dict[Statistic, str] = {"mean": "viridis", "variance": "magma"}

DIFFERENCE_COLOURS = "RdBu_r"
"""Of a difference of two maps: white at 0, red above it and blue below."""

SHOWN_PERCENTILES = (0.5, 99.5)
"""What the display limits of a map leave out: a few extreme pixels would else flatten all others."""


def display_limits(values: Iterable[ArrayLike]) -> tuple[float, float] | None:
    """Choose the limits between which maps are shown together.

    Parameters
    ----------
    values
        Maps of any shapes, float; NaN left out.

    Returns
    -------
    (float, float) or None
        The `SHOWN_PERCENTILES` of all finite values, or their extremes where these percentiles are equal;
        None where there is no finite value.
    """
    arrays = [np.asarray(v, dtype=np.float64).ravel() for v in values]
    together = np.concatenate(arrays) if arrays else np.empty(0)
    finite = together[np.isfinite(together)]
    if not finite.size:
        return None
    low, high = np.percentile(finite, SHOWN_PERCENTILES)
    if low == high:
        low, high = finite.min(), finite.max()
    return float(low), float(high)


def symmetric_limits(values: Iterable[ArrayLike]) -> tuple[float, float] | None:
    """Choose the limits between which differences are shown together: as far below 0 as above it.

    Parameters
    ----------
    values
        Differences of any shapes, float; NaN left out.

    Returns
    -------
    (float, float) or None
        The upper one of `SHOWN_PERCENTILES` of all magnitudes, or the largest where that is 0, and its negative; 1 and
        -1 where all differences are 0. None where there is no finite value.
    """
    limits = display_limits(np.abs(np.asarray(v, dtype=np.float64)) for v in values)
    if limits is None:
        return None
    most = limits[1] or 1.0
    return -most, most


def coloured(values: NDArray[np.floating], limits: tuple[float, float], colours: str) -> NDArray[np.uint8]:
    """Return a map as a picture.

    Parameters
    ----------
    values
        (h, w) float.
    limits
        The values that have the first and the last colour; a map that is constant has the one in the middle.
    colours
        A colour map of matplotlib.

    Returns
    -------
    numpy.ndarray
        (h, w, 4) uint8 RGBA, transparent where the map is NaN.
    """
    from matplotlib import colormaps

    low, high = limits
    known = np.isfinite(values)
    share = (np.where(known, values, low) - low) / (high - low) if high > low else np.full(values.shape, 0.5)
    picture: NDArray[np.uint8] = colormaps[colours](np.arange(256), bytes=True)[
        np.clip(256 * share, 0, 255).astype(np.uint8)
    ]
    picture[~known, 3] = 0
    return picture


def draw_map(
    axes: Axes,
    values: NDArray[np.floating],
    video_size: tuple[int, int],
    *,
    statistic: Statistic,
    limits: tuple[float, float] | None = None,
    smooth: bool = False,
    status: str = "",
) -> AxesImage | None:
    """Draw one map over the whole frame's area, in video pixels, with a small colour bar below.

    Parameters
    ----------
    axes
        Where to draw.
    values
        (h, w) float. It covers the model's square input and so, stretched, exactly the video.
    video_size
        (H, W) of the video in pixels.
    statistic
        Chooses the colours.
    limits
        (low, high) of the colours; None: the map's own (`display_limits`).
    smooth
        Interpolate between map pixels; by default each is a plain rectangle.
    status
        Shown instead of a map that is all NaN.

    Returns
    -------
    matplotlib.image.AxesImage or None
        The image; None where there was nothing to show.
    """
    own = display_limits([values])
    if own is None:
        _say_why_empty(axes, video_size, status)
        return None
    low, high = limits or own
    image = axes.imshow(
        values,
        cmap=COLOUR_MAPS[statistic],
        vmin=low,
        vmax=high,
        extent=video_extent(*video_size),
        aspect="equal",
        interpolation="bilinear" if smooth else "nearest",
    )
    bare(axes)
    _add_small_bar(axes, image, video_size, values)
    return image


def _say_why_empty(axes: Axes, video_size: tuple[int, int], status: str) -> None:
    """Fill a panel without data with the sentence that says why."""
    left, right, bottom, top = video_extent(*video_size)
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    bare(axes)
    axes.patch.set(facecolor=NEUTRAL, alpha=0.15)
    reason = status if "did not run" in status else f"did not run: {status}".rstrip(": ")
    axes.text(
        0.5,
        0.5,
        textwrap.fill(reason, 20, max_lines=5, placeholder=" …"),
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=6,
    )


def _add_small_bar(axes: Axes, image: AxesImage, video_size: tuple[int, int], values: NDArray[np.floating]) -> None:
    """Put a thin colour bar under a panel, its two limits written at its ends.

    Triangles at the ends say that some pixels lie beyond the limits.
    """
    from matplotlib.transforms import ScaledTranslation, blended_transform_factory

    low, high = image.get_clim()
    # Across the panel in its own units, below it in inches: the bar is as thin under a large panel as a small one.
    below = axes.figure.dpi_scale_trans + ScaledTranslation(0, 0, axes.transAxes)  # type: ignore[arg-type]
    bar = axes.inset_axes((0.34, -0.105, 0.32, 0.045), transform=blended_transform_factory(axes.transAxes, below))
    text: dict[str, Any] = {"fontsize": 5.2, "va": "center_baseline", "transform": bar.transAxes}
    if not low < high:
        bar.set_axis_off()
        bar.text(0.5, 0.5, f"constant {low:.2g}".replace("-", "−"), ha="center", **text)
        return
    beyond_low, beyond_high = np.nanmin(values) < low, np.nanmax(values) > high
    extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[int(beyond_low), int(beyond_high)]
    colour_bar = axes.figure.colorbar(
        image, cax=bar, orientation="horizontal", ticks=[], extend=extend, extendfrac=0.08
    )
    colour_bar.outline.set_linewidth(0.3)
    left = -0.13 if beyond_low else -0.06
    right = 1.13 if beyond_high else 1.06
    for x, limit, side in ((left, low, "right"), (right, high, "left")):
        bar.text(x, 0.5, format_limit(limit, high - low), ha=side, **text)


def format_limit(limit: float, span: float) -> str:
    """Write a display limit to two figures of the span between the limits, with a true minus."""
    digit = math.floor(math.log10(span)) - 1
    rounded = round(limit / 10.0**digit) * 10.0**digit
    if rounded == 0:
        return "0"
    if -4 <= digit <= 3:
        text = f"{rounded:.{max(-digit, 0)}f}"
    else:
        digits, exponent = f"{rounded:.1e}".split("e")
        text = f"{digits}e{int(exponent)}"
    return text.replace("-", "−")
