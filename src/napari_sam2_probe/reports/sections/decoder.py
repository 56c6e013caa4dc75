"""Boxes decoded from object pointers: the paper's figures 14 and 15, and how good the decoder is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.bootstrap import Clusters, Estimate, mean_estimate
from napari_sam2_probe.analysis.box_verdict import verdict
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.words import count, interval, listing, number
from napari_sam2_probe.decoder.boxes import box_iou
from napari_sam2_probe.decoder.file import load_decoder
from napari_sam2_probe.decoder.fit import SIDES, BoxDecoder
from napari_sam2_probe.decoder.library import find_decoder
from napari_sam2_probe.experiments.sequences import clip_sequences
from napari_sam2_probe.figures.decoded_boxes import BoxFrame, make_decoded_boxes
from napari_sam2_probe.reports.examples import ClipFrames, find_example
from napari_sam2_probe.reports.page import Section
from napari_sam2_probe.reports.part import Part
from napari_sam2_probe.reports.subject import in_order
from napari_sam2_probe.reports.tables import ReportTable
from napari_sam2_probe.reports.words import kind_label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from napari_sam2_probe.decoder.fit import DecoderReport
    from napari_sam2_probe.reports.folder import ReportFolder
    from napari_sam2_probe.reports.page import PageFigure
    from napari_sam2_probe.reports.subject import Subject

TRUE_EDGES = ["true_xmin", "true_ymin", "true_xmax", "true_ymax"]
DECODED_EDGES = ["decoded_xmin", "decoded_ymin", "decoded_xmax", "decoded_ymax"]
_FILM_FRAMES = 8


@dataclass(frozen=True)
class Judged:
    """How good decoded boxes are on some frames, and the mean box on the very same ones.

    Attributes
    ----------
    num_frames
        How many.
    iou, mean_box_iou, gain
        Mean IoU with the true box of the decoded box and of the decoder's `mean_box`, and the mean difference.
    errors, mean_box_errors
        Mean absolute error of left, top, right and bottom edge of either, as a share of the frame.
    """

    num_frames: int
    iou: Estimate
    mean_box_iou: Estimate
    gain: Estimate
    errors: tuple[float, ...]
    mean_box_errors: tuple[float, ...]

    @classmethod
    def of_held_out(cls, report: DecoderReport) -> Judged:
        """Return what was measured when the decoder was fitted, on the sequences that were held out then."""
        return cls(
            num_frames=report.held_out_frames,
            iou=report.iou,
            mean_box_iou=report.baseline_iou,
            gain=report.gain,
            errors=report.side_error,
            mean_box_errors=report.baseline_side_error,
        )


@dataclass(frozen=True)
class Decoded:
    """An experiment with a decoder for its model's pointers.

    Attributes
    ----------
    subject
        The experiment.
    decoder
        The decoder.
    """

    subject: Subject
    decoder: BoxDecoder

    @cached_property
    def boxes(self) -> pd.DataFrame:
        """Decoded and true boxes of all clips, and what the mean box has: a row a clip and frame, no prompted ones."""
        import pandas as pd

        frames = self.subject.results.frames
        parts = []
        for (kind, clip), rows in frames.groupby(["kind", "clip"], sort=False):
            ordered = rows.sort_values("frame")
            decoded = self.of_clip(str(kind), str(clip))
            made_of = ["kind", "clip", "base_sequence", "distractor_sequences"]
            columns = [*made_of, "frame", "object_present", "prompted", *TRUE_EDGES]
            part = ordered[columns].assign(**dict(zip(DECODED_EDGES, decoded.T, strict=True)))
            parts.append(part[~part["prompted"].astype(bool)].drop(columns="prompted"))
        boxes = pd.concat(parts, ignore_index=True)
        boxes["iou"] = box_iou(
            boxes[DECODED_EDGES].to_numpy(dtype=np.float64), boxes[TRUE_EDGES].to_numpy(dtype=np.float64)
        )
        boxes["mean_box_iou"] = box_iou(
            np.clip(self.decoder.mean_box, 0, 1), boxes[TRUE_EDGES].to_numpy(dtype=np.float64)
        )
        fitted = frozenset(self.decoder.report.fitted_sequences) if self.decoder.report else frozenset()
        shown = {
            (kind, clip): names
            for kind in self.subject.kinds
            for clip, names in clip_sequences(self.subject.results, kind).items()
        }
        # A pasted object is known to a decoder that was fitted to its own sequence.
        known = [shown[str(kind), str(clip)] & fitted for kind, clip in zip(boxes["kind"], boxes["clip"], strict=True)]
        boxes["fitted_to"] = [bool(names) for names in known]
        boxes["fitted_sequences"] = ["/".join(sorted(names)) for names in known]
        return boxes

    def judge(self, rows: pd.DataFrame) -> Judged | None:
        """Compare decoded boxes with the mean box on the same rows of `boxes`; None without a row with both."""
        known = rows[np.isfinite(rows["iou"]) & np.isfinite(rows["mean_box_iou"])]
        if not len(known):
            return None
        clusters = Clusters.of_rows(known)

        def estimate(values: pd.Series) -> Estimate:
            subject = self.subject
            return mean_estimate(values, clusters, num_resamples=subject.num_resamples, seed=subject.seed)

        truth = known[TRUE_EDGES].to_numpy(dtype=np.float64)
        return Judged(
            num_frames=len(known),
            iou=estimate(known["iou"]),
            mean_box_iou=estimate(known["mean_box_iou"]),
            gain=estimate(known["iou"] - known["mean_box_iou"]),
            errors=tuple(np.abs(known[DECODED_EDGES].to_numpy() - truth).mean(axis=0).tolist()),
            mean_box_errors=tuple(np.abs(np.clip(self.decoder.mean_box, 0, 1) - truth).mean(axis=0).tolist()),
        )

    def of_clip(self, kind: str, clip: str) -> NDArray[np.float64]:
        """Return the decoded edges (T, 4) of a clip, cut at the frame's border."""
        pointers = self.subject.results.pointers(kind, clip)
        edges: NDArray[np.float64] = np.clip(self.decoder.decode(pointers), 0, 1)
        return edges


