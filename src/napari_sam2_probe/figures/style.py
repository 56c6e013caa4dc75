"""One place for how figures look, and the one way they are saved.

Nothing here touches matplotlib's global state: a figure is made inside `publication_style`, carries its own
fonts and sizes, and is a bare `matplotlib.figure.Figure`, so it needs no backend and no screen.
"""

from __future__ import annotations

import textwrap
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal

from napari_sam2_probe import __version__
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.files import atomic_path
from napari_sam2_probe.figures.fonts import font_families

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from numpy.typing import NDArray

LegendPlace = Literal["outside lower center", "outside upper center", "lower center"]

SINGLE_COLUMN = 3.5
"""Width in inches of a figure that fills one column of a two-column page."""

DOUBLE_COLUMN = 7.2
"""Width in inches of a figure that spans both columns."""

KIND_COLOURS: dict[str, str] = {
    "clean": "#0072B2",
    "interjection": "#D55E00",
    "object-removal": "#E69F00",
    "context-removal": "#009E73",
    "obscuration": "#CC79A7",
    "three-object": "#56B4E9",
}
"""Okabe and Ito's colours for the paper's kinds, told apart by the colour blind too; hues as in its figure 16."""

OTHER_COLOURS: tuple[str, ...] = ("#882255", "#332288", "#999933", "#666666")
"""For lines beyond the known kinds: from Tol's muted scheme, apart from `KIND_COLOURS`."""

OBJECT_COLOURS: tuple[str, ...] = ("#ED6D15", "#209DCD", "#EE3377", "#049F8E", "#3060C8", "#88622E")
"""Objects and what is predicted of them, strong enough to lie half transparent on a photograph.

With the colours below, all of what lies over a video: any two differ by at least 20 (CIEDE2000), and each has a
contrast of at least 3 with black and with white, the canvas in dark and in light.
"""

TRUTH_COLOUR = "#D461F1"
"""Ground truth: outlines only, as light as it may be on white, and of a hue that nature hardly has."""

INCLUDED_COLOUR, EXCLUDED_COLOUR = "#00831C", "#CA000F"
"""Clicks on the object and next to it."""

PROMPT_RIM = "#FFFFFF"
"""The rim of every click, so that it is seen on whatever lies below it."""

DECODED_BOX_COLOUR = "#959300"
"""Boxes that a decoder reads off pointers."""

BOX_HALO = "#101010"
"""Around the dashes of decoded boxes, so that they are seen on whatever lies below them."""

OUTCOME_COLOUR = "#844884"
"""What a mask would be if SAM 2 had read something else; outlines only."""

NEUTRAL = "#808080"
"""Marks that belong to no series; readable on light paper and on a dark dock alike."""

INTERJECTION_COLOUR = "#009E73"
"""The shade of interjected frames, green as in the paper's figures 16 to 28."""

_TWO_LINES = 0.33
"""Inches of a legend of two lines."""

_STYLE: dict[str, Any] = {
    "mathtext.fontset": "dejavusans",
    "font.size": 7.0,
    "axes.titlesize": 7.0,
    "axes.labelsize": 7.0,
    "xtick.labelsize": 6.0,
    "ytick.labelsize": 6.0,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "legend.handletextpad": 0.6,
    "legend.columnspacing": 1.4,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlepad": 4.0,
    "axes.labelpad": 2.5,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.size": 1.4,
    "ytick.minor.size": 1.4,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.pad": 2.0,
    "ytick.major.pad": 2.0,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.0,
    "lines.markeredgewidth": 0.7,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,
    "svg.hashsalt": "napari-sam2-probe",
}

_PROGRAM = f"napari-sam2-probe {__version__}"
_METADATA: dict[str, dict[str, str | None]] = {
    ".png": {"Software": _PROGRAM},
    ".svg": {"Date": None, "Creator": _PROGRAM},
    ".pdf": {"CreationDate": None, "Creator": _PROGRAM, "Producer": None},
}

_REMARK = {".png": "Description", ".svg": "Description", ".pdf": "Subject"}

_STYLE_IN_USE = RLock()


