"""Object pointers of obscured objects: the paper's figures 9, 10 and 13."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.pointers import project_pointers
from napari_sam2_probe.common.words import count, interval, number, times
from napari_sam2_probe.figures.obscuration import make_obscuration
from napari_sam2_probe.figures.pointers import PointerPath, make_pointer_paths
from napari_sam2_probe.probe.positions import OBJECT_POINTER, OBJECT_POINTER_RAW
from napari_sam2_probe.reports.covers import Cover, pointer_distance
from napari_sam2_probe.reports.examples import RULE, find_example
from napari_sam2_probe.reports.page import Section
from napari_sam2_probe.reports.part import Part
from napari_sam2_probe.reports.tables import ReportTable
from napari_sam2_probe.reports.words import kind_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from napari_sam2_probe.analysis.bootstrap import Estimate
    from napari_sam2_probe.analysis.cover import CoverEffect
    from napari_sam2_probe.analysis.pointers import Correlation
    from napari_sam2_probe.reports.examples import Example
    from napari_sam2_probe.reports.folder import ReportFolder
    from napari_sam2_probe.reports.page import PageFigure
    from napari_sam2_probe.reports.subject import Subject

PATHS = {"obscuration": "9", "three-object": "13"}
"""Number in the paper of the pointers in two dimensions, by kind."""


def make(subjects: Sequence[Subject], folder: ReportFolder) -> Part:
    """Draw where pointers go, and how far from their twins'."""
    shown = [subject for subject in subjects if subject.results.has_model]
    figures: list[PageFigure] = []
    missing: list[str] = []
    responses = [(subject, kind, subject.covers.get(kind)) for subject in shown for kind in PATHS]
    for kind, path_number in PATHS.items():
        for subject in shown:
            if kind not in subject.results.kinds:
                continue
            example = find_example(subject.results, kind)
            if example is None:
                missing.append(
                    f"{subject.name}: figure {path_number} needs {kind_label(kind).lower()} clips with their clean "
                    "twins."
                )
            else:
                figures.append(_paths(subject, example, path_number, folder))
        for subject, of_kind, response in responses:
            if of_kind == kind and response is not None:
                figures.append(_distances(subject, kind, response, folder))
    if not figures:
        return Part(None, tuple(missing))
    table = _table([(subject, kind, response) for subject, kind, response in responses if response is not None])
    sentences = (
        f"Examples are chosen by a rule, not by eye: {RULE}. Distances are over all clips, without prompted frames, "
        "whose pointers are made otherwise; frames of a clip are not independent, so intervals are by bootstrap over "
        "source sequences, and a p-value that takes frames as independent is called naive. Pooled over clips, "
        "distance and cover also go together where some clips have more of both, so the correlation within clips "
        "(mean over clips of each clip's own) stands beside it.",
    )
    tables = (folder.table(table),) if table.rows else ()
    several = len(shown) > 1
    headlines = tuple(
        f"{f'{subject.name}: d' if several else 'D'}istance of pointers from their clean twins' against the covered "
        f"share of the object: {_short(response.stored.pearson)}, {_short(response.stored.spearman)} over "
        f"{count(len(response.clips), 'obscuration clip')}. {_direction(response.stored.spearman)}"
        for subject, kind, response in responses
        if kind == "obscuration" and response is not None
    )
    return Part(Section("Object pointers", sentences, tuple(figures), tables), tuple(missing), headlines)


def _paths(subject: Subject, example: Example, path_number: str, folder: ReportFolder) -> PageFigure:
    import pandas as pd

    clips = (example.clean, example.changed)
    pointers = [clip.results.pointers(clip.kind, clip.clip) for clip in clips]
    prompted = [clip.rows["prompted"].to_numpy(dtype=np.bool_) for clip in clips]
    # Prompted frames lie far from all others, so they don't choose the components; they are projected like the rest.
    projection = project_pointers([one[~first] for one, first in zip(pointers, prompted, strict=True)])
    coordinates = [(one - projection.mean) @ projection.components.T for one in pointers]
    paths = [
        PointerPath(kind_label(clip.kind), clip.kind, xy, clip.object_present, first, clip.obscured_fraction)
        for clip, xy, first in zip(clips, coordinates, prompted, strict=True)
    ]
    data = pd.concat(
        [
            pd.DataFrame(
                {
                    "kind": clip.kind,
                    "clip": clip.clip,
                    "frame": np.arange(len(xy)),
                    "first": xy[:, 0],
                    "second": xy[:, 1],
                }
            )
            for clip, xy in zip(clips, coordinates, strict=True)
        ],
        ignore_index=True,
    )
    kind = example.changed.kind
    return folder.figure(
        subject.file(f"figure-{path_number}"),
        subject.title(f"Object pointers, {kind_label(kind).lower()} clip and its clean twin"),
        _paths_caption(example, pointers, projection.explained_variance_ratio),
        make_pointer_paths(paths, projection.explained_variance_ratio),
        data,
        number=path_number,
        group=f"pointers-{kind}",
        narrow=True,
    )


