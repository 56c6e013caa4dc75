"""Tables of a run that say what its frames read of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.attention import share_entropy
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.feature_names import ATTENTION_ENTROPY
from napari_sam2_probe.common.parquet import read_parquet
from napari_sam2_probe.common.paths import is_file
from napari_sam2_probe.common.reading import why
from napari_sam2_probe.probe.attention_table import COLUMNS as ATTENTION_COLUMNS
from napari_sam2_probe.probe.bank_table import COLUMNS as BANK_COLUMNS
from napari_sam2_probe.runs.layout import ATTENTION, BANK

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from napari_sam2_probe.runs.run import ProbeRun


_ATTENTION_TYPES = {"queries": "string", "kind": "string", "share": "double"}
_COLUMNS = {
    BANK: {name: "string" if name in ("kind", "role") else "int64" for name in BANK_COLUMNS},
    ATTENTION: {name: _ATTENTION_TYPES.get(name, "int64") for name in ATTENTION_COLUMNS},
}


def read_bank(run: ProbeRun, frame: int, object_id: int | None) -> pd.DataFrame:
    """Return what a frame read; see `ProbeRun.bank`."""
    object_id = the_object(run, object_id)
    check_frame(run, frame)
    table = read_table(run, BANK)
    rows = table[(table["object_id"] == object_id) & (table["frame"] == frame)].sort_values("order")
    columns = ["kind", "entry_frame", "role", "temporal_position", "age"]
    return rows[columns].rename(columns={"entry_frame": "frame"}).reset_index(drop=True)


def reading_frames(run: ProbeRun, object_id: int) -> list[int]:
    """Return the frames that read anything; see `ProbeRun.bank_frames`."""
    table = read_table(run, BANK)
    return sorted(int(frame) for frame in table.loc[table["object_id"] == object_id, "frame"].unique())


def read_attention(run: ProbeRun, frame: int | None, object_id: int | None) -> pd.DataFrame:
    """Return where memory attention looked; see `ProbeRun.attention`."""
    table = read_table(run, ATTENTION)
    if object_id is not None:
        table = table[table["object_id"] == the_object(run, object_id)]
    if frame is not None:
        check_frame(run, frame)
        table = table[table["frame"] == frame]
    return table.reset_index(drop=True)


def attention_shares(run: ProbeRun, frame: int, object_id: int) -> dict[tuple[str, int], float]:
    """Return the share of attention that each entry of a frame's bank received, by kind and frame.

    The mean over layers, of all queries; nothing if the run recorded no attention.

    Raises
    ------
    InputError
        If the table is damaged.
    """
    if not is_file(run.path / ATTENTION):
        return {}
    table = read_attention(run, frame, object_id)
    table = table[table["queries"] == "all"]
    means = table.groupby(["kind", "entry_frame"], observed=True)["share"].mean()
    kinds, frames = means.index.get_level_values(0), means.index.get_level_values(1)
    return {(str(k), int(t)): float(share) for k, t, share in zip(kinds, frames, means, strict=True)}


def read_attention_entropy(run: ProbeRun) -> NDArray[np.float64]:
    """Return the entropy of memory attention; see `ProbeRun.attention_entropy`."""
    kept = run.stored(ATTENTION_ENTROPY)
    if kept is not None:
        return np.asarray(kept, np.float64)
    values = np.full(run.tracked.shape, np.nan)
    try:
        table = read_table(run, ATTENTION)
    except InputError:
        return values
    rows = {int(object_id): row for row, object_id in enumerate(run.object_ids)}
    means: dict[tuple[int, int], list[float]] = {}
    of_all = table[table["queries"] == "all"]
    for (object_id, frame, _), shares in of_all.groupby(["object_id", "frame", "layer"], sort=False)["share"]:
        means.setdefault((rows[int(str(object_id))], int(str(frame))), []).append(
            float(share_entropy(shares.to_numpy()))
        )
    for at, layers in means.items():
        values[at] = np.mean(layers)
    return values


def read_table(run: ProbeRun, name: str) -> pd.DataFrame:
    """Return one of a run's Parquet tables, `BANK` or `ATTENTION`.

    Raises
    ------
    InputError
        If the run has none, or it is damaged.
    """
    path = run.path / name
    if not is_file(path):
        raise InputError(f"{path}: this run has no such table (it was made by an older version, or killed); repeat it.")
    try:
        table: pd.DataFrame = read_parquet(path, _COLUMNS[name]).to_pandas()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the file is damaged ({why(error)}); make the run again.") from error
    return table


def the_object(run: ProbeRun, object_id: int | None) -> int:
    """Return the object that is meant.

    Raises
    ------
    InputError
        If the run doesn't hold it, or holds several and none was named.
    """
    ids = [int(known) for known in run.object_ids]
    if object_id is None and len(ids) == 1:
        return ids[0]
    if object_id not in ids:
        which = "Name an object" if object_id is None else f"There is no object {object_id}"
        raise InputError(f"{which} of the run {run.path}: it holds {', '.join(map(str, ids))}.")
    return int(object_id)


def check_frame(run: ProbeRun, frame: int) -> None:
    """Make sure that the video has a frame.

    Raises
    ------
    InputError
        If it hasn't.
    """
    if not 0 <= frame < run.num_frames:
        raise InputError(f"Frame {frame} is not in the run {run.path}, whose frames are 0 to {run.num_frames - 1}.")