@contextmanager
def publication_style() -> Iterator[None]:
    """Apply the publication style to what is made or drawn inside the block, and to nothing after it.

    Matplotlib has one style for the whole process, so only one thread is inside at a time; others wait.
    """
    from matplotlib import style

    # From matplotlib's own defaults, so that nobody's matplotlibrc changes a figure.
    with _STYLE_IN_USE, style.context(["default", _STYLE, {"font.family": font_families()}]):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure of `width` x `height` inches whose layout keeps every label inside and apart."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(w_pad=0.03, h_pad=0.03, wspace=0.02, hspace=0.02)  # type: ignore[call-arg]
    return figure


def new_axes(figure: Figure, rows: int = 1, columns: int = 1, **options: Any) -> NDArray[Any]:
    """Add a grid of axes to `figure` whose ticks keep the style wherever the figure is drawn.

    Parameters
    ----------
    figure
        The figure, made inside `publication_style`.
    rows, columns
        Size of the grid.
    **options
        Passed to `matplotlib.figure.Figure.subplots`.

    Returns
    -------
    numpy.ndarray
        (rows, columns) axes.
    """
    grid: NDArray[Any] = figure.subplots(rows, columns, squeeze=False, **options)
    for axes in grid.flat:
        keep_tick_style(axes)
    return grid


def keep_tick_style(axes: Axes) -> None:
    """Fix tick sizes on `axes` now; matplotlib makes ticks while it draws, from the style of that moment."""
    for axis in ("x", "y"):
        for which in ("major", "minor"):
            axes.tick_params(
                axis=axis,
                which=which,
                length=_STYLE[f"{axis}tick.{which}.size"],
                width=_STYLE[f"{axis}tick.{which}.width"],
                labelsize=_STYLE[f"{axis}tick.labelsize"],
                labelfontfamily=font_families(),
                pad=_STYLE[f"{axis}tick.major.pad"],
            )


def kind_label(kind: str) -> str:
    """Return what a reader sees for a kind of clip: its title, or its name where the kind is not installed."""
    from napari_sam2_probe.transforms.registry import KINDS

    return KINDS[kind].title if kind in KINDS else kind.replace("-", " ").capitalize()


def series_colours(kinds: Sequence[str]) -> list[str]:
    """Choose one colour a series, all different while colours last.

    Parameters
    ----------
    kinds
        The kind of clips of each series; other words are allowed.

    Returns
    -------
    list of str
        A known kind has its own colour the first time; repeats and other words take what is free, then
        begin again.
    """
    chosen: list[str] = []
    claimed = [KIND_COLOURS[kind] for kind in dict.fromkeys(kinds) if kind in KIND_COLOURS]
    spare = [c for c in (*OTHER_COLOURS, *KIND_COLOURS.values()) if c not in claimed] or list(OTHER_COLOURS)
    taken = 0
    for kind in kinds:
        own = KIND_COLOURS.get(kind)
        if own is not None and own not in chosen:
            chosen.append(own)
        else:
            chosen.append(spare[taken % len(spare)])
            taken += 1
    return chosen


def series_widths(number: int) -> list[float]:
    """Choose line widths in points for `number` series drawn over each other.

    The first is widest: a clip and its clean twin give the same values over whole stretches, and a line under
    another of the same width would not be seen there.
    """
    thinnest = 0.9
    step = 0.7 / max(number - 1, 1)
    return [thinnest + (number - 1 - k) * step for k in range(number)]


