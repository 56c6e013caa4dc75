"""What a warning of loss is fitted to: the signals of every frame of an experiment, beside J."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.analysis.loss_model import SIGNALS
from napari_sam2_probe.analysis.loss_warning import LossWarning, WarningOptions, fit_warning
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.feature_names import (
    ATTENTION_ENTROPY,
    CANDIDATE_DISAGREEMENT,
    LONG_TERM,
    SHORT_TERM,
)
from napari_sam2_probe.experiments.sequences import clip_sequences

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from napari_sam2_probe.experiments.results import ExperimentResults

RECORDED = (CANDIDATE_DISAGREEMENT, ATTENTION_ENTROPY)
"""Signals that stand in the store and not in a table."""


def loss_frames(results: ExperimentResults) -> pd.DataFrame:
    """Return a row for each clip and frame: clip (with its kind), base_sequence, frame, region, prompted, `SIGNALS`.

    Raises
    ------
    InputError
        If the experiment was made by a version that recorded less, or of another system's masks.
    """
    if not results.has_model:
        raise InputError(f"{results.path} holds masks of another system, of which nothing was recorded.")
    frames = results.frames[["kind", "clip", "base_sequence", "frame", "region", "prompted", *SIGNALS[:2]]]
    table = frames.sort_values(["kind", "clip", "frame"], kind="stable").reset_index(drop=True)
    features = results.features
    for position in ("4r", "5r"):
        rows = features[features["position"] == position]
        columns = {SHORT_TERM.column: f"d1_{position}", LONG_TERM.column: f"d5_{position}"}
        rows = rows[["kind", "clip", "frame", *columns]].rename(columns=columns)
        table = table.merge(rows, on=["kind", "clip", "frame"], how="left")
    signals: dict[str, list[NDArray[Any]]] = {name: [] for name in RECORDED}
    for (kind, clip), rows in table.groupby(["kind", "clip"], sort=False):
        for name in RECORDED:
            signals[name].append(_recorded(results, str(kind), str(clip), name, rows["frame"].to_numpy()))
    for name, parts in signals.items():
        table[name] = np.concatenate(parts) if parts else []
    table["clip"] = table["kind"].astype(str) + "/" + table["clip"].astype(str)
    result: pd.DataFrame = table[["clip", "base_sequence", "frame", "region", "prompted", *SIGNALS]]
    return result


def fit_to_experiments(experiments: Sequence[ExperimentResults], options: WarningOptions | None = None) -> LossWarning:
    """Fit a warning to all clips of one or several experiments with the same model.

    Raises
    ------
    InputError
        If the models differ, or as in `loss_frames` and `fit_warning`.
    """
    import pandas as pd

    if not experiments:
        raise InputError("There is no experiment to fit a warning to: give at least one.")
    tables: list[pd.DataFrame] = []
    sequences: dict[str, frozenset[str]] = {}
    models = [results.provenance.get("model") or {} for results in experiments]
    for number, results in enumerate(experiments):
        if models[number].get("sha256") != models[0].get("sha256"):
            raise InputError(
                f"{results.path} was made with other weights than {experiments[0].path}: fit a warning to runs of one "
                "model."
            )
        table = loss_frames(results)
        prefix = f"{number}/" if len(experiments) > 1 else ""
        tables.append(table.assign(clip=prefix + table["clip"]))
        for kind in results.kinds:
            sequences |= {f"{prefix}{kind}/{clip}": names for clip, names in clip_sequences(results, kind).items()}
    model = models[0]
    return fit_warning(
        pd.concat(tables, ignore_index=True),
        sequences,
        options,
        checkpoint=str(model.get("checkpoint", "")),
        sha256=model.get("sha256"),
    )


def _recorded(
    results: ExperimentResults, kind: str, clip: str, name: str, frames: NDArray[np.int64]
) -> NDArray[np.float32]:
    try:
        recorded: NDArray[np.float32] = results.array(kind, clip, name)[frames]
    except InputError as error:
        raise InputError(
            f"{results.path} was made by a version that recorded no {name.replace('_', ' ')}: make the experiment "
            "again in a new folder."
        ) from error
    return recorded
