"""Where box decoders are kept, and which one belongs to a model."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol, TypeVar

import platformdirs

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.names import inside, is_plain_name
from napari_sam2_probe.common.paths import expanded, is_file
from napari_sam2_probe.common.progress import ProgressCallback, ignore_progress
from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.decoder.file import load_decoder, save_decoder
from napari_sam2_probe.decoder.fit import BoxDecoder, DecoderOptions, fit_decoder
from napari_sam2_probe.decoder.lead_file import load_lead
from napari_sam2_probe.decoder.record import collect_pointers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_sam2_probe.decoder.lead import LeadResult
    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.video.davis import DavisDataset

FOLDER_VARIABLE = "SAM2_PROBE_DECODERS"
"""Environment variable that names another folder for decoders of one's own."""

SHIPPED = "decoder.safetensors"
"""Name of the decoder that lies beside the sample model."""

SHIPPED_LEAD = "lead.json"
"""Name of the lead that was measured with it."""


def decoder_folder() -> Path:
    """Return the folder of the user's decoders; it need not exist yet."""
    named = os.environ.get(FOLDER_VARIABLE)
    return expanded(named) if named else platformdirs.user_data_path("napari-sam2-probe") / "decoders"


def installed_path(sha256: str) -> Path:
    """Return where the decoder for a model is kept in the user's folder."""
    return inside(decoder_folder(), f"{sha256}.safetensors")


def find_decoder(checkpoint_sha256: str | None) -> BoxDecoder | None:
    """Return the decoder that belongs to a model, or None if there is none.

    The user's own, put there by ``sam2-probe decoder fit``, goes before the one that comes with the sample model.

    Parameters
    ----------
    checkpoint_sha256
        SHA-256 of the model's weights, as in a run's description; None for an untrained model, which has none.

    Raises
    ------
    InputError
        If its file is damaged.
    """
    return find_for_model(checkpoint_sha256, installed_path, SHIPPED, load_decoder)


def install_decoder(decoder: BoxDecoder) -> Path:
    """Put a decoder into the user's folder, where `find_decoder` finds it; an older one for the same model goes.

    Raises
    ------
    InputError
        If it was fitted for an untrained model.
    ResourceError
        If the system refuses to write.
    """
    return install_for_model(decoder, "decoder", installed_path, save_decoder)


def lead_path(sha256: str) -> Path:
    """Return where the measured lead of a model is kept in the user's folder."""
    return inside(decoder_folder(), f"{sha256}.lead.json")


def find_lead(checkpoint_sha256: str | None) -> LeadResult | None:
    """Return the lead of decoded centres that was measured for a model, or None if it was not.

    Where decoders are found, leads are found.

    Parameters
    ----------
    checkpoint_sha256
        As in `find_decoder`.

    Raises
    ------
    InputError
        If its file is damaged.
    """
    return find_for_model(checkpoint_sha256, lead_path, SHIPPED_LEAD, load_lead)


def fit_to_dataset(
    loaded: Model,
    dataset: DavisDataset,
    options: DecoderOptions | None = None,
    *,
    max_frames: int | None = None,
    progress: ProgressCallback = ignore_progress,
) -> BoxDecoder:
    """Track a data set of clean videos and fit a decoder to what the pointers of its objects say.

    Parameters
    ----------
    loaded
        The model.
    dataset
        Clean videos with masks.
    options
        How to fit.
    max_frames
        Use only the first so many frames of each sequence.
    progress
        Called with every frame.

    Raises
    ------
    InputError
        As in `collect_pointers` and `napari_sam2_probe.decoder.fit.fit_decoder`.
    """
    if len(dataset.names) < 2:
        raise InputError(
            f"{dataset.root} has only the sequence {dataset.names[0]}, but a decoder needs at least two, one to fit it "
            "to and one to judge it on: give a larger data set or split."
        )
    tracks = collect_pointers(loaded, dataset, max_frames=max_frames, progress=progress)
    return fit_decoder(tracks, loaded.checkpoint.name, loaded.checkpoint.sha256, options)


class _MadeForModel(Protocol):
    @property
    def checkpoint(self) -> str: ...

    @property
    def sha256(self) -> str | None: ...


_Found = TypeVar("_Found", bound=_MadeForModel)


def install_for_model(
    made: _Found, what: str, own: Callable[[str], Path], save: Callable[[_Found, Path], None]
) -> Path:
    """Put what was made for a model where `find_for_model` finds it, and return where that is.

    Parameters
    ----------
    made
        It.
    what
        What it is, for the message.
    own
        As for `find_for_model`.
    save
        Writes the file.

    Raises
    ------
    InputError
        If it was made for an untrained model.
    """
    if made.sha256 is None:
        raise InputError(
            f"The model {made.checkpoint} is untrained and can't be recognised later: keep the {what} as a file."
        )
    path = own(made.sha256)
    save(made, path)
    return path


def find_for_model(
    checkpoint_sha256: str | None, own: Callable[[str], Path], shipped: str, load: Callable[[Path], _Found]
) -> _Found | None:
    """Return what was made for a model: the user's own, else what lies beside the sample model; None for neither.

    Parameters
    ----------
    checkpoint_sha256
        As in `find_decoder`.
    own
        Says where the user's own would lie.
    shipped
        Its name beside the sample model.
    load
        Reads a file.
    """
    # A run that comes from elsewhere may say anything.
    if checkpoint_sha256 is None or not is_plain_name(checkpoint_sha256):
        return None
    for path in (own(checkpoint_sha256), sample_data_folder() / "sample_model" / shipped):
        if is_file(path) and (found := load(path)).sha256 == checkpoint_sha256:
            return found
    return None