def add_legend(figure: Figure, handles: Sequence[Artist], *, loc: LegendPlace = "outside lower center") -> Legend:
    """Add a legend to `figure` in as few rows as its width allows.

    Parameters
    ----------
    figure
        The figure, made inside `publication_style`.
    handles
        Artists with labels; at least one.
    loc
        As matplotlib names it; ``"outside ..."`` needs a constrained layout.
    """
    room = 72 * figure.get_figwidth() - 16
    labels = [_wrapped(str(handle.get_label()), room - _handle_width()) for handle in handles]
    columns = next((n for n in range(len(labels), 1, -1) if _legend_width(labels, n) <= room), 1)
    rows = -(-len(labels) // columns)
    return figure.legend(handles=list(handles), labels=labels, loc=loc, ncols=-(-len(labels) // rows))


def legend_height(figure: Figure, legend: Legend) -> float:
    """Return the height of a figure's legend in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    renderer: Any = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    return float(legend.get_window_extent(renderer).height) / figure.get_dpi()


def make_room_for(legend: Legend, figure: Figure) -> None:
    """Make a figure higher by what its legend takes beyond two lines, so that the plot isn't squeezed by many names."""
    figure.set_figheight(figure.get_figheight() + max(legend_height(figure, legend) - _TWO_LINES, 0))


def plain_text(text: str) -> str:
    """Return what a person has named something so that matplotlib draws it as it is.

    It would read what stands between two dollar signs as a formula, and leave what begins with ``_`` out of a legend.
    """
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def _legend_width(labels: Sequence[str], columns: int) -> float:
    """Compute the width in points of a legend that matplotlib fills column by column."""
    texts = [_text_width(label) for label in labels]
    longer, rest = divmod(len(texts), columns)
    start = 0
    width: float = (
        columns * _handle_width() + (columns - 1) * _STYLE["legend.columnspacing"] * _STYLE["legend.fontsize"]
    )
    for column in range(columns):
        stop = start + longer + (column < rest)
        width += max(texts[start:stop])
        start = stop
    return width


def _handle_width() -> float:
    width: float = (_STYLE["legend.handlelength"] + _STYLE["legend.handletextpad"]) * _STYLE["legend.fontsize"]
    return width


def _text_width(text: str) -> float:
    """Compute the width in points of a legend's text, which may have several lines."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(family=font_families())
    lines = (TextPath((0, 0), line, size=_STYLE["legend.fontsize"], prop=font) for line in text.split("\n"))
    return 1.03 * max(float(line.get_extents().width) for line in lines)


def _wrapped(text: str, room: float) -> str:
    """Break a text into as many lines as it needs to fit `room` points."""
    width = _text_width(text)
    return text if width <= room else textwrap.fill(text, max(int(0.9 * len(text) * room / width), 8))


def rgb_of(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue of a colour ``#rrggbb``, 0 to 255 each."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def object_colour(object_id: int) -> str:
    """Give the colour in which the object with this id (1 and up) is drawn in every figure."""
    return OBJECT_COLOURS[(object_id - 1) % len(OBJECT_COLOURS)]


def save_figure(figure: Figure, path: Path | str, dpi: float = 300, *, remark: str = "") -> Path:
    """Write `figure` to `path` as PNG, SVG or PDF, completely or not at all.

    The same figure gives the same bytes: no dates, fixed ids. The file names this program and its version.

    Parameters
    ----------
    figure
        The figure, at its publication size.
    path
        Where to write; the suffix chooses the format.
    dpi
        Pixels per inch of a PNG, and of the images inside an SVG or PDF.
    remark
        What whoever meets the file alone must know of it, kept in its metadata; empty for nothing.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    InputError
        If the suffix is none of ``.png``, ``.svg``, ``.pdf``.
    ResourceError
        If the disk is full.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in _METADATA:
        raise InputError(f"A figure can't be written to {path}: give a name that ends in .png, .svg or .pdf.")
    metadata = _METADATA[suffix] | ({_REMARK[suffix]: remark} if remark else {})
    with publication_style(), atomic_path(path) as temporary:
        _draw_into(figure, temporary, suffix, dpi, metadata)
    return path


def _draw_into(figure: Figure, path: Path, suffix: str, dpi: float, metadata: dict[str, str | None]) -> None:
    """Write the file that `Figure.savefig` writes, which lays a figure out and draws it twice, in half the time."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    shown, resolution = figure.canvas, figure.dpi
    canvas: Any = {".png": FigureCanvasAgg, ".svg": FigureCanvasSVG, ".pdf": FigureCanvasPdf}[suffix](figure)
    try:
        figure.dpi = dpi
        getattr(canvas, f"print_{suffix[1:]}")(path, metadata=metadata)
    finally:
        figure.dpi = resolution
        figure.set_canvas(shown)
