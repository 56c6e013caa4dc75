"""Models by name."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from napari_sam2_probe.api.names import unknown
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.models.config import ModelFlags

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam2_probe.families.loaded import Model


def load_model(
    name: str | Path = "auto",
    *,
    config: str | Path | None = None,
    device: str = "auto",
    dtype: str = "float32",
    family: str | None = None,
    **flags: bool,
) -> Model:
    """Load a model.

    Parameters
    ----------
    name
        ``"auto"``: the largest official checkpoint that is downloaded, else the sample model. ``"sample"``; an official
        name such as ``"sam2.1_hiera_tiny"``; a file of weights; a model's folder of ``transformers``; or
        ``"hf:owner/name"`` for one that was downloaded from the hub.
    config
        The configuration (YAML) of a checkpoint of your own.
    device
        ``"auto"``, ``"cuda"``, ``"cuda:1"``, ``"mps"`` or ``"cpu"``.
    dtype
        ``"float32"``, ``"bfloat16"`` or ``"float16"``; ``"auto"`` is float32.
    family
        Who runs it: ``"sam2"``, ``"transformers"`` or that of an installed package; None: whoever the checkpoint
        belongs to.
    **flags
        How SAM 2 is built, by sam2's own names: ``apply_postprocessing``, ``add_all_frames_to_correct_as_cond``,
        ``clear_non_cond_mem_around_input``, ``non_overlap_masks``.

    Returns
    -------
    Model
        Ready to track.

    Raises
    ------
    InputError
        If there is no such checkpoint, flag, device or type; nothing is downloaded.
    """
    from napari_sam2_probe.families.loaded import ModelChoice
    from napari_sam2_probe.families.loaded import load_model as load

    known = {flag.name for flag in fields(ModelFlags)}
    for flag, value in flags.items():
        if flag not in known:
            raise unknown("flag", flag, sorted(known))
        if not isinstance(value, bool):
            raise InputError(f"{flag}={value!r} can't be used: a flag is True or False.")
    checkpoint = None if str(name) == "auto" else str(name)
    written = None if config is None else str(config)
    return load(ModelChoice(checkpoint, written, device, dtype, ModelFlags(**flags), family))
