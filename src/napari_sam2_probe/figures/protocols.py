"""The evaluation protocols of the SAM 2 paper: J&F by prompt, and against the number of annotated frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.figures.style import (
    KIND_COLOURS,
    NEUTRAL,
    SINGLE_COLUMN,
    add_legend,
    new_axes,
    new_figure,
    publication_style,
    series_colours,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

_DASHED = (0, (3, 1.5))
_LEAST_SPAN = 5.0  # points of J&F

PROMPT_ORDER = ("1-click", "3-click", "5-click", "box", "mask")
"""From the least said to the most, as in table 4 of the SAM 2 paper."""


@dataclass(frozen=True)
class AnnotationCurve:
    """How J&F grows with the number of annotated frames.

    Attributes
    ----------
    model
        The model's name, which chooses the colour.
    mode
        ``"offline"`` (solid) or ``"online"`` (dashed).
    annotated_frames
        N rising numbers.
    jf
        For each of them, J&F of every object.
    """

    model: str
    mode: str
    annotated_frames: tuple[int, ...]
    jf: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class PromptScores:
    """J&F of one model by prompt.

    Attributes
    ----------
    model
        The model's name, which chooses the colour.
    jf
        J&F of every object, by the name of the prompt.
    """

    model: str
    jf: Mapping[str, Sequence[float]]


def draw_annotation_curves(axes: Axes, curves: Sequence[AnnotationCurve]) -> list[Line2D]:
    """Draw mean J&F over objects against annotated frames.

    Parameters
    ----------
    axes
        Where to draw.
    curves
        At least one.

    Returns
    -------
    list of matplotlib.lines.Line2D
        The line of each curve.
    """
    colours = _colours([curve.model for curve in curves])
    several = len(colours) > 1
    lines = []
    for curve in curves:
        (line,) = axes.plot(
            curve.annotated_frames,
            [100 * float(np.mean(values)) for values in curve.jf],
            color=colours[curve.model],
            linestyle="-" if curve.mode == "offline" else _DASHED,
            marker="o" if curve.mode == "offline" else "s",
            markerfacecolor=colours[curve.model] if curve.mode == "offline" else "white",
            label=f"{curve.model}, {curve.mode}" if several else curve.mode,
        )
        lines.append(line)
    numbers = sorted({number for curve in curves for number in curve.annotated_frames})
    axes.set_xticks(numbers)
    axes.set_xlim(numbers[0] - 0.35, numbers[-1] + 0.35)
    axes.set_xlabel("Annotated frames (at most)")
    axes.set_ylabel("J&F (%)")
    axes.margins(y=0.12)
    low, high = axes.get_ylim()
    # Less than this would make much of nothing.
    short = max(0.0, _LEAST_SPAN - (high - low)) / 2
    axes.set_ylim(low - short, high + short)
    return lines


def make_annotation_curves(curves: Sequence[AnnotationCurve], *, width: float = SINGLE_COLUMN) -> Figure:
    """Make the figure of `draw_annotation_curves` with a legend, `width` inches wide."""
    with publication_style():
        figure = new_figure(width, 0.75 * width)
        axes = new_axes(figure)[0, 0]
        lines = draw_annotation_curves(axes, curves)
        models = {curve.model for curve in curves}
        objects = max(len(values) for curve in curves for values in curve.jf)
        title = f"Mean over {_counted(objects, 'object')}"
        axes.set_title(title if len(models) > 1 else f"{curves[0].model}: {title[0].lower()}{title[1:]}", loc="left")
        add_legend(figure, lines)
    return figure


def draw_prompt_scores(axes: Axes, scores: Sequence[PromptScores]) -> list[Line2D]:
    """Draw J&F by prompt: a dot an object, and the mean over objects as a bar across them with its value.

    Parameters
    ----------
    axes
        Where to draw.
    scores
        At least one model; several stand beside each other.

    Returns
    -------
    list of matplotlib.lines.Line2D
        The dots of each model.
    """
    colours = _colours([model.model for model in scores])
    prompts = [name for name in PROMPT_ORDER if any(name in model.jf for model in scores)]
    span = 0.8 / len(scores)
    handles: list[Line2D] = []
    for index, model in enumerate(scores):
        dots = None
        for place, name in enumerate(prompts):
            if name not in model.jf:
                continue
            centre = place + (index - (len(scores) - 1) / 2) * span
            values = 100 * np.asarray(model.jf[name])
            # Spread in the order of the objects, so that an object has the same place at every prompt.
            spread = np.linspace(-0.28, 0.28, len(values)) * span if len(values) > 1 else np.zeros(1)
            (dots,) = axes.plot(
                centre + spread,
                values,
                linestyle="none",
                marker="o",
                color=colours[model.model],
                alpha=0.45,
                markeredgewidth=0,
                label=model.model,
                zorder=2,
            )
            mean = float(values.mean())
            axes.plot(
                [centre - 0.4 * span, centre + 0.4 * span], [mean, mean], color=colours[model.model], linewidth=1.6
            )
            axes.annotate(
                f"{mean:.1f}",
                (place, 1.0),
                xycoords=("data", "axes fraction"),
                # A row of numbers a model, the first on top: side by side they would touch.
                xytext=(0, 2 + 8 * (len(scores) - 1 - index)),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize="small",
                color=colours[model.model],
            )
        if dots is not None:
            handles.append(dots)
    for place in range(1, len(prompts)):
        axes.axvline(place - 0.5, color=NEUTRAL, linewidth=0.4, alpha=0.4)
    axes.set_xticks(range(len(prompts)), prompts)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.5, len(prompts) - 0.5)
    axes.set_ylim(0, 102)
    axes.set_xlabel("Prompt on the first frame")
    axes.set_ylabel("J&F (%)")
    return handles


def make_prompt_scores(scores: Sequence[PromptScores], *, width: float = SINGLE_COLUMN) -> Figure:
    """Make the figure of `draw_prompt_scores` with a legend, `width` inches wide."""
    from matplotlib.lines import Line2D

    with publication_style():
        figure = new_figure(width, 0.8 * width + 0.11 * (len(scores) - 1))
        axes = new_axes(figure)[0, 0]
        handles = draw_prompt_scores(axes, scores)
        objects = max(len(values) for model in scores for values in model.jf.values())
        mean = Line2D([], [], color="0.35", linewidth=1.6, label="mean (number above)")
        add_legend(figure, [*handles, mean])
        axes.set_xlabel(f"Prompt on the first frame ({_counted(objects, 'object')})")
    return figure


def _colours(models: Sequence[str]) -> dict[str, str]:
    """Choose a colour for each model: those of the kinds of clips in their order, then what is free."""
    names = list(dict.fromkeys(models))
    chosen = list(KIND_COLOURS)[: len(names)] + names[len(KIND_COLOURS) :]
    return dict(zip(names, series_colours(chosen), strict=True))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
