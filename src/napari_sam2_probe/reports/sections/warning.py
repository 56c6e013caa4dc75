"""The warning of loss: whether what a run records tells that the object is about to be lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.loss_model import LOSS, SIGNALS
from napari_sam2_probe.analysis.loss_warning import WarningOptions, verdict
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.words import count, interval, listing, number
from napari_sam2_probe.experiments.loss_frames import fit_to_experiments
from napari_sam2_probe.figures.loss import ahead, make_warning
from napari_sam2_probe.reports.page import Section
from napari_sam2_probe.reports.part import Part
from napari_sam2_probe.reports.tables import ReportTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from napari_sam2_probe.analysis.bootstrap import Estimate
    from napari_sam2_probe.analysis.loss_warning import HorizonWarning, Judgement, LossWarning
    from napari_sam2_probe.reports.folder import ReportFolder
    from napari_sam2_probe.reports.page import PageFigure
    from napari_sam2_probe.reports.subject import Subject

_NAMES = {
    "object_score": "object score",
    "predicted_iou": "predicted IoU",
    "candidate_disagreement": "disagreement of the candidate masks",
    "d1_4r": "short-term L2 at 4r",
    "d5_4r": "long-term L2 at 4r",
    "d1_5r": "short-term L2 at 5r",
    "d5_5r": "long-term L2 at 5r",
    "attention_entropy": "entropy of memory attention",
}


def make(subjects: Sequence[Subject], folder: ReportFolder) -> Part:
    """Fit a warning to each experiment and show what it is worth."""
    figures: list[PageFigure] = []
    missing: list[str] = []
    fitted: list[tuple[Subject, LossWarning]] = []
    for subject in subjects:
        if not subject.results.has_model or not len(subject.results.frames):
            continue
        options = WarningOptions(num_resamples=subject.num_resamples, seed=subject.seed)
        try:
            warning = fit_to_experiments([subject.results], options)
        except InputError as error:
            missing.append(f"{subject.name}: no warning of loss. {error}")
            continue
        fitted.append((subject, warning))
        figures.append(_figure(subject, warning, folder))
    if not fitted:
        return Part(None, tuple(missing))
    sentences = (
        f"A loss is a J below {LOSS:g} on at least one of the next frames. A logistic regression tells its probability "
        f"from what a run records anyway: {listing([_NAMES[signal] for signal in SIGNALS])}. Its log-odds are "
        "calibrated (Platt) on sequences that it was not fitted to, and it is judged on clips that share no sequence "
        "with those it was fitted to, as base or as distractor. The object score alone, fitted alike, is what it must "
        "beat. Where the object is already lost a loss ahead is easily told, so AUROC and Brier score are shown where "
        "the object is still held; a probability knows nothing of that, so it is calibrated, and its calibration "
        "shown, on all frames.",
        "'sam2-probe warning fit' keeps a warning; runs of the same model then show it.",
    )
    table = folder.table(_table(fitted))
    several = len(fitted) > 1
    headlines = tuple(
        f"{f'{subject.name}: w' if several else 'W'}arning of a loss within the {ahead(one.horizon)}: {verdict(one)}"
        for subject, warning in fitted
        for one in warning.horizons[1:2]
    )
    return Part(Section("Warning of loss", sentences, tuple(figures), (table,)), tuple(missing), headlines)


def _figure(subject: Subject, warning: LossWarning, folder: ReportFolder) -> PageFigure:
    said = [f"{ahead(one.horizon).capitalize()}: {verdict(one)}" for one in warning.horizons]
    said += [_calibration(one) for one in warning.horizons]
    return folder.figure(
        subject.file("warning-of-loss"),
        subject.title("Is a loss foretold?"),
        " ".join(sentence for sentence in said if sentence),
        make_warning(warning),
        _curves(warning),
        group="warning-of-loss",
    )


def _calibration(warning: HorizonWarning) -> str:
    curve = warning.everywhere.calibration
    outside = (curve.predicted < curve.low) | (curve.predicted > curve.high)
    known = np.isfinite(curve.low)
    if not known.any():
        return ""
    right = int(known.sum() - outside[known].sum())
    return (
        f"Calibration on all frames, {ahead(warning.horizon)}: in {right} of {count(int(known.sum()), 'bin')} the "
        "predicted probability lies in the interval of the share that was lost."
    )


def _curves(warning: LossWarning) -> pd.DataFrame:
    import pandas as pd

    parts = []
    for one in warning.horizons:
        for frames, judged in (("held", one.held), ("all", one.everywhere)):
            curve = judged.calibration
            columns = {name: getattr(curve, name) for name in ("predicted", "observed", "low", "high", "num_frames")}
            parts.append(pd.DataFrame({"horizon": one.horizon, "frames": frames, **columns}))
    return pd.concat(parts, ignore_index=True)


def _table(fitted: Sequence[tuple[Subject, LossWarning]]) -> ReportTable:
    import pandas as pd

    rows, data = [], []
    for subject, warning in fitted:
        for which in ("held", "everywhere"):
            for one in warning.horizons:
                judged: Judgement = getattr(one, which)
                frames = "that still hold the object" if which == "held" else "all"
                rows.append(
                    (
                        subject.name,
                        frames,
                        ahead(one.horizon),
                        *(_cell(e) for e in (judged.auroc, judged.auroc_baseline, judged.auroc_gain)),
                        *(_cell(e) for e in (judged.brier, judged.brier_baseline, judged.brier_gain)),
                        number(judged.brier_constant),
                        f"{judged.losses} of {judged.frames}",
                        str(judged.clips),
                    )
                )
                data.append(_data(subject, which, one, judged))
    return ReportTable(
        "warning-of-loss",
        "What the warning is worth",
        "All signals beside the object score alone, on the same frames. Gains are paired differences: above 0 all "
        "signals are better. Constant: the Brier score of always saying the share of losses. [95 % interval, bootstrap "
        "over source sequences]",
        (
            "Experiment",
            "Frames",
            "Loss within",
            "AUROC",
            "score alone",
            "gain",
            "Brier",
            "score alone",
            "gain",
            "constant",
            "Losses",
            "Clips",
        ),
        tuple(rows),
        pd.DataFrame(data),
        text_columns=3,
    )


def _data(subject: Subject, which: str, one: HorizonWarning, judged: Judgement) -> dict[str, object]:
    row: dict[str, object] = {"experiment": subject.name, "frames_judged": which, "horizon": one.horizon}
    for name in ("auroc", "auroc_baseline", "auroc_gain", "brier", "brier_baseline", "brier_gain"):
        estimate: Estimate = getattr(judged, name)
        row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return row | {
        "brier_constant": judged.brier_constant,
        "frames": judged.frames,
        "losses": judged.losses,
        "clips": judged.clips,
    }


def _cell(estimate: Estimate) -> str:
    return interval(estimate.value, estimate.low, estimate.high)
