"""One clip of each kind as a strip of frames: the paper's figures 2 to 6."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.words import number
from napari_sam2_probe.figures.filmstrip import FilmFrame, make_filmstrip
from napari_sam2_probe.reports.examples import ClipFrames
from napari_sam2_probe.reports.page import Section
from napari_sam2_probe.reports.part import Part
from napari_sam2_probe.reports.words import kind_label
from napari_sam2_probe.video.truth import OBJECT_OF_INTEREST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam2_probe.reports.folder import ReportFolder
    from napari_sam2_probe.reports.page import PageFigure
    from napari_sam2_probe.reports.subject import Subject

FIGURES = {
    "interjection": "2",
    "object-removal": "3",
    "context-removal": "4",
    "obscuration": "5",
    "three-object": "6",
}
"""Number in the paper by kind."""

_FRAMES = 8


def make(subjects: Sequence[Subject], folder: ReportFolder) -> Part:
    """Draw a strip for each kind of each experiment."""
    figures: list[PageFigure] = []
    missing: list[str] = []
    for subject in subjects:
        # Further kinds follow those of the paper.
        for kind in (*FIGURES, *(kind for kind in subject.kinds if kind not in FIGURES and kind != "clean")):
            if kind not in subject.kinds:
                continue
            try:
                figures.append(_figure(subject, kind, folder))
            except InputError as error:
                missing.append(f"{subject.name}: no filmstrips of clips. {error}")
                break
    if not figures:
        return Part(None, tuple(missing))
    sentences = (
        "One clip of each kind: the one whose object is tracked with the median J of its kind. Prediction filled, true "
        "mask outlined; below each frame the object score (logit), above 0 where SAM 2 believes the object present.",
    )
    return Part(Section("The clips", sentences, tuple(figures)), tuple(missing))


def _figure(subject: Subject, kind: str, folder: ReportFolder) -> PageFigure:
    clip = _median_clip(subject, kind)
    frames = _chosen(subject, clip)
    rows = clip.rows
    sequence = subject.results.sequence(kind, clip.clip)
    masks = subject.results.masks(kind, clip.clip)
    film = []
    for t in frames:
        labels = sequence.mask(t)
        score = float(rows["object_score"].iloc[t])
        film.append(
            FilmFrame(
                t,
                sequence.read(t),
                {OBJECT_OF_INTEREST: masks[t]},
                {} if labels is None else {OBJECT_OF_INTEREST: labels == OBJECT_OF_INTEREST},
                {OBJECT_OF_INTEREST: score} if np.isfinite(score) else {},
                _note(clip, t),
            )
        )
    overlap = float(rows["region"].mean())
    return folder.figure(
        subject.file(f"film-{kind}"),
        subject.title(f"{kind_label(kind)}, one clip"),
        f"Clip {clip.clip}, made from {rows['base_sequence'].iloc[0]}; mean J {number(overlap)}.",
        make_filmstrip(film),
        rows.reset_index()[["frame", "object_present", "obscured_fraction", "object_score", "region"]],
        number=FIGURES.get(kind, ""),
        group=f"film-{kind}",
    )


def _median_clip(subject: Subject, kind: str) -> ClipFrames:
    frames = subject.results.frames
    quality = frames[frames["kind"] == kind].groupby("clip")["region"].mean().dropna().sort_values(kind="stable")
    name = str(quality.index[(len(quality) - 1) // 2]) if len(quality) else subject.results.clips(kind)[0]
    return ClipFrames(subject.results, kind, name)


def _chosen(subject: Subject, clip: ClipFrames) -> list[int]:
    """Return the frames to show: around the change where there is one, else spread over the clip."""
    prefix, middle, _ = subject.results.lengths
    last = subject.num_frames - 1
    fraction = clip.obscured_fraction
    if (np.nan_to_num(fraction) > 0).any() or not middle:
        frames = {*np.linspace(0, last, _FRAMES - 1).round().astype(int).tolist(), int(np.nanargmax(fraction))}
    else:
        end = prefix + middle
        frames = {0, prefix // 2, prefix - 1, prefix, end - 1, end, (end + last) // 2, last}
    return sorted(t for t in frames if 0 <= t <= last)


def _note(clip: ClipFrames, frame: int) -> str:
    row = clip.rows.iloc[frame]
    if not row["object_present"]:
        return "absent"
    if not row["context_present"]:
        return "no context"
    fraction = float(row["obscured_fraction"])
    return f"{fraction:.0%} covered" if fraction > 0 else ""
