"""What the plots of the panels show, as files: figures at publication size, or tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam2_probe.common.files import atomic_path
from napari_sam2_probe.figures.style import save_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from napari_sam2_probe.analysis.pointers import ObscurationResponse
    from napari_sam2_probe.figures.chart import Chart
    from napari_sam2_probe.gui.run_views import FeaturesShown, PointersShown

TABLE = ".csv"


def save_features(
    path: Path | str, shown: FeaturesShown, positions: Sequence[str], charts: Sequence[Sequence[Chart]]
) -> Path:
    """Write features over time; the suffix says how.

    Parameters
    ----------
    path
        ``.png``, ``.svg`` or ``.pdf``: the figure. ``.csv``: a row a run, position and frame.
    shown
        What is drawn.
    positions
        Numbers of the positions.
    charts
        The rows of charts of them that are shown.

    Raises
    ------
    InputError
        If the suffix is another one.
    ResourceError
        If the disk is full.
    """
    from napari_sam2_probe.figures.draw_chart import make_chart, make_charts

    if _is_table(path):
        import pandas as pd

        tables = [run.table[run.table["position"].isin(positions)].assign(run=run.label) for run in shown.runs]
        table = pd.concat(tables)
        return _write(table[["run", *(column for column in table if column != "run")]], path)
    alone = len(charts) == 1 and len(charts[0]) == 1
    return save_figure(make_chart(charts[0][0]) if alone else make_charts(charts), path)


def save_pointers(path: Path | str, shown: PointersShown) -> Path:
    """Write pointer paths as a figure, or as a table with a row a run and frame; errors as `save_features`."""
    from napari_sam2_probe.figures.draw_chart import make_chart
    from napari_sam2_probe.figures.pointer_charts import paths_chart
    from napari_sam2_probe.figures.style import SINGLE_COLUMN

    if _is_table(path):
        import pandas as pd

        tables = [
            pd.DataFrame(
                {
                    "run": run.label,
                    "frame": range(len(run.coordinates)),
                    "component_1": run.coordinates[:, 0],
                    "component_2": run.coordinates[:, 1],
                    "object_present": run.object_present,
                }
            )
            for run in shown.paths
        ]
        return _write(pd.concat(tables), path)
    chart = paths_chart(shown.paths, shown.explained_variance)
    return save_figure(make_chart(chart, width=SINGLE_COLUMN, height=0.85 * SINGLE_COLUMN), path)


def save_response(path: Path | str, response: ObscurationResponse) -> Path:
    """Write distance against obscured fraction as a figure, or as a table with a row a frame.

    Errors as `save_features`.
    """
    from napari_sam2_probe.figures.obscuration import make_obscuration

    if _is_table(path):
        import pandas as pd

        columns = {"frame": response.frame_index, "obscured_fraction": response.obscured_fraction}
        return _write(pd.DataFrame(columns | {"distance": response.distance}), path)
    return save_figure(make_obscuration(response), path)


def _is_table(path: Path | str) -> bool:
    return Path(path).suffix.lower() == TABLE


def _write(table: pd.DataFrame, path: Path | str) -> Path:
    path = Path(path)
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    return path
