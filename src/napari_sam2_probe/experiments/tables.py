"""The two tables of an experiment: their columns, and Parquet files whose bytes depend on the rows alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.feature_names import FEATURE_COLUMNS as COLUMNS
from napari_sam2_probe.common.files import atomic_path
from napari_sam2_probe.common.parquet import read_parquet, schema
from napari_sam2_probe.common.reading import why

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

FRAME_COLUMNS: dict[str, str] = {
    "kind": "string",
    "clip": "string",
    "twin": "string",
    "base_sequence": "string",
    "distractor_sequences": "string",
    "frame": "int64",
    "stage": "string",
    "source_sequence": "string",
    "source_frame": "int64",
    "object_present": "bool",
    "context_present": "bool",
    "obscured_fraction": "double",
    "object_score": "double",
    "predicted_iou": "double",
    "prompted": "bool",
    "region": "double",
    "boundary": "double",
    "false_positive": "bool",
    "area": "int64",
    "true_xmin": "double",
    "true_ymin": "double",
    "true_xmax": "double",
    "true_ymax": "double",
}
"""Columns of ``frames.parquet`` with their types; a row a clip and frame.

``distractor_sequences`` names the other sequences that a clip is made of, with a slash between two.
"""

FEATURE_COLUMNS: dict[str, str] = {
    "kind": "string",
    "clip": "string",
    "base_sequence": "string",
    "frame": "int64",
    "position": "string",
    "object_present": "bool",
    "prompted_reference": "bool",
    "window": "int64",
    "gap": "double",
    **dict.fromkeys(COLUMNS, "double"),
}
"""Columns of ``features.parquet`` and ``gap_features.parquet`` with their types; a row a clip, position and frame.

``gap`` is how many frames of its source a frame lies behind its last reference; of the clip, where their sources
differ; NaN without a reference.
"""

_LATER = ("distractor_sequences", "gap")
"""Columns that earlier versions didn't write."""

SEPARATOR = "/"
"""Between sequences of ``distractor_sequences``: it is in no name of a folder."""

STAGES = ("prefix", "interjection", "suffix")
"""Values of the column ``stage``."""


class DamagedTableError(InputError):
    """A table is not as it was written.

    Attributes
    ----------
    path
        Its file.
    """

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            f"{path}: the table is damaged ({what}): remove the file and run the experiment again, which makes it "
            "again."
        )
        self.path = path


# All that moves a byte is said here, not left to a default.
_WRITING: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 3,
    "version": "2.6",
    "data_page_version": "1.0",
    "use_dictionary": True,
    "write_statistics": True,
    "row_group_size": 1 << 20,
    "write_page_checksum": True,
}


def write_table(path: Path, columns: Mapping[str, str], values: Mapping[str, Any] | pd.DataFrame) -> None:
    """Write a table; the file is complete or not there, and the same rows give the same bytes.

    Parameters
    ----------
    path
        The Parquet file.
    columns
        `FRAME_COLUMNS` or `FEATURE_COLUMNS`.
    values
        A column (N,) for each name.

    Raises
    ------
    ResourceError
        If the disk is full.
    """
    import numpy as np
    import pyarrow as pa

    wanted = schema(columns)
    dtypes = {"string": object, "int64": np.int64, "bool": np.bool_, "double": np.float64}
    # NaN stays NaN: a missing value would be something else.
    arrays = [
        pa.array(np.asarray(values[name], dtype=dtypes[kind]), type=wanted.field(name).type, from_pandas=False)
        for name, kind in columns.items()
    ]
    _write(path, pa.Table.from_arrays(arrays, schema=wanted))


def join_tables(path: Path, columns: Mapping[str, str], parts: Sequence[Path]) -> None:
    """Write the rows of several files, one after the other, into one."""
    _write(path, _read(columns, parts))


def read_tables(columns: Mapping[str, str], parts: Iterable[Path]) -> pd.DataFrame:
    """Return the rows of files as one table; without files an empty one with the right columns.

    Raises
    ------
    InputError
        If a file is damaged or is no such table.
    """
    table: pd.DataFrame = _read(columns, list(parts)).to_pandas()
    return table


def _write(path: Path, table: pa.Table) -> None:
    import pyarrow.parquet as pq

    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, **_WRITING)


def _read(columns: Mapping[str, str], parts: Sequence[Path]) -> pa.Table:
    import pyarrow as pa

    wanted = schema(columns)
    tables = [wanted.empty_table()]
    for part in parts:
        try:
            tables.append(read_parquet(part, columns, _LATER).cast(wanted))
        except (OSError, ValueError) as error:
            raise DamagedTableError(part, why(error)) from error
    return pa.concat_tables(tables).combine_chunks()
