"""The warning of loss for a run: its signals, the probability on each frame, and which warning belongs to a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.loss_model import SIGNALS, doubtful_stretches, next_doubtful_frame
from napari_sam2_probe.analysis.loss_warning import LossWarning
from napari_sam2_probe.analysis.loss_warning_file import load_warning, save_warning
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.feature_names import (
    ATTENTION_ENTROPY,
    CANDIDATE_DISAGREEMENT,
    LONG_TERM,
    SHORT_TERM,
)
from napari_sam2_probe.common.names import inside
from napari_sam2_probe.decoder.library import decoder_folder, find_for_model, install_for_model

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from napari_sam2_probe.runs.run import ProbeRun

__all__ = [
    "SHIPPED",
    "doubtful_stretches",
    "find_warning",
    "install_warning",
    "loss_probability",
    "loss_table",
    "next_doubtful_frame",
    "run_signals",
    "warning_for",
    "warning_path",
]

SHIPPED = "warning.json"
"""Name of the warning that lies beside the sample model."""

WARNING_COLUMNS = ("object_id", "frame", "horizon", "probability")
"""Columns of `loss_table`."""


def warning_path(sha256: str) -> Path:
    """Return where the warning for a model is kept in the user's folder, beside decoders."""
    return inside(decoder_folder(), f"{sha256}.warning.json")


def find_warning(checkpoint_sha256: str | None) -> LossWarning | None:
    """Return the warning that belongs to a model: the user's own, the sample model's, or None.

    Raises
    ------
    InputError
        If its file is damaged.
    """
    return find_for_model(checkpoint_sha256, warning_path, SHIPPED, load_warning)


def install_warning(warning: LossWarning) -> Path:
    """Put a warning into the user's folder, where `find_warning` finds it; an older one for the same model goes.

    Raises
    ------
    InputError
        If it was fitted to runs of an untrained model.
    ResourceError
        If the system refuses to write.
    """
    return install_for_model(warning, "warning", warning_path, save_warning)


def warning_for(run: ProbeRun, given: LossWarning | Path | str | None = None) -> LossWarning:
    """Return the warning to judge a run by: the given one, its file, or that which belongs to its model.

    Raises
    ------
    InputError
        If there is none, or it was fitted to runs of another model.
    """
    model = run.info.get("model", {})
    checkpoint, sha256 = str(model.get("checkpoint", "?")), model.get("sha256")
    found = find_warning(sha256) if given is None else given
    if found is None:
        raise InputError(
            f"There is no warning of loss for the checkpoint {checkpoint}: fit one to an experiment with 'sam2-probe "
            "warning fit', or name a file."
        )
    if isinstance(found, str | Path):
        found = load_warning(found)
    if not isinstance(found, LossWarning):
        raise InputError(f"{found!r:.60} is no warning of loss: give what fit_warning(...) returns, or its file.")
    found.check_made_for(checkpoint, sha256)
    return found


def run_signals(run: ProbeRun, obj_index: int = 0) -> dict[str, NDArray[np.float64]]:
    """Return the signals (T,) of one object of a run by name; NaN where nothing ran or none was recorded."""
    num_frames = run.num_frames
    signals = {
        "object_score": run.object_scores[obj_index].astype(np.float64),
        "predicted_iou": run.predicted_iou[obj_index].astype(np.float64),
        CANDIDATE_DISAGREEMENT: run.candidate_disagreement[obj_index].astype(np.float64),
        ATTENTION_ENTROPY: run.attention_entropy[obj_index],
    }
    object_id = int(run.object_ids[obj_index])
    for position in ("4r", "5r"):
        rows = run.features[(run.features["object_id"] == object_id) & (run.features["position"] == position)]
        for column, name in ((SHORT_TERM.column, f"d1_{position}"), (LONG_TERM.column, f"d5_{position}")):
            signals[name] = np.full(num_frames, np.nan)
            signals[name][rows["frame"].to_numpy(dtype=np.int64)] = rows[column].to_numpy(dtype=np.float64)
    return {name: signals[name] for name in SIGNALS}


def loss_probability(run: ProbeRun, warning: LossWarning, horizon: int = 5, obj_index: int = 0) -> NDArray[np.float64]:
    """Return the probability (T,) that the object is lost within the next frames; NaN on untracked and prompted ones.

    Parameters
    ----------
    run
        The run.
    warning
        Fitted to runs of the same model; see `warning_for`.
    horizon
        How many frames ahead, one of the warning's.
    obj_index
        Which object, in the order of the run's arrays.

    Raises
    ------
    InputError
        If the warning doesn't look so many frames ahead.
    """
    probability = warning.at(horizon).model.probability(run_signals(run, obj_index))
    judged = run.tracked[obj_index] & ~run.prompted[obj_index]
    return np.where(judged, probability, np.nan)


def loss_table(run: ProbeRun, warning: LossWarning) -> pd.DataFrame:
    """Return the probability of loss of every object on every tracked frame, a row for each horizon of the warning.

    Returns
    -------
    pandas.DataFrame
        Columns `WARNING_COLUMNS`.
    """
    import pandas as pd

    parts = []
    for obj_index, object_id in enumerate(run.object_ids):
        for one in warning.horizons:
            probability = loss_probability(run, warning, one.horizon, obj_index)
            frames = np.flatnonzero(np.isfinite(probability))
            columns = {"object_id": int(object_id), "frame": frames, "horizon": one.horizon}
            parts.append(pd.DataFrame(columns | {"probability": probability[frames]}))
    table: pd.DataFrame = pd.concat(parts, ignore_index=True)[list(WARNING_COLUMNS)]
    return table
