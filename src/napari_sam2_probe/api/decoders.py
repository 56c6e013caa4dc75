"""Decoders from object pointer to bounding box."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.values import as_path

if TYPE_CHECKING:
    from napari_sam2_probe.common.progress import ProgressCallback
    from napari_sam2_probe.decoder.fit import BoxDecoder
    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.runs.run import ProbeRun
    from napari_sam2_probe.video.davis import DavisDataset


def fit_decoder(
    dataset: DavisDataset | Path | str,
    *,
    model: Model | str | Path = "auto",
    out: Path | str | None = None,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> BoxDecoder:
    """Fit a decoder from object pointer to bounding box, and measure it on sequences held out.

    Parameters
    ----------
    dataset
        Clean videos with true masks: a data set or its folder.
    model
        The model whose pointers are decoded.
    out
        A file to save it to; see ``run.boxes(...)``.
    progress
        Called with every frame.
    **options
        Fields of `napari_sam2_probe.decoder.fit.DecoderOptions`, such as ``seed`` and ``held_out``.

    Returns
    -------
    BoxDecoder
        ``decoder.report`` says what it is worth: mean IoU beside that of the mean box.

    Raises
    ------
    InputError
        If the data set or an option can't be used.
    """
    from dataclasses import fields

    from napari_sam2_probe.api.names import unknown
    from napari_sam2_probe.common.progress import ignore_progress
    from napari_sam2_probe.decoder.file import save_decoder
    from napari_sam2_probe.decoder.fit import DecoderOptions
    from napari_sam2_probe.decoder.library import fit_to_dataset
    from napari_sam2_probe.families.loaded import as_model
    from napari_sam2_probe.video.davis import DavisDataset

    known = [field.name for field in fields(DecoderOptions)]
    for name in options:
        if name not in known:
            raise unknown("option", name, known)
    videos = dataset if isinstance(dataset, DavisDataset) else DavisDataset(as_path(dataset, "dataset"))
    decoder = fit_to_dataset(as_model(model), videos, DecoderOptions(**options), progress=progress or ignore_progress)
    if out is not None:
        save_decoder(decoder, as_path(out, "out"))
    return decoder


def decoder_for(run: ProbeRun, given: BoxDecoder | str | Path | None) -> BoxDecoder | None:
    """Return the decoder that belongs to a run's checkpoint: the given one, or that which is installed for it.

    Raises
    ------
    InputError
        If the given one was made for another checkpoint.
    """
    from napari_sam2_probe.decoder.file import load_decoder
    from napari_sam2_probe.decoder.fit import BoxDecoder
    from napari_sam2_probe.export.registry import decoder_for as decoder_of_run

    if isinstance(given, str | Path):
        given = load_decoder(given)
    if not (given is None or isinstance(given, BoxDecoder)):
        raise InputError(f"{given!r:.60} is no decoder: give the one that fit_decoder(...) returns, or its file.")
    return decoder_of_run(run, given)
