"""How long the dock of features takes from new values to pixels, and from the time slider to the cursor.

Beside it stands the same chart drawn by matplotlib in this process, without and with the layout of a saved figure.
Medians of `--times` tries, of one run of `--frames` frames at five positions. Needs a display:

    tools/with_display.sh .venv/bin/python benchmarks/plot_drawing.py [--frames 100] [--times 30]
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

SIZE = (900, 180)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--times", type=int, default=30)
    arguments = parser.parse_args()

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from qtpy.QtWidgets import QApplication

    from napari_sam2_probe.figures.chart import Chart, Trace, limits_of
    from napari_sam2_probe.figures.draw_chart import draw_chart, make_chart
    from napari_sam2_probe.figures.style import publication_style
    from napari_sam2_probe.gui.plots.area import PlotTheme
    from napari_sam2_probe.gui.plots.view import PlotView

    application = QApplication([])
    frames, random = np.arange(arguments.frames, dtype=float), np.random.default_rng(0)
    lines = [random.normal(size=arguments.frames).cumsum() for _ in range(5)]
    colours = ("#0077BB", "#EE7733", "#009988", "#CC3377", "#A8A032")
    chart = Chart(
        tuple(Trace(f"{k} position", frames, y, c) for k, (y, c) in enumerate(zip(lines, colours, strict=True))),
        x_limits=(-0.5, arguments.frames - 0.5),
        y_limits=limits_of(lines),
        counts_frames=True,
    )
    view = PlotView(PlotTheme("#262930", "#f0f1f2"))
    view.resize(*SIZE)
    view.show()
    application.processEvents()

    def paint() -> None:
        view.show_chart(chart)
        view.repaint()

    def move_cursor(at: list[int] = [0]) -> None:  # noqa: B006
        at[0] = (at[0] + 1) % arguments.frames
        view.move_cursor(at[0])
        view.repaint()

    def draw_bare() -> None:
        with publication_style():
            figure = Figure(figsize=(SIZE[0] / 112, SIZE[1] / 112), dpi=112)
            draw_chart(figure.subplots(), chart)
            FigureCanvasAgg(figure).draw()

    def draw_saved() -> None:
        with publication_style():
            FigureCanvasAgg(make_chart(chart)).draw()

    for name, work in (
        ("Qt: new values to pixels", paint),
        ("Qt: slider to cursor", move_cursor),
        ("matplotlib: one bare pair of axes", draw_bare),
        ("matplotlib: as it is saved", draw_saved),
    ):
        work()
        seconds = []
        for _ in range(arguments.times):
            began = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - began)
        print(f"{name:36} {1000 * statistics.median(seconds):8.1f} ms, at most {1000 * max(seconds):.1f} ms")


if __name__ == "__main__":
    main()
