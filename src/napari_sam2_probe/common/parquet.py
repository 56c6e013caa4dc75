"""Parquet files that others may have written: a table of known columns, or one of two kinds of error."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.reading import read_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    import pyarrow as pa

MOST_BYTES = 1 << 32
"""Larger files are not read."""

_TYPES = {"string": "string", "int64": "int64", "bool": "bool_", "double": "float64"}


def schema(columns: Mapping[str, str]) -> pa.Schema:
    """Return the Arrow schema of columns by their types: ``string``, ``int64``, ``bool`` or ``double``."""
    import pyarrow as pa

    return pa.schema([(name, getattr(pa, _TYPES[kind])()) for name, kind in columns.items()])


def read_parquet(path: Path, columns: Mapping[str, str] | None = None, optional: Collection[str] = ()) -> pa.Table:
    """Return what a Parquet file holds.

    Parameters
    ----------
    path
        The file.
    columns
        What it must hold, by column: ``string`` (categories too), ``int64``, ``bool`` or ``double`` (of half the width
        too). Other columns are not read. All that there is if None.
    optional
        Columns that earlier versions didn't write: nulls where they are missing.

    Raises
    ------
    OSError
        If the system can't read it.
    ValueError
        If it is no ordinary file, damaged, or lacks one of the columns or has another type there.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    content: Any = io.BytesIO(read_bytes(path, MOST_BYTES))
    try:
        file = pq.ParquetFile(content, page_checksum_verification=True)
        wanted = None if columns is None else schema(columns)
        for field in wanted or ():
            index = file.schema_arrow.get_field_index(field.name)
            if index < 0 and field.name in optional:
                continue
            if index < 0:
                raise ValueError(f"it has no column {field.name}")
            there = file.schema_arrow.field(index).type
            if not _is_alike(there, field.type):
                raise ValueError(f"its column {field.name} holds {there} where {field.type} should be")
        if columns is None:
            return file.read()
        names = [name for name in columns if file.schema_arrow.get_field_index(name) >= 0]
        table = file.read(names)
        for place, field in enumerate(wanted or ()):
            if field.name not in names:
                table = table.add_column(place, field, pa.nulls(table.num_rows, field.type))
        return table
    # ArrowInvalid is a ValueError, ArrowMemoryError a MemoryError; the rest are neither.
    except (pa.ArrowException, MemoryError, OverflowError, OSError) as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _is_alike(there: pa.DataType, wanted: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(there):
        there = there.value_type
    alike = {pa.string(): (pa.string(), pa.large_string()), pa.float64(): (pa.float64(), pa.float32())}
    return there in alike.get(wanted, (wanted,))
