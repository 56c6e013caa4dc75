"""The folder of a report: figures in every format with their data, tables in every form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam2_probe.common.progress import Progress, ProgressCallback, ignore_progress
from napari_sam2_probe.reports.page import PageFigure, PageTable
from napari_sam2_probe.reports.tables import ReportTable, write_csv

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from matplotlib.figure import Figure

FORMATS = ("png", "pdf", "svg")
"""What every figure is written as; the first is shown on the page."""

EXPERIMENT = "Experiment"
"""The column that names the experiment."""


class ReportFolder:
    """Writes what a page refers to, and counts it.

    Parameters
    ----------
    path
        The folder; ``figures`` and ``tables`` are made inside.
    dpi
        Pixels per inch of pictures.
    formats
        Besides PNG, which is always written.
    remark
        What every figure's file says of the models, for whoever meets it without the page; empty for nothing.
    progress
        Called after every figure.
    """

    def __init__(
        self,
        path: Path,
        *,
        dpi: float = 200,
        formats: Sequence[str] = FORMATS,
        remark: str = "",
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        self.path = path
        self._dpi = dpi
        self._formats = ("png", *(name for name in formats if name != "png"))
        self._remark = remark
        self._progress = progress
        self._done = 0

    def figure(
        self,
        name: str,
        title: str,
        caption: str,
        figure: Figure,
        data: pd.DataFrame | None = None,
        *,
        number: str = "",
        group: str = "",
        narrow: bool = False,
    ) -> PageFigure:
        """Write a figure and its data, and give it for the page.

        Parameters
        ----------
        name
            Of its files, without ending.
        title, caption, number, group, narrow
            As in `PageFigure`.
        figure
            The figure.
        data
            What is drawn, as a table.
        """
        from napari_sam2_probe.figures.style import save_figure

        files: list[tuple[str, str]] = []
        for suffix in self._formats:
            target = self.path / "figures" / f"{name}.{suffix}"
            save_figure(figure, target, dpi=self._dpi, remark=self._remark)
            # The layout is found while drawing; what is drawn again keeps it.
            figure.set_layout_engine("none")
            files.append((suffix.upper(), f"figures/{name}.{suffix}"))
        if data is not None:
            write_csv(self.path / "figures" / f"{name}.csv", data)
            files.append(("data (CSV)", f"figures/{name}.csv"))
        self._done += 1
        self._progress(Progress(self._done, 0, "drawing figures", "figure"))
        return PageFigure(title, f"figures/{name}.png", caption, tuple(files), narrow, number, group)

    def table(self, table: ReportTable) -> PageTable:
        """Write a table in its three forms, and give it for the page.

        The column that names the experiment is shown only where there are several.
        """
        if EXPERIMENT in table.header and len({row[table.header.index(EXPERIMENT)] for row in table.rows}) == 1:
            table = table.without_column(EXPERIMENT)
        files = tuple(
            (form, path.relative_to(self.path).as_posix()) for form, path in table.write(self.path / "tables").items()
        )
        return PageTable(table.title, table.header, table.rows, table.caption, files, table.text_columns)
