"""What every finished figure must be: nothing cut off, nothing written over anything else."""

from __future__ import annotations

from itertools import combinations

from matplotlib.backends.backend_agg import FigureCanvasAgg


def drawn(figure):
    """Draw the figure and give the renderer that knows its extents."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas.get_renderer()


def written(figure):
    """Every text that a reader sees in a drawn figure."""
    texts = [*figure.texts, *(t for legend in figure.legends for t in legend.get_texts())]
    for axes in [*figure.axes, *(child for panel in figure.axes for child in panel.child_axes)]:
        texts += [axes.title, axes._left_title, *axes.texts]
        if not axes.axison:
            continue
        for axis in (axes.xaxis, axes.yaxis):
            texts += [axis.label, axis.offsetText, *(tick.label1 for tick in axis._update_ticks())]
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


def sentences(figure):
    """All that is written in a figure, as one string."""
    drawn(figure)
    return "\n".join(text.get_text() for text in written(figure))


def assert_well_laid_out(figure):
    """Fail if anything lies outside the figure or two texts touch."""
    renderer = drawn(figure)
    inside, all_of_it = figure.bbox, figure.get_tightbbox(renderer).transformed(figure.dpi_scale_trans)
    slack = 0.5
    assert all_of_it.x0 >= inside.x0 - slack, "cut off at the left"
    assert all_of_it.y0 >= inside.y0 - slack, "cut off below"
    assert all_of_it.x1 <= inside.x1 + slack, "cut off at the right"
    assert all_of_it.y1 <= inside.y1 + slack, "cut off above"
    boxes = [(text.get_text(), text.get_window_extent(renderer).padded(-slack)) for text in written(figure)]
    for (first, a), (second, b) in combinations(boxes, 2):
        assert not a.overlaps(b), f"{first!r} lies on {second!r}"
