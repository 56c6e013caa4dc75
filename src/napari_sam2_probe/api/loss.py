"""Warnings of loss, fitted to experiments and read off runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.values import as_path, as_paths

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_sam2_probe.analysis.loss_warning import LossWarning


def fit_warning(
    experiments: Path | str | Sequence[Path | str],
    *,
    out: Path | str | None = None,
    **options: Any,
) -> LossWarning:
    """Fit a warning that SAM 2 is about to lose the object, and judge it on sequences held out.

    Parameters
    ----------
    experiments
        One or several experiments with the same model.
    out
        A file to save it to; see ``run.loss(...)``.
    **options
        Fields of `napari_sam2_probe.analysis.loss_warning.WarningOptions`, such as ``seed`` and ``horizons``.

    Returns
    -------
    LossWarning
        Printed, it says what it is worth beside the object score alone.

    Raises
    ------
    InputError
        If an experiment or an option can't be used.
    """
    from dataclasses import fields

    from napari_sam2_probe.analysis.loss_warning import WarningOptions
    from napari_sam2_probe.analysis.loss_warning_file import save_warning
    from napari_sam2_probe.api.names import unknown
    from napari_sam2_probe.experiments.loss_frames import fit_to_experiments
    from napari_sam2_probe.experiments.results import open_experiment

    known = [field.name for field in fields(WarningOptions)]
    for name in options:
        if name not in known:
            raise unknown("option", name, known)
    paths = as_paths(experiments, "experiments")
    warning = fit_to_experiments([open_experiment(path) for path in paths], WarningOptions(**options))
    if out is not None:
        save_warning(warning, as_path(out, "out"))
    return warning
