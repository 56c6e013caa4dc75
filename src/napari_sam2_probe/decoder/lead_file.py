"""A measured lead as a JSON file, so that reports can show what took hours to track."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from napari_sam2_probe.analysis.bootstrap import Estimate, stored_fields
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.seal import check_seal, load_sealed, save_sealed
from napari_sam2_probe.decoder.lead import LeadOptions, LeadResult

FORMAT = "napari-sam2-probe lead"
"""What the file calls itself."""

FORMAT_VERSION = 1

_ESTIMATES = ("forward_mean", "backward_mean", "motion", "looks")
_ARRAYS: dict[str, Any] = {
    "forward": np.float64,
    "backward": np.float64,
    "num_frames": np.int64,
    "speed": np.float64,
    "decoder_knows": np.bool_,
}


def save_lead(result: LeadResult, path: Path | str) -> None:
    """Write a result; the file is complete or not there.

    Raises
    ------
    ResourceError
        If the disk is full.
    """
    content: dict[str, Any] = {name: getattr(result, name) for name in ("checkpoint", "sha256", "sequences")}
    content |= {name: getattr(result, name).tolist() for name in _ARRAYS}
    content |= {name: _without_nan(asdict(getattr(result, name), dict_factory=stored_fields)) for name in _ESTIMATES}
    content["options"] = asdict(result.options)
    save_sealed(path, FORMAT, FORMAT_VERSION, content)


def load_lead(path: Path | str) -> LeadResult:
    """Read a result.

    Raises
    ------
    InputError
        If there is no such file, or it is something else or damaged.
    """
    path = Path(path)
    content = load_sealed(path, FORMAT, FORMAT_VERSION, what="measured lead", command="sam2-probe decoder lead")
    try:
        check_seal(content)
        sequences = tuple(str(name) for name in content["sequences"])
        arrays: dict[str, Any] = {name: np.asarray(content[name], dtype=dtype) for name, dtype in _ARRAYS.items()}
        if any(array.shape != (len(sequences),) for array in arrays.values()):
            raise ValueError("its lists are not equally long")
        estimates: dict[str, Any] = {name: Estimate(**_with_nan(content[name])) for name in _ESTIMATES}
        options = LeadOptions(**content["options"])
        return LeadResult(
            sequences=sequences,
            checkpoint=content["checkpoint"],
            sha256=content["sha256"],
            options=options,
            **arrays,
            **estimates,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged ({error}): make it again with 'sam2-probe decoder lead'.") from error


def _without_nan(estimate: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN."""
    return {name: None if isinstance(v, float) and np.isnan(v) else v for name, v in estimate.items()}


def _with_nan(estimate: dict[str, Any]) -> dict[str, Any]:
    return {name: float("nan") if v is None else v for name, v in estimate.items()}
