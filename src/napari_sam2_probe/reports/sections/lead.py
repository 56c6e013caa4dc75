"""Whether decoded centres lead the motion, as the paper suspects in section 4.2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.words import count, interval, number
from napari_sam2_probe.decoder.library import find_decoder, find_lead
from napari_sam2_probe.figures.lead import make_lead
from napari_sam2_probe.reports.page import Section
from napari_sam2_probe.reports.part import Part
from napari_sam2_probe.reports.tables import ReportTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam2_probe.analysis.bootstrap import Estimate
    from napari_sam2_probe.decoder.lead import LeadResult
    from napari_sam2_probe.reports.folder import ReportFolder
    from napari_sam2_probe.reports.page import PageFigure
    from napari_sam2_probe.reports.subject import Subject

_ROWS = (
    ("forward_mean", "video as it is"),
    ("backward_mean", "video backwards"),
    ("motion", "with the motion (half the sum)"),
    ("looks", "with the looks (half the difference)"),
)


def make(subjects: Sequence[Subject], folder: ReportFolder) -> Part:
    """Show the lead where it was measured for an experiment's checkpoint (``sam2-probe decoder lead``)."""
    found: list[tuple[Subject, LeadResult]] = []
    missing: list[str] = []
    for subject in subjects:
        model = subject.results.provenance.get("model") or {}
        name, sha256 = str(model.get("checkpoint")), model.get("sha256")
        try:
            result = find_lead(sha256) if subject.results.has_model else None
            has_decoder = subject.results.has_model and find_decoder(sha256) is not None
        except InputError as error:
            missing.append(f"{subject.name}: whether decoded centres lead the motion is not shown. {error}")
            continue
        if result is not None and result.sequences:
            found.append((subject, result))
        elif has_decoder:
            missing.append(
                f"{subject.name}: whether decoded centres lead the motion was not measured: run 'sam2-probe decoder "
                f"lead --davis ROOT --checkpoint {name}', then make the report again."
            )
    if not found:
        return Part(None, tuple(missing))
    sentences = (
        "The paper suspects that the decoded centre leads the motion. Decoded minus true centre, less what a linear "
        "regression on the true position predicts of it, along the direction of motion. What follows the motion leads "
        "in a video backwards too; what follows the looks of the object, such as its head, then lags.",
    )
    figures = tuple(_figure(subject, result, folder) for subject, result in found)
    headlines = tuple(_headline(subject, result, several=len(found) > 1) for subject, result in found)
    table = folder.table(_table(found))
    return Part(Section("Does the pointer look ahead?", sentences, figures, (table,)), tuple(missing), headlines)


def _figure(subject: Subject, result: LeadResult, folder: ReportFolder) -> PageFigure:
    return folder.figure(
        subject.file("lead"),
        subject.title("Lead of the decoded centre along the motion"),
        _caption(result),
        make_lead(result),
        result.table(),
        group="lead",
    )


def _caption(result: LeadResult) -> str:
    ahead = int((result.forward > 0).sum())
    sentences = [
        f"{count(len(result.sequences), 'sequence')}, {count(int(result.num_frames.sum()), 'moving frame')}; mean "
        f"speed {number(100 * float(result.speed.mean()))} % of the diagonal per frame.",
        f"Forwards the decoded centre is ahead in {ahead} of {len(result.sequences)}: {_said(result.forward_mean)} % "
        f"of the diagonal in the mean; backwards {_said(result.backward_mean)} %.",
        _verdict(result.motion),
    ]
    if result.decoder_knows.any():
        sentences.append("The decoder was fitted to these sequences, as there were no others.")
    return " ".join(sentences)


def _verdict(motion: Estimate) -> str:
    said = f"With the motion: {_said(motion)} %"
    if not motion.low <= motion.high:
        return f"{said}; too little to tell."
    if motion.low > 0:
        return f"{said}: the decoded centre leads the motion."
    if motion.high < 0:
        return f"{said}: the decoded centre lags behind the motion."
    return f"{said}: the interval holds 0, so whether it leads is open."


def _headline(subject: Subject, result: LeadResult, *, several: bool) -> str:
    verdict = _verdict(result.motion)
    return f"{f'{subject.name}: d' if several else 'D'}ecoded centres along the motion. {verdict}"


def _table(found: Sequence[tuple[Subject, LeadResult]]) -> ReportTable:
    import pandas as pd

    rows, data = [], []
    for subject, result in found:
        for name, words in _ROWS:
            estimate = getattr(result, name)
            rows.append((subject.name, words, str(len(result.sequences)), _said(estimate)))
            data.append(
                {
                    "experiment": subject.name,
                    "what": name,
                    "num_sequences": len(result.sequences),
                    "lead": estimate.value,
                    "low": estimate.low,
                    "high": estimate.high,
                }
            )
    return ReportTable(
        "lead",
        "Lead of the decoded centre",
        "In % of the frame's diagonal [95 % interval, bootstrap over sequences]; the CSV holds shares of it.",
        ("Experiment", "Lead", "Sequences", "Mean"),
        tuple(rows),
        pd.DataFrame(data),
        text_columns=2,
    )


def _said(estimate: Estimate) -> str:
    return interval(100 * estimate.value, 100 * estimate.low, 100 * estimate.high)
