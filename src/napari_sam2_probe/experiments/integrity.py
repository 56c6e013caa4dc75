"""Is what an experiment holds what it was asked for? Checked when it is opened, and when a table is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.experiments.plan import make_plan
from napari_sam2_probe.experiments.tables import STAGES, DamagedTableError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from napari_sam2_probe.experiments.config import ExperimentConfig
    from napari_sam2_probe.experiments.plan import Batch, Plan

LEFT_OUT = {"davis", "label", "batch_size", "causes"}
"""Settings that don't decide what the results are, and may change."""

_SHARES = ("region", "boundary", "obscured_fraction", "predicted_iou")
"""Columns whose numbers are from 0 to 1, or missing; a predicted IoU may be a little beyond."""

_ROUNDING = 0.5


def check_plan(path: Path, plan: Plan, config: ExperimentConfig) -> None:
    """Make sure that a plan is the one that an experiment's settings give.

    Raises
    ------
    InputError
        If either was edited: results would be taken for those of other clips, or counted as complete.
    """
    if plan != make_plan(config.kinds, config.samples, plan.batch_size, plan.threads):
        raise InputError(
            f"{path}: the plan is not that of the experiment's settings ({', '.join(config.kinds)}, {config.samples} "
            "clips each): put back the file that was edited, or start a new experiment."
        )


def check_settings(path: Path, config: ExperimentConfig, provenance: dict[str, Any]) -> None:
    """Make sure that the settings are those that the experiment was begun with.

    Raises
    ------
    InputError
        If what decides the results was edited since.
    """
    before = provenance.get("settings")
    now = config.model_dump(mode="json", exclude=LEFT_OUT)
    # Another version may know other settings.
    names = [name for name in before if name in now and before[name] != now[name]] if isinstance(before, dict) else []
    if names:
        raise InputError(
            f"{path}: {' and '.join(names)} was changed since the experiment was begun: put it back, or start a new "
            "experiment."
        )


def check_frames(path: Path, table: pd.DataFrame, batches: Sequence[Batch], config: ExperimentConfig) -> None:
    """Make sure that a table of frames holds each frame of each of these clips once, with values that can be.

    Raises
    ------
    InputError
        If not; it says what.
    """
    clips = [clip for batch in batches for clip in batch.clips]
    kinds = [batch.kind for batch in batches for _ in batch.clips]
    rows = len(clips) * config.num_frames
    if len(table) != rows:
        raise DamagedTableError(path, f"it has {len(table)} rows where {len(clips)} clips have {rows} frames")
    if not np.array_equal(table["clip"], np.repeat(np.array(clips, object), config.num_frames)) or not np.array_equal(
        table["kind"], np.repeat(np.array(kinds, object), config.num_frames)
    ):
        raise DamagedTableError(path, "its clips are not those of the plan")
    if not np.array_equal(table["frame"], np.tile(np.arange(config.num_frames), len(clips))):
        raise DamagedTableError(path, "frames are missing, or not in order")
    if not set(table["stage"].unique()) <= set(STAGES):
        raise DamagedTableError(path, "the column stage holds something else than the three stages")
    for name in _SHARES:
        limit = 1 + (_ROUNDING if name == "predicted_iou" else 1e-9)
        values = table[name].to_numpy(float)
        if (values < min(0.0, 1 - limit)).any() or (values > limit).any():
            raise DamagedTableError(path, f"the column {name} holds {np.nanmin(values):g} to {np.nanmax(values):g}")
    if (table["area"] < 0).any():
        raise DamagedTableError(path, "an area is negative")


def check_features(path: Path, table: pd.DataFrame, batches: Sequence[Batch], config: ExperimentConfig) -> None:
    """Make sure that a table of features holds each frame of each of these clips at each of its positions once.

    Raises
    ------
    InputError
        If not; it says what.
    """
    clips = [clip for batch in batches for clip in batch.clips]
    if not len(table):
        # Of masks of another system there are none.
        return
    positions = table["position"].nunique()
    if len(table) != len(clips) * config.num_frames * positions:
        raise DamagedTableError(path, f"it has {len(table)} rows for {len(clips)} clips and {positions} positions")
    if not set(table["clip"].unique()) == set(clips):
        raise DamagedTableError(path, "its clips are not those of the plan")
    if not table["frame"].between(0, config.num_frames - 1).all():
        raise DamagedTableError(path, "it speaks of frames that clips don't have")
    for name in ("short_term_l2", "long_term_l2", "short_term_ratio"):
        if (table[name].to_numpy(float) < 0).any():
            raise DamagedTableError(path, f"the column {name} holds negative numbers")