def _paths_caption(example: Example, pointers: Sequence[NDArray[np.floating]], shares: NDArray[np.float64]) -> str:
    clean, changed = (np.asarray(p[1:], dtype=np.float64) for p in pointers)
    spread = [float(p.var(axis=0).sum()) for p in (clean, changed)]
    sentences = [
        f"Clip {example.changed.clip}. Two principal components of both clips together, "
        f"without the prompted frame, hold {number(100 * float(shares.sum()), 0)} % of their variance; lines in time "
        "order from the star, which lies on the border where the prompted frame is out of range."
    ]
    if spread[0] > 0:
        sentences.append(
            f"The pointers of the changed clip vary {times(spread[1] / spread[0])} times as much as the clean twin's "
            "(total variance over the clip)."
        )
    distance = pointer_distance(example.changed, example.clean, raw=False)
    fraction = example.changed.obscured_fraction
    later = np.arange(len(distance)) > 0
    groups = [
        (name, distance[later & chosen & np.isfinite(distance)])
        for name, chosen in (("not covered", fraction == 0), ("covered by a fifth or more", fraction >= 0.2))
    ]
    said = [
        f"{number(float(values.mean()))} where the object is {name} ({count(len(values), 'frame')})"
        for name, values in groups
        if len(values)
    ]
    if said:
        sentences.append(f"Mean distance between pointers of the same frame: {', '.join(said)}.")
    return " ".join(sentences)


def _distances(subject: Subject, kind: str, response: Cover, folder: ReportFolder) -> PageFigure:
    first = kind == "obscuration"
    return folder.figure(
        subject.file("figure-10" if first else f"pointer-distance-{kind}"),
        subject.title(f"Pointer distance against {'obscuration' if first else 'what three objects cover'}"),
        _distances_caption(response),
        make_obscuration(response.stored),
        _data(kind, response),
        number="10" if first else "",
        group=f"pointers-{kind}",
        narrow=True,
    )


def _data(kind: str, response: Cover) -> pd.DataFrame:
    import pandas as pd

    stored, raw = response.stored, response.raw
    index = ["clip", "frame"]
    tables = [
        pd.DataFrame(
            {
                "clip": [response.clips[k] for k in one.clip_index],
                "frame": one.frame_index,
                "obscured_fraction": one.obscured_fraction,
                name: one.distance,
            }
        )
        for name, one in (("distance", stored), ("distance_ungated", raw))
    ]
    joined = tables[0].merge(tables[1].drop(columns="obscured_fraction"), on=index, how="left")
    joined.insert(0, "kind", kind)
    return joined


def _distances_caption(response: Cover) -> str:
    stored = response.stored
    correlations = f"{stored.pearson}; {stored.spearman}".replace("[-", "[−").replace(" -", " −")
    sentences = [f"{correlations}. {_direction(stored.spearman)}"]
    free = stored.distance[stored.unobscured]
    if free.size:
        half = stored.distance[stored.obscured_fraction >= 0.5]
        more = f", against {number(float(np.median(half)))} where at least half is covered" if half.size else ""
        sentences.append(
            f"Where nothing is covered (circled, {count(free.size, 'frame')}) the distance is not 0: median "
            f"{number(float(np.median(free)))}, up to {number(float(free.max()))}{more}."
        )
    effect = response.stored_effect
    sentences.append(
        f"Within clips: Pearson {_value(effect.pearson)}, Spearman {_value(effect.spearman)} (mean over "
        f"{count(effect.clips[0], 'clip')})."
    )
    sentences.append(history_sentence(effect))
    sentences.append(f"Before the gate (4r): {_short(response.raw.pearson)}, {_short(response.raw.spearman)}.")
    return " ".join(sentences)