def make(subjects: Sequence[Subject], folder: ReportFolder, path: Path | None) -> Part:
    """Draw decoded boxes, and tell how good they are.

    Parameters
    ----------
    subjects, folder
        The experiments and the report.
    path
        A decoder; None: each checkpoint's own, where there is one.
    """
    given = None if path is None else load_decoder(path)
    found: list[Decoded] = []
    missing: list[str] = []
    for subject in subjects:
        if not subject.results.has_model or not subject.kinds:
            continue
        model = subject.results.provenance.get("model") or {}
        name, sha256 = str(model.get("checkpoint")), model.get("sha256")
        try:
            if given is not None:
                given.check_made_for(name, sha256, path)
            decoder = given or find_decoder(sha256)
        except InputError as error:
            missing.append(f"{subject.name}: figures 14 and 15 and the table of the decoder are missing. {error}")
            continue
        if decoder is None:
            missing.append(
                f"{subject.name}: figures 14 and 15 and the table of the decoder are missing, as there is no decoder "
                f"for {name}: fit one with 'sam2-probe decoder fit --davis ROOT --checkpoint {name}', then make the "
                "report again."
            )
            continue
        found.append(Decoded(subject, decoder))
    if not found:
        return Part(None, tuple(missing))
    figures: list[PageFigure] = []
    for make_figure in (_examples, _film):
        for one in found:
            try:
                figures.append(make_figure(one, folder))
            except InputError as error:
                missing.append(f"{one.subject.name}: a figure of decoded boxes is missing. {error}")
    sentences = (
        "A small network reads the object's box from nothing but its pointer. It was fitted to the true boxes of clean "
        "videos; how good it is is measured on sequences that it was not fitted to, beside always guessing the mean "
        "box of the frames that it was fitted to, on the very same frames.",
        *(sentence for one in found if (sentence := _verdict(one, several=len(found) > 1))),
    )
    table = folder.table(_table(found))
    return Part(Section("What the pointer knows of the place", sentences, tuple(figures), (table,)), tuple(missing))


