"""Boxes decoded from a run's object pointers, and decoders fitted beside the window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.analysis.box_verdict import is_worthwhile, verdict
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.progress import Progress
from napari_sam2_probe.gui.boxes import rectangle

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_sam2_probe.decoder.fit import BoxDecoder
    from napari_sam2_probe.gui.state import RunEntry
    from napari_sam2_probe.video import DavisDataset


@dataclass(frozen=True)
class DecodedBoxes:
    """What a run's pointers say of where its objects are.

    Attributes
    ----------
    title
        The run's.
    corners, owners
        (4, 3) of every box, as napari's shapes have them, and its object, in the order of frames.
    """

    title: str
    corners: list[NDArray[np.float64]]
    owners: list[int]


@dataclass(frozen=True)
class DecoderWorth:
    """What a model's decoder of boxes is worth.

    Attributes
    ----------
    text
        In one sentence.
    warns
        Whether that is too little to go by.
    """

    text: str
    warns: bool


def decoder_worth(entry: RunEntry) -> DecoderWorth | None:
    """Return what the decoder for a run's model is worth; None where there is none.

    Raises
    ------
    InputError
        If the run or the decoder can't be read.
    """
    from napari_sam2_probe.decoder.library import find_decoder

    decoder = find_decoder(entry.open().info.get("model", {}).get("sha256"))
    if decoder is None:
        return None
    report = decoder.report
    if report is None:
        return DecoderWorth("This decoder was not measured: its boxes may be anywhere.", warns=True)
    text = f"Decoder: held-out IoU {report.iou.value:.2f}, the mean box {report.baseline_iou.value:.2f}."
    if is_worthwhile(report.gain):
        return DecoderWorth(text, warns=False)
    return DecoderWorth(f"{text} Little better than a guess: don't rely on these boxes.", warns=True)


def decode_boxes(entry: RunEntry) -> DecodedBoxes | None:
    """Decode the boxes of a run's objects on every frame with a pointer that was not prompted.

    Returns
    -------
    DecodedBoxes or None
        None if its model has no decoder yet.

    Raises
    ------
    InputError
        If the run or the decoder can't be read.
    """
    from napari_sam2_probe.decoder.library import find_decoder

    run = entry.open()
    decoder = find_decoder(run.info.get("model", {}).get("sha256"))
    if decoder is None:
        return None
    height, width = run.masks.shape[1:]
    found = []
    for obj_id, pointers, prompted in zip(run.object_ids.tolist(), run.object_pointers[:], run.prompted, strict=True):
        edges = decoder.decode(pointers)
        for frame_idx in np.flatnonzero(np.isfinite(edges).all(axis=1) & ~prompted).tolist():
            found.append((frame_idx, obj_id, rectangle(frame_idx, edges[frame_idx], height, width)))
    # By frame, so that those of a run that grows come last.
    found.sort(key=lambda box: box[:2])
    return DecodedBoxes(entry.title, [corners for *_, corners in found], [obj_id for _, obj_id, _ in found])


def fit_decoder_job(entry: RunEntry, dataset: DavisDataset) -> Generator[Progress | BoxDecoder, None, None]:
    """Fit a decoder for a run's model to a data set of clean videos, and keep it where `decode_boxes` finds it.

    Yields
    ------
    Progress or BoxDecoder
        Steps, and at last the decoder.

    Raises
    ------
    InputError
        If the model is not here any more or is untrained, or the data set doesn't suffice.
    """
    model = entry.open().info.get("model", {})
    if not model.get("sha256"):
        raise InputError(f"The model of the run {entry.title} is untrained: a decoder of its pointers means nothing.")
    yield Progress(0, 0, "loading torch and the model")
    from napari_sam2_probe.decoder.fit import fit_decoder
    from napari_sam2_probe.decoder.library import install_decoder
    from napari_sam2_probe.decoder.record import iterate_dataset
    from napari_sam2_probe.families.loaded import ModelChoice, load_model

    loaded = load_model(ModelChoice(f"hf:{model['hub']}" if model.get("hub") else model["checkpoint"]))
    if loaded.checkpoint.sha256 != model["sha256"]:
        raise InputError(
            f"The checkpoint {model['checkpoint']} is another than the one that the run {entry.title} was made with: "
            "put that one back, or choose a run of this one."
        )
    tracks = yield from iterate_dataset(loaded, dataset)
    yield Progress(0, 0, "fitting the decoder")
    decoder = fit_decoder(tracks, loaded.checkpoint.name, loaded.checkpoint.sha256)
    install_decoder(decoder)
    yield decoder


def describe_decoder(decoder: BoxDecoder) -> str:
    """Return in one sentence how good a decoder is."""
    report = decoder.report
    if report is None:
        return "The decoder was fitted and not measured."
    return (
        f"Decoder for {decoder.checkpoint}: mean IoU {report.iou} on {len(report.held_out_sequences)} held-out "
        f"sequences (the mean box on the same frames: {report.baseline_iou}): {verdict(report.gain)}."
    )
