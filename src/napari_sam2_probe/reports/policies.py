"""A comparison of memory policies as one page: a table, a figure, and what they rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.evaluation.policies import DEFAULT_POLICIES, ORACLE, TABLE
from napari_sam2_probe.models.caveat import banner
from napari_sam2_probe.reports.folder import ReportFolder
from napari_sam2_probe.reports.page import Page, Section, write_page
from napari_sam2_probe.reports.tables import ReportTable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from napari_sam2_probe.analysis.bootstrap import Estimate
    from napari_sam2_probe.evaluation.policies import PolicyComparison, PolicySummary

INDEX = "index.html"

_HEADER = (
    "Policy",
    "J&F",
    "Minus stock",
    "Gap to oracle",
    "J&F after an interjection",
    "Re-identification",
    "s a frame",
)
_CAPTION = (
    "Means over objects; in brackets 95 % intervals over sequences (bootstrap, whole sequences drawn). Minus stock and "
    "gap to oracle are means of differences on the same objects. Re-identification is J&F after the interjection minus "
    "J&F before it. Time is of tracking alone, on this machine."
)


def write_policy_report(comparison: PolicyComparison, folder: Path) -> Path:
    """Write ``index.html`` with its table and figure beside ``policies.csv``, and return it.

    Parameters
    ----------
    comparison
        What was compared.
    folder
        Where it was written.
    """
    import pandas as pd

    about = comparison.about
    warning = banner({"the comparison": about["model"]})
    made = ReportFolder(folder, formats=("pdf",), remark=warning)
    summaries = comparison.summaries
    table = ReportTable(
        "policies-summary",
        "Memory policies",
        _CAPTION,
        _HEADER,
        tuple(_cells(summary) for summary in summaries),
        pd.DataFrame([_numbers(summary) for summary in summaries]),
    )
    names = about["data"]["sequences"]
    objects = {(row.sequence, row.object_id) for row in comparison.rows}
    caption = (
        f"Means over {len(objects)} objects with 95 % intervals over {len(names)} sequences. Left: J&F of whole "
        "sequences. Right: the difference to stock on the same objects; where the interval leaves out 0 the policy "
        "changes something on this data set."
    )
    figure = made.figure("policies", "J&F by memory policy", caption, _figure(summaries), table.data)
    sentences = (*_findings(summaries), _oracle_note(summaries))
    page = Page(
        title="Memory policies",
        lead=(
            "Each policy chooses which memories and pointers a frame reads; all else is the same model. Objects were "
            "prompted with their true mask on their first frame."
        ),
        sections=(Section("Comparison", tuple(filter(None, sentences)), (figure,), (made.table(table),)),),
        provenance=_provenance(about),
        warning=warning,
        notes=_left_out(about),
    )
    return write_page(page, folder / INDEX)


def _cells(summary: PolicySummary) -> tuple[str, ...]:
    estimates = (summary.jf, summary.over_stock, summary.gap, summary.suffix_jf, summary.reidentification)
    return (summary.policy, *(_text(estimate) for estimate in estimates), f"{summary.seconds_per_frame:.3f}")


def _text(estimate: Estimate) -> str:
    if np.isnan(estimate.value):
        return "–"
    return f"{estimate.value:.3f}" if np.isnan(estimate.low) else str(estimate)


def _numbers(summary: PolicySummary) -> dict[str, Any]:
    numbers: dict[str, Any] = {"policy": summary.policy}
    for name in ("jf", "over_stock", "gap", "suffix_jf", "reidentification"):
        estimate: Estimate = getattr(summary, name)
        numbers |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return numbers | {"num_sequences": summary.jf.num_groups, "seconds_per_frame": summary.seconds_per_frame}


def _findings(summaries: Sequence[PolicySummary]) -> list[str]:
    """Describe which policies differ from stock on this data, and which do not."""
    methods = [s for s in summaries[1:] if s.policy.partition(":")[0] != ORACLE]
    better = [s.policy for s in methods if s.over_stock.low > 0]
    worse = [s.policy for s in methods if s.over_stock.high < 0]
    same = [s.policy for s in methods if s.policy not in (*better, *worse)]
    said = [
        f"{', '.join(names)}: J&F {what} than that of stock."
        for names, what in ((better, "is higher"), (worse, "is lower"))
        if names
    ]
    if same:
        said.append(f"{', '.join(same)}: no difference to stock that these sequences could show.")
    return said


def _left_out(about: dict[str, Any]) -> tuple[str, ...]:
    """Say what was not compared, and why."""
    unscored = [
        f"{name}, {_objects(ids) if ids else 'all of it'}: left out, since scores need 3 masks or more."
        for name, ids in sorted(about["left_out"].items())
    ]
    without = [
        f"{name}, object {object_id}: no clip with an interjection. {reason}"
        for name, reasons in sorted(about["without_clip"].items())
        for object_id, reason in reasons.items()
    ]
    return (*unscored, *without)


def _objects(ids: Sequence[int]) -> str:
    return f"object{'s' if len(ids) > 1 else ''} {', '.join(map(str, ids))}"


def _oracle_note(summaries: Sequence[PolicySummary]) -> str:
    if not any(s.policy.partition(":")[0] == ORACLE for s in summaries):
        return ""
    return (
        "The oracle knows the true mask of the frame it chooses for, so it is no method. It is greedy and looks at one "
        "frame at a time: it is a yardstick, and a policy may do better than it on a whole sequence."
    )


def _figure(summaries: Sequence[PolicySummary]) -> Figure:
    from napari_sam2_probe.figures.dots import SERIES_LOOKS, DotPanel, Dots, make_dots

    names = tuple(summary.policy for summary in summaries)

    def panel(title: str, axis: str, attribute: str, reference: float | None) -> DotPanel:
        estimates: list[Estimate] = [getattr(summary, attribute) for summary in summaries]
        columns = (np.array([getattr(e, end) for e in estimates], np.float64) for end in ("value", "low", "high"))
        value, low, high = columns
        return DotPanel(title, names, (Dots("mean", value, low, high, SERIES_LOOKS[0]),), axis, None, reference)

    return make_dots(
        [
            panel("Whole sequences", "J&F", "jf", None),
            panel("Against stock", "difference in J&F", "over_stock", 0.0),
        ]
    )


def _provenance(about: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    model, data = about["model"], about["data"]
    return (
        ("Data", f"{data['name']}: {', '.join(data['sequences'])}"),
        ("Model", f"{model['checkpoint']} ({model['config']}, {model['dtype']}, {model['device_name']})"),
        ("SHA-256 of the weights", str(model["sha256"])),
        ("Policies", ", ".join(about["options"]["policies"])),
        ("Clips", f"seed {about['options']['seed']}" if about["options"]["interjections"] else "none"),
        ("Versions", ", ".join(f"{name} {version}" for name, version in about["software"].items())),
        ("Command", about["command"] or "from Python"),
        ("All objects", TABLE),
    )


__all__ = ["DEFAULT_POLICIES", "INDEX", "write_policy_report"]
