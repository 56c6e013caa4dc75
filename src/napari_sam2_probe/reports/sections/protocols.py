"""Evaluation protocols of the SAM 2 paper, where their results lie in the folder."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.reading import load_json, read_text
from napari_sam2_probe.common.words import MISSING, number
from napari_sam2_probe.evaluation.protocols.effort import (
    SECONDS_A_CLICK,
    SECONDS_TO_LOCATE,
    TARGET,
    annotation_seconds,
    frames_needed,
)
from napari_sam2_probe.evaluation.protocols.jobs import OFFLINE, ONLINE
from napari_sam2_probe.evaluation.protocols.table import GLOBAL
from napari_sam2_probe.reports.page import Section
from napari_sam2_probe.reports.part import Part
from napari_sam2_probe.reports.tables import ReportTable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from napari_sam2_probe.reports.folder import ReportFolder

PROTOCOLS = "protocols.csv"
"""The file with the results of protocols."""

_ABOUT = "protocols.json"

_MOST_ROWS = 60


def make(places: Sequence[tuple[str, Path]], folder: ReportFolder) -> Part:
    """Show the results of protocols.

    Parameters
    ----------
    places
        Names and folders that may hold `PROTOCOLS`.
    folder
        The report's.
    """
    found = [(name, path / PROTOCOLS) for name, path in places if (path / PROTOCOLS).is_file()]
    if not found:
        return Part(None)
    tables, missing = [], []
    for k, (name, path) in enumerate(found):
        try:
            table = _read(path)
        except ValueError:
            missing.append(f"{path.name} of {name} could not be read: run the protocols again.")
            continue
        file = "protocols" if len(found) == 1 else f"protocols-{k + 1}"
        shown = name if len(found) > 1 else ""
        tables.append(folder.table(_table(file, shown, table)))
        effort = _effort(file, shown, table)
        if effort is not None:
            tables.append(folder.table(effort))
    if not tables:
        return Part(None, tuple(missing))
    sentences = ("SAM 2's own way of being evaluated: prompted by mask, box or clicks, offline and online.",)
    return Part(Section("Evaluation protocols", sentences, (), tuple(tables)), tuple(missing))


def recorded_models(places: Sequence[tuple[str, Path]]) -> dict[str, dict[str, Any] | None]:
    """Return what the evaluation in each folder recorded of its model, where there is one and it did.

    Parameters
    ----------
    places
        As in `make`.
    """
    found: dict[str, dict[str, Any] | None] = {}
    for name, path in places:
        if not (path / PROTOCOLS).is_file():
            continue
        try:
            about = load_json(path / _ABOUT)
        except (OSError, ValueError):
            continue
        model = about.get("model") if isinstance(about, dict) else None
        if isinstance(model, dict):
            found[f"the protocols of {name}"] = model
    return found


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    table: pd.DataFrame = pd.read_csv(io.StringIO(read_text(path)))
    if not len(table.columns):
        raise ValueError("no columns")
    return table


def _table(file: str, name: str, table: pd.DataFrame) -> ReportTable:
    shown = _overall(table)
    words = 0
    for column in shown.columns:
        if shown[column].dtype.kind in "fiu":
            break
        words += 1
    rows = tuple(tuple(_cell(value) for value in row) for row in shown.head(_MOST_ROWS).itertuples(index=False))
    caption = "" if len(shown) <= _MOST_ROWS else f"The first {_MOST_ROWS} of {len(shown)} rows; the CSV holds all."
    title = f"Protocols: {name}" if name else "Protocols"
    header = tuple(str(column).replace("_", " ") for column in shown.columns)
    return ReportTable(file, title, caption, header, rows, table, text_columns=max(words, 1))


def _effort(file: str, name: str, table: pd.DataFrame) -> ReportTable | None:
    """Describe how many frames, and seconds, interactive annotation needs; None where there is none."""
    import pandas as pd

    columns = {"model", "protocol", "prompt", "annotated_frames", "sequence", "JF_mean"}
    if not columns <= set(table.columns):
        return None
    means = table[(table["sequence"] == GLOBAL) & table["protocol"].isin([OFFLINE, ONLINE])]
    rows, data = [], []
    for (model, protocol, prompt), group in means.groupby(["model", "protocol", "prompt"], sort=False):
        clicks = str(prompt).partition("-")[0]
        if not clicks.isdecimal():
            continue
        scores = dict(zip(group["annotated_frames"].astype(int), group["JF_mean"].astype(float), strict=True))
        needed, most = frames_needed(scores), max(scores)
        seconds = None if needed is None else annotation_seconds(needed, int(clicks))
        at_most = annotation_seconds(most, int(clicks))
        rows.append(
            (
                str(model),
                str(protocol),
                str(prompt),
                f"more than {most}" if needed is None else str(needed),
                f"more than {number(at_most, 1)}" if seconds is None else number(seconds, 1),
                number(scores[min(scores)], 3),
                number(scores[most], 3),
            )
        )
        data.append(
            {
                "model": model,
                "protocol": protocol,
                "prompt": prompt,
                "target": TARGET,
                "frames_needed": needed,
                "seconds": seconds,
            }
        )
    if not rows:
        return None
    return ReportTable(
        f"{file}-effort",
        f"Effort of annotation: {name}" if name else "Effort of annotation",
        f"n*: the fewest annotated frames with which the mean J&F is at least {TARGET:g}; seconds a person takes for "
        f"them, at {SECONDS_TO_LOCATE:g} s to find the object on a frame and {SECONDS_A_CLICK:g} s a click (Ravi "
        "et al. 2024).",
        ("Model", "Protocol", "Prompt", "n*", "Seconds", "J&F, first", "J&F, last"),
        tuple(rows),
        pd.DataFrame(data),
        text_columns=3,
    )


def _overall(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out rows of single sequences where there are rows over all of them."""
    for column in ("sequence", "object_id"):
        if column in table and table[column].astype(str).isin(["global", "all"]).any():
            means = table[table[column].astype(str).isin(["global", "all"])]
            return means.drop(columns=[c for c in ("sequence", "object_id") if c in means])
    return table


def _cell(value: object) -> str:
    if isinstance(value, float):
        return number(value, 0) if value.is_integer() and abs(value) >= 2 else number(value, 3)
    return MISSING if value is None else str(value)
