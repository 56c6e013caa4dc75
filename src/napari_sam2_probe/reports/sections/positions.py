"""The five positions on one frame, clean and changed: the paper's figures 7, 8, 11 and 12."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import ProbeError
from napari_sam2_probe.common.words import MISSING, listing, number
from napari_sam2_probe.figures.composite import make_composite
from napari_sam2_probe.probe.positions import STATISTICS
from napari_sam2_probe.reports.examples import RULE, find_example
from napari_sam2_probe.reports.maps import MapMaker
from napari_sam2_probe.reports.page import Section
from napari_sam2_probe.reports.part import Part
from napari_sam2_probe.reports.words import kind_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from napari_sam2_probe.common.progress import ProgressCallback
    from napari_sam2_probe.figures.composite import Composite
    from napari_sam2_probe.reports.examples import Example
    from napari_sam2_probe.reports.folder import ReportFolder
    from napari_sam2_probe.reports.maps import When
    from napari_sam2_probe.reports.page import PageFigure
    from napari_sam2_probe.reports.subject import Subject

FIGURES = {"obscuration": ("7", "8"), "three-object": ("11", "12")}
"""Numbers in the paper of the clean and of the changed composite, by kind."""


def make(subjects: Sequence[Subject], folder: ReportFolder, when: When, progress: ProgressCallback) -> Part:
    """Draw the composites."""
    figures: list[PageFigure] = []
    missing: list[str] = []
    refused: dict[tuple[str, str], list[str]] = {}
    for kind, numbers in FIGURES.items():
        for subject in subjects:
            if not subject.results.has_model or kind not in subject.results.kinds:
                continue
            example = find_example(subject.results, kind)
            if example is None:
                missing.append(
                    f"{subject.name}: figures {listing(numbers)} need {kind_label(kind).lower()} clips with their "
                    "clean twins."
                )
                continue
            maker = MapMaker(subject.results, when, progress)
            try:
                composites = (
                    maker.composite(example.clean, example.twin_frame, "Clean"),
                    maker.composite(example.changed, example.frame, kind_label(kind)),
                )
            except ProbeError as error:
                refused.setdefault((subject.name, _sentence(error)), []).extend(numbers)
                continue
            figures.append(_figure(subject, example, composites, numbers, folder))
    missing += [f"{name}: figures {listing(which)} are missing. {why}" for (name, why), which in refused.items()]
    if not figures:
        return Part(None, tuple(missing))
    sentences = (
        "Channel-wise mean and population variance of what arises at each position, scaled to one size; each panel "
        f"has its own contrast. The clips are chosen by a rule: {RULE}; the frame is the one covered most, up to six "
        "tenths.",
    )
    return Part(Section("Inside SAM 2", sentences, tuple(figures)), tuple(missing))


def _sentence(error: Exception) -> str:
    said = str(error)
    return said[0].upper() + said[1:]


def _figure(
    subject: Subject,
    example: Example,
    composites: tuple[Composite, Composite],
    numbers: tuple[str, str],
    folder: ReportFolder,
) -> PageFigure:
    contrasts = _contrasts(example, composites)
    kind = example.changed.kind
    return folder.figure(
        subject.file(f"figure-{numbers[0]}-{numbers[1]}"),
        subject.title(f"Five positions, {kind_label(kind).lower()} and clean"),
        _caption(example, contrasts),
        make_composite(composites),
        contrasts,
        number=f"{numbers[0]} and {numbers[1]}",
        group=f"composite-{kind}",
    )


def _contrasts(example: Example, composites: Sequence[Composite]) -> pd.DataFrame:
    """Return for each map how far the object stands out: inside minus outside its true mask, in standard deviations."""
    import pandas as pd

    rows = []
    for clip, frame, composite in (
        (example.clean, example.twin_frame, composites[0]),
        (example.changed, example.frame, composites[1]),
    ):
        labels = clip.results.sequence(clip.kind, clip.clip).mask(frame)
        truth = np.zeros(composite.frame.shape[:2], bool) if labels is None else labels == 1
        for pair in composite.maps:
            for statistic in STATISTICS:
                values = np.asarray(getattr(pair, statistic), dtype=np.float64)
                inside, outside, deviation = _inside(values, truth)
                rows.append(
                    {
                        "kind": clip.kind,
                        "clip": clip.clip,
                        "frame": frame,
                        "position": pair.position,
                        "statistic": statistic,
                        "inside_object": inside,
                        "outside_object": outside,
                        "standard_deviation": deviation,
                        "contrast": (inside - outside) / deviation if deviation > 0 else float("nan"),
                    }
                )
    return pd.DataFrame(rows)


def _inside(values: NDArray[np.float64], mask: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Return the mean of a map inside and outside a mask of the video's size, and the map's standard deviation."""
    rows = ((np.arange(values.shape[0]) + 0.5) * mask.shape[0] / values.shape[0]).astype(int)
    columns = ((np.arange(values.shape[1]) + 0.5) * mask.shape[1] / values.shape[1]).astype(int)
    small = mask[np.ix_(rows, columns)]
    if not small.any() or small.all():
        return float("nan"), float("nan"), float(values.std())
    return float(values[small].mean()), float(values[~small].mean()), float(values.std())


def _caption(example: Example, contrasts: pd.DataFrame) -> str:
    fraction = float(example.changed.obscured_fraction[example.frame])
    covered = f", where {fraction:.0%} of the object is covered" if np.isfinite(fraction) else ""
    sentences = [f"Clip {example.changed.clip} and its clean twin, frame {example.frame}{covered}."]
    variance = contrasts[contrasts["statistic"] == "variance"]
    said = []
    for position in dict.fromkeys(variance["position"]):
        of_position = variance[variance["position"] == position].set_index("kind")["contrast"]
        clean, changed = (float(of_position.get(kind, np.nan)) for kind in ("clean", example.changed.kind))
        said.append(f"{_signed(clean)} and {_signed(changed)} at position {position}")
    sentences.append(
        "The channel variance inside the object's true mask differs from the rest of the map, clean and changed, by "
        f"{listing(said)} (in standard deviations of the map)."
    )
    return " ".join(sentences)


def _signed(value: float) -> str:
    if not np.isfinite(value):
        return MISSING
    return f"+{number(value, 1)}" if value >= 0.05 else number(value, 1)