def history_sentence(effect: CoverEffect) -> str:
    """Describe whether a frame at 0 % after a cover is one like those before it."""
    if not np.isfinite(effect.difference.value):
        return f"Frames at 0 % before and after a cover can't be compared: {effect.difference.reason}."
    said = (
        f"At 0 % the distance is {number(effect.before.value)} before the cover and {number(effect.after.value)} after "
        f"it; difference within {count(effect.clips[3], 'clip')} {_value(effect.difference)}"
    )
    if effect.difference.low > 0:
        return f"{said}: what is left is history, not what is in the frame."
    return f"{said}: the interval doesn't lie above 0, so that the cover leaves a trace can't be told."


def _value(estimate: Estimate) -> str:
    return interval(estimate.value, estimate.low, estimate.high)


def _direction(correlation: Correlation) -> str:
    if not np.isfinite(correlation.coefficient) or correlation.interval is None:
        return "Too little to tell whether distance grows with obscuration."
    low, high = correlation.interval
    if low > 0:
        return "The more is covered, the further the pointer is from its twin's."
    if high < 0:
        return "The more is covered, the closer the pointer is to its twin's."
    return "The interval of the rank correlation holds 0: whether distance grows with obscuration is open."


def _short(correlation: Correlation) -> str:
    return f"{correlation.name} {_cell(correlation)}"


def _cell(correlation: Correlation) -> str:
    low, high = correlation.interval or (float("nan"), float("nan"))
    return interval(correlation.coefficient, low, high)


def _table(responses: Sequence[tuple[Subject, str, Cover]]) -> ReportTable:
    import pandas as pd

    rows, data = [], []
    for subject, kind, response in responses:
        for name, one, effect in (
            (OBJECT_POINTER.number, response.stored, response.stored_effect),
            (OBJECT_POINTER_RAW.number, response.raw, response.raw_effect),
        ):
            rows.append(
                (
                    subject.name,
                    kind_label(kind),
                    name,
                    str(len(response.clips)),
                    str(len(one.distance)),
                    _cell(one.pearson),
                    _cell(one.spearman),
                    _value(effect.pearson),
                    _value(effect.spearman),
                    _value(effect.before),
                    _value(effect.after),
                    _value(effect.difference),
                )
            )
            for name_, estimate in (
                ("Pearson within clips", effect.pearson),
                ("Spearman within clips", effect.spearman),
                ("distance at 0 % before the cover", effect.before),
                ("distance at 0 % after the cover", effect.after),
                ("after less before", effect.difference),
            ):
                data.append(
                    {
                        "experiment": subject.name,
                        "kind": kind,
                        "position": name,
                        "correlation": name_,
                        "coefficient": estimate.value,
                        "low": estimate.low,
                        "high": estimate.high,
                    }
                )
            for correlation in (one.pearson, one.spearman):
                low, high = correlation.interval or (float("nan"), float("nan"))
                data.append(
                    {
                        "experiment": subject.name,
                        "kind": kind,
                        "position": name,
                        "correlation": correlation.name,
                        "coefficient": correlation.coefficient,
                        "low": low,
                        "high": high,
                        "naive_p_value": correlation.naive_p_value,
                        "num_clips": correlation.num_clips,
                        "num_frames": correlation.num_frames,
                    }
                )
    return ReportTable(
        "obscuration-correlation",
        "Pointer distance and obscuration",
        "Correlation over frames of the distance between a pointer and its clean twin's with the obscured fraction, "
        "for the stored pointer (4) and before the gate (4r); pooled, and the mean of each clip's own. Then the mean "
        "distance on frames at 0 % before and after the cover. Without prompted frames. [95 % interval, bootstrap over "
        "source sequences]",
        (
            "Experiment",
            "Clips",
            "Position",
            "Number",
            "Frames",
            "Pearson",
            "Spearman",
            "Pearson within",
            "Spearman within",
            "0 % before",
            "0 % after",
            "Difference",
        ),
        tuple(rows),
        pd.DataFrame(data),
        text_columns=3,
    )