def _verdict(one: Decoded, *, several: bool) -> str:
    """Say over all frames of new sequences whether decoding beats guessing; empty if there are none."""
    judged = one.judge(one.boxes[~one.boxes["fitted_to"]])
    if judged is None:
        return ""
    name = f"{one.subject.name}: on" if several else "On"
    return (
        f"{name} {count(judged.num_frames, 'frame')} of new sequences the decoded box has a mean IoU of "
        f"{_said(judged.iou)} and the mean box {_said(judged.mean_box_iou)}, a difference of {_said(judged.gain)}: "
        f"decoded boxes are {verdict(judged.gain)}."
    )


def _examples(one: Decoded, folder: ReportFolder) -> PageFigure:
    """Draw the decoded boxes on the frames of figures 7, 8, 11 and 12."""
    results = one.subject.results
    chosen: list[tuple[ClipFrames, int]] = []
    for kind in ("obscuration", "three-object"):
        example = find_example(results, kind)
        if example is not None:
            chosen += [(example.clean, example.twin_frame), (example.changed, example.frame)]
    if not chosen:
        clean = one.subject.kinds[0]
        clip = ClipFrames(results, clean, results.clips(clean)[0])
        chosen = [(clip, one.subject.num_frames // 2)]
    return _figure(one, chosen, "14", "Boxes decoded from the object pointer", folder)


def _film(one: Decoded, folder: ReportFolder) -> PageFigure:
    """Draw the decoded boxes of one clip over time: of the clip whose object travels furthest."""
    subject = one.subject
    kind = "clean" if "clean" in subject.kinds else subject.kinds[0]
    rows = one.boxes[one.boxes["kind"] == kind]
    centres = rows.assign(
        x=(rows["true_xmin"] + rows["true_xmax"]) / 2, y=(rows["true_ymin"] + rows["true_ymax"]) / 2
    ).groupby("clip")[["x", "y"]]
    travel = (centres.max() - centres.min()).pow(2).sum(axis=1)
    clip = ClipFrames(subject.results, kind, str(travel.idxmax()))
    frames = np.unique(np.linspace(1, subject.num_frames - 1, _FILM_FRAMES).round().astype(int)).tolist()
    title = f"Decoded boxes over time, {kind_label(kind).lower()} clip whose object travels furthest"
    return _figure(one, [(clip, frame) for frame in frames], "15", title, folder)


def _figure(
    one: Decoded, chosen: Sequence[tuple[ClipFrames, int]], figure_number: str, title: str, folder: ReportFolder
) -> PageFigure:
    rows = []
    pictures = []
    single = len({(clip.kind, clip.clip) for clip, _ in chosen}) == 1
    for clip, frame in chosen:
        match = one.boxes[
            (one.boxes["kind"] == clip.kind) & (one.boxes["clip"] == clip.clip) & (one.boxes["frame"] == frame)
        ]
        rows.append(match)
        decoded = one.of_clip(clip.kind, clip.clip)[frame]
        truth = clip.rows.loc[frame, TRUE_EDGES].to_numpy(dtype=np.float64)
        name = f"Frame {frame}" if single else f"{kind_label(clip.kind)}, frame {frame}"
        picture = clip.results.sequence(clip.kind, clip.clip).frames.read(frame)
        pictures.append(BoxFrame(name, picture, decoded, truth))
    import pandas as pd

    data = pd.concat(rows, ignore_index=True)
    return folder.figure(
        one.subject.file(f"figure-{figure_number}"),
        one.subject.title(title),
        _caption(one, chosen, data, single=single),
        make_decoded_boxes(pictures),
        data,
        number=figure_number,
        group=f"figure-{figure_number}",
    )


def _caption(one: Decoded, chosen: Sequence[tuple[ClipFrames, int]], data: pd.DataFrame, *, single: bool) -> str:
    overlaps = data["iou"].to_numpy(dtype=np.float64)
    known = overlaps[np.isfinite(overlaps)]
    guessed = data["mean_box_iou"].to_numpy(dtype=np.float64)[np.isfinite(overlaps)]
    sentences = []
    if single:
        sentences.append(f"Clip {chosen[0][0].clip}.")
    if known.size:
        sentences.append(
            f"IoU of decoded and true box on these frames: {number(float(known.mean()))} in the mean, "
            f"{number(float(known.min()))} to {number(float(known.max()))}; the mean box has "
            f"{number(float(guessed.mean()))} on the same frames"
            + (", so here the decoder is worse than guessing." if known.mean() < guessed.mean() else ".")
        )
    fitted = sorted({name for names in data["fitted_sequences"] for name in names.split("/") if name})
    if fitted:
        sentences.append(
            f"The decoder was fitted to {listing(fitted)}, which are shown here, so this shows how well it remembers."
        )
    return " ".join(sentences)


def _table(found: Sequence[Decoded]) -> ReportTable:
    import pandas as pd

    rows: list[tuple[str, ...]] = []
    data = []
    for one in found:
        judged: dict[str, Judged | None] = {}
        if one.decoder.report is not None:
            judged["held-out videos of its fit"] = Judged.of_held_out(one.decoder.report)
        for kind in in_order(one.subject.kinds):
            for fitted, words in ((False, "new sequences"), (True, "sequences it was fitted to")):
                part = one.boxes[(one.boxes["kind"] == kind) & (one.boxes["fitted_to"] == fitted)]
                judged[f"{kind_label(kind)} clips, {words}"] = one.judge(part)
        for name, result in judged.items():
            if result is None:
                continue
            sides = [number(error, 3) for error in result.errors]
            estimates = [_said(estimate) for estimate in (result.iou, result.mean_box_iou, result.gain)]
            rows.append((one.subject.name, name, str(result.num_frames), *estimates, *sides))
            data.append(_numbers(one, name, result))
    return ReportTable(
        "pointer-decoder",
        "Pointer decoder",
        "Mean IoU of decoded and true box [95 % interval, bootstrap over source sequences], that of always guessing "
        "the mean box on the same frames, and the mean difference (below 0 the decoder is worse than guessing); mean "
        f"absolute error of each decoded edge as a share of the frame. {_fitted(found)}",
        ("Experiment", "Frames of", "Number", "IoU", "Mean box", "Difference", *(side.capitalize() for side in SIDES)),
        tuple(rows),
        pd.DataFrame(data),
        text_columns=2,
    )


def _fitted(found: Sequence[Decoded]) -> str:
    said = []
    for one in found:
        report = one.decoder.report
        if report is not None:
            name = f"{one.subject.name}: fitted" if len(found) > 1 else "Fitted"
            said.append(
                f"{name} to {count(report.fitted_frames, 'frame')} of "
                f"{count(len(report.fitted_sequences), 'sequence')}, judged on "
                f"{count(len(report.held_out_sequences), 'other')}."
            )
    return " ".join(said)


def _numbers(one: Decoded, name: str, judged: Judged) -> dict[str, object]:
    numbers: dict[str, object] = {
        "experiment": one.subject.name,
        "frames_of": name,
        "num_frames": judged.num_frames,
    }
    for column, estimate in (("iou", judged.iou), ("mean_box_iou", judged.mean_box_iou), ("difference", judged.gain)):
        numbers |= {column: estimate.value, f"{column}_low": estimate.low, f"{column}_high": estimate.high}
    numbers |= {f"{side}_error": error for side, error in zip(SIDES, judged.errors, strict=True)}
    numbers |= {f"mean_box_{side}_error": error for side, error in zip(SIDES, judged.mean_box_errors, strict=True)}
    return numbers


def _said(estimate: Estimate) -> str:
    return interval(estimate.value, estimate.low, estimate.high)
