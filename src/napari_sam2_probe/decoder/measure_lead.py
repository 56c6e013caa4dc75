"""Every video of a data set both ways through SAM 2, to see whether decoded centres lead the motion."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from napari_sam2_probe.common.progress import Progress, ProgressCallback, ignore_progress
from napari_sam2_probe.common.steps import result_of
from napari_sam2_probe.decoder.lead import LeadOptions, LeadResult, measure_lead
from napari_sam2_probe.decoder.record import counted, frames_of, iterate_pointers

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_sam2_probe.decoder.fit import BoxDecoder
    from napari_sam2_probe.decoder.tracks import PointerTrack
    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.video.davis import DavisDataset


def lead_of_dataset(
    loaded: Model,
    dataset: DavisDataset,
    decoder: BoxDecoder,
    options: LeadOptions | None = None,
    *,
    progress: ProgressCallback = ignore_progress,
) -> LeadResult:
    """Track a data set of clean videos forwards and backwards and measure how far decoded centres lead.

    Each object is prompted with its true mask on the first frame that shows it, which in a video backwards is the
    last one. Sequences that the decoder was fitted to are left out, unless there are no others.

    Parameters
    ----------
    loaded
        The model.
    dataset
        Clean videos with masks.
    decoder
        Fitted for this model.
    options
        How to measure.
    progress
        Called with every frame.

    Raises
    ------
    InputError
        If the decoder was fitted for another model.
    """
    return result_of(iterate_lead(loaded, dataset, decoder, options), progress)


def iterate_lead(
    loaded: Model, dataset: DavisDataset, decoder: BoxDecoder, options: LeadOptions | None = None
) -> Generator[Progress, None, LeadResult]:
    """Do as `lead_of_dataset` step by step: yield a step for each frame, return the result."""
    decoder.check_made_for(loaded.checkpoint.name, loaded.checkpoint.sha256)
    known = () if decoder.report is None else decoder.report.fitted_sequences
    names = [name for name in dataset.names if name not in known] or dataset.names
    tracks: tuple[list[PointerTrack], list[PointerTrack]] = ([], [])
    what = "tracking objects forwards and backwards"
    done, total = 0, 2 * frames_of(dataset, names)
    for name in names:
        sequence = dataset.sequence(name)
        with closing(sequence.frames):
            for video, found in zip((sequence, sequence.reversed()), tracks, strict=True):
                found += yield from counted(iterate_pointers(loaded, video, name), Progress(done, total, what, "frame"))
                done += video.num_frames
    yield Progress(total, total, what, "frame")
    return measure_lead(*tracks, decoder, options)
