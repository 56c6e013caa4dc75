"""Tables of a run: features over time, object pointers, boxes; as CSV or Parquet."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.files import atomic_path
from napari_sam2_probe.common.output import os_errors_as_sentences
from napari_sam2_probe.common.progress import Progress
from napari_sam2_probe.decoder.boxes import box_edges, boxes_to_pixels
from napari_sam2_probe.probe.positions import BY_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

    from napari_sam2_probe.decoder.fit import BoxDecoder
    from napari_sam2_probe.runs.run import ProbeRun

TableFormat = Literal["csv", "parquet"]

BOX_COLUMNS = ("object_id", "frame", "kind", "xmin", "ymin", "xmax", "ymax", "left", "top", "right", "bottom")
"""``xmin`` to ``ymax`` are whole pixels, both ends included; ``left`` to ``bottom`` are edges as
shares of the frame; decoded ones may reach out of it."""


def features_table(run: ProbeRun) -> pd.DataFrame:
    """Return the features over time: the table of ``features.csv``."""
    return run.features


def pointers_table(run: ProbeRun) -> pd.DataFrame:
    """Return a row for each object, vector position (``4`` and ``4r``) and frame that was tracked.

    Columns: object_id, position, frame, prompted, object_present, object_score (logit), predicted_iou, and
    ``channel_000`` on, the pointer itself.
    """
    import pandas as pd

    parts = []
    vectors = {key: run.vectors(key) for key in run.vector_keys}
    for obj_idx, obj_id in enumerate(run.object_ids.tolist()):
        frames = np.flatnonzero(run.tracked[obj_idx])
        for key, pointers in vectors.items():
            about = {
                "object_id": obj_id,
                "position": BY_KEY[key].number,
                "frame": frames,
                "prompted": run.prompted[obj_idx, frames],
                "object_present": run.object_present[obj_idx, frames],
                "object_score": run.object_scores[obj_idx, frames],
                "predicted_iou": run.predicted_iou[obj_idx, frames],
            }
            channels = [f"channel_{channel:03d}" for channel in range(pointers.shape[2])]
            values = pd.DataFrame(pointers[obj_idx, frames], columns=channels)
            parts.append(pd.concat([pd.DataFrame(about), values], axis=1))
    return pd.concat(parts, ignore_index=True)


def write_table(table: pd.DataFrame, out: Path, file_format: TableFormat) -> None:
    """Write a table; missing numbers are empty cells in CSV.

    Raises
    ------
    InputError
        If Parquet is asked for and pyarrow is not installed.
    """
    if file_format == "parquet" and find_spec("pyarrow") is None:
        raise InputError("Parquet files need pyarrow, which is not installed: pip install pyarrow, or choose csv.")
    with os_errors_as_sentences(out), atomic_path(out) as temporary:
        if file_format == "parquet":
            table.to_parquet(temporary, engine="pyarrow", index=False)
        else:
            table.to_csv(temporary, index=False, lineterminator="\n")


def export_features(run: ProbeRun, out: Path, file_format: TableFormat) -> Iterator[Progress]:
    """Write the features over time."""
    yield Progress(0, 1, "exporting features", "table")
    write_table(features_table(run), out, file_format)


def export_pointers(run: ProbeRun, out: Path, file_format: TableFormat) -> Iterator[Progress]:
    """Write the object pointers, gated and ungated, with scores."""
    yield Progress(0, 1, "exporting pointers", "table")
    write_table(pointers_table(run), out, file_format)


def export_boxes(
    run: ProbeRun, out: Path, file_format: TableFormat, decoder: BoxDecoder | None = None
) -> Iterator[Progress]:
    """Write `boxes_table`."""
    rows: list[tuple[int | str | float, ...]] = []
    for row in _box_rows(run, decoder):
        yield Progress(len(rows), int(run.tracked.sum()) * (1 if decoder is None else 2), "exporting boxes", "box")
        rows.append(row)
    write_table(_as_boxes(rows), out, file_format)


def boxes_table(run: ProbeRun, decoder: BoxDecoder | None = None) -> pd.DataFrame:
    """Return the boxes of the predicted masks, a row for each object and tracked frame; see `BOX_COLUMNS`.

    Where there is a decoder for the run's model a second row follows, the box that the object pointer speaks of.
    ``kind`` is ``mask`` or ``decoded``. The cells of a mask that is empty are empty.
    """
    return _as_boxes(list(_box_rows(run, decoder)))


def _box_rows(run: ProbeRun, decoder: BoxDecoder | None) -> Iterator[tuple[int | str | float, ...]]:
    _, height, width = run.masks.shape
    for obj_idx, obj_id in enumerate(run.object_ids.tolist()):
        decoded = None if decoder is None else decoder.decode(run.object_pointers[obj_idx])
        for frame_idx in np.flatnonzero(run.tracked[obj_idx]).tolist():
            boxes = {"mask": box_edges(np.asarray(run.masks_per_object[obj_idx, frame_idx]))}
            if decoded is not None:
                boxes["decoded"] = decoded[frame_idx]
            for kind, edges in boxes.items():
                pixels = np.round(boxes_to_pixels(edges, height, width))
                yield (obj_id, frame_idx, kind, *pixels.tolist(), *edges.tolist())


def _as_boxes(rows: list[tuple[int | str | float, ...]]) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame(rows, columns=list(BOX_COLUMNS))
    # Whole pixels that may be missing.
    return table.astype(dict.fromkeys(BOX_COLUMNS[3:7], "Int64"))
