"""Warnings of loss as a JSON file: coefficients and what they were worth, nothing that could run."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from napari_sam2_probe.analysis.bootstrap import Estimate
from napari_sam2_probe.analysis.loss_model import SIGNALS, LossModel
from napari_sam2_probe.analysis.loss_warning import (
    Calibration,
    HorizonWarning,
    Judgement,
    LossWarning,
    WarningOptions,
)
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.seal import check_seal, load_sealed, save_sealed

FORMAT = "napari-sam2-probe warning"
"""What the file calls itself."""

FORMAT_VERSION = 1


def save_warning(warning: LossWarning, path: Path | str) -> None:
    """Write a warning; the file is complete or not there.

    Raises
    ------
    ResourceError
        If the disk is full.
    """
    save_sealed(path, FORMAT, FORMAT_VERSION, _plain(asdict(warning)))


def load_warning(path: Path | str) -> LossWarning:
    """Read a warning.

    Raises
    ------
    InputError
        If there is no such file, or it is something else or damaged.
    """
    path = Path(path)
    content = load_sealed(path, FORMAT, FORMAT_VERSION, what="warning of loss", command="sam2-probe warning fit")
    try:
        check_seal(content)
        return LossWarning(
            str(content["checkpoint"]),
            None if content["sha256"] is None else str(content["sha256"]),
            tuple(_horizon(one) for one in content["horizons"]),
            tuple(str(name) for name in content["sequences"]),
            WarningOptions(**content["options"] | {"horizons": tuple(content["options"]["horizons"])}),
        )
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({error}): make it again with 'sam2-probe warning fit'.") from error


def _horizon(content: dict[str, Any]) -> HorizonWarning:
    return HorizonWarning(
        int(content["horizon"]),
        _model(content["model"]),
        _model(content["baseline"]),
        _judgement(content["everywhere"]),
        _judgement(content["held"]),
    )


def _model(content: dict[str, Any]) -> LossModel:
    signals = tuple(content["signals"])
    if not set(signals) <= set(SIGNALS):
        raise ValueError("it names signals that are not known")
    mean, scale, coefficients = (np.asarray(content[name], np.float64) for name in ("mean", "scale", "coefficients"))
    if any(array.shape != (len(signals),) for array in (mean, scale, coefficients)):
        raise ValueError("its lists are not equally long")
    intercept, slope, shift = (float(content[name]) for name in ("intercept", "slope", "shift"))
    if not np.isfinite([*mean, *scale, *coefficients, intercept, slope, shift]).all():
        raise ValueError("a coefficient is no number")
    return LossModel(signals, mean, scale, coefficients, intercept, slope, shift)


def _judgement(content: dict[str, Any]) -> Judgement:
    curve: dict[str, Any] = {
        name: np.array([np.nan if v is None else v for v in values], np.float64)
        for name, values in content["calibration"].items()
    }
    curve["num_frames"] = curve["num_frames"].astype(np.int64)
    constant = content["brier_constant"]
    names = [field.name for field in fields(Judgement)[:6]]
    found: dict[str, Any] = {name: Estimate(**_with_nan(content[name])) for name in names}
    found |= {name: int(content[name]) for name in ("frames", "losses", "clips")}
    found["brier_constant"] = float("nan") if constant is None else float(constant)
    return Judgement(calibration=Calibration(**curve), **found)


def _plain(value: Any) -> Any:
    """Return what JSON can hold, which has no NaN and no arrays."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _with_nan(estimate: dict[str, Any]) -> dict[str, Any]:
    return {name: float("nan") if v is None else v for name, v in estimate.items()}
