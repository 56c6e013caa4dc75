"""From files to a `PortedSAM2`, and from one format of SAM 2's weights to the other."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError, ResourceError
from napari_sam2_probe.common.files import atomic_path, atomic_write_text
from napari_sam2_probe.common.paths import free_name
from napari_sam2_probe.common.reading import load_json
from napari_sam2_probe.families.keys import from_transformers, to_transformers
from napari_sam2_probe.families.loading import read_weights, recognise, seeded_model
from napari_sam2_probe.families.port_config import port_config
from napari_sam2_probe.models.checkpoints import PORT_CONFIG, PORT_WEIGHTS
from napari_sam2_probe.models.config import SMALL_CONFIG

if TYPE_CHECKING:
    import torch

    from napari_sam2_probe.families.port import PortedSAM2
    from napari_sam2_probe.models.checkpoints import CheckpointFile
    from napari_sam2_probe.models.config import ModelFlags

MODEL_TYPE = "sam2_video"
"""What ``transformers`` calls the models that can be loaded."""

_PARTS = {"vision_config": "sam2_vision_model", "backbone_config": "sam2_hiera_det_model"}
# No model of SAM 2 comes near; a file that asks for more is damaged or means harm.
_MOST, _MOST_PIXELS = 16384, 4096


def load_port(folder: Path, flags: ModelFlags) -> PortedSAM2:
    """Load a model's folder as ``save_pretrained`` writes it: ``config.json`` and ``model.safetensors``.

    Raises
    ------
    InputError
        If it is not one of a ``Sam2VideoModel``.
    ResourceError
        If ``transformers`` is not installed.
    """
    check_transformers()
    settings = read_port_settings(folder / PORT_CONFIG)
    return _built(settings, _completed(read_weights(folder / PORT_WEIGHTS)), flags, str(folder))


def load_through_port(checkpoint: CheckpointFile, config: str | Path | None, flags: ModelFlags) -> PortedSAM2:
    """Load weights of ``sam2`` into the port.

    Raises
    ------
    InputError
        If weights and configuration don't fit, or the port has no class for them.
    ResourceError
        If ``transformers`` is not installed.
    """
    check_transformers()
    if checkpoint.path is None:
        weights = dict(seeded_model(config or checkpoint.config or SMALL_CONFIG).state_dict())
    else:
        weights = read_weights(checkpoint.path)
    chosen = config or checkpoint.config or recognise(weights) or (SMALL_CONFIG if checkpoint.path is None else None)
    if chosen is None:
        raise InputError(
            f"{checkpoint.path}: the weights fit none of the official configurations; name theirs with --config."
        )
    ported = to_transformers(weights)
    return _built(port_config(chosen, ported), ported, flags, checkpoint.name)


def check_transformers() -> None:
    """Make sure that ``transformers`` is there.

    Raises
    ------
    ResourceError
        If it isn't.
    """
    if find_spec("transformers") is None:
        raise ResourceError(
            "The package transformers is not installed: install it with 'pip install napari-sam2-probe[transformers]', "
            "or use the family sam2."
        )


def read_port_settings(path: Path) -> dict[str, Any]:
    """Read the ``config.json`` of a ``Sam2VideoModel``.

    Raises
    ------
    InputError
        If it is none, or asks for what no SAM 2 has.
    """
    try:
        settings = load_json(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the file can't be read as a configuration ({error}).") from error
    if not isinstance(settings, dict) or settings.get("model_type") != MODEL_TYPE:
        kind = settings.get("model_type") if isinstance(settings, dict) else None
        raise InputError(
            f"{path}: this is a model of the type {kind!r}, and only {MODEL_TYPE!r} can be tracked with: SAM 2 and 2.1."
        )
    _check_parts(path, settings)
    return {name: value for name, value in settings.items() if name not in ("model_type", "auto_map")}


def convert(source: CheckpointFile, target: Path, config: str | Path | None = None) -> str:
    """Write weights in the other format: those of ``sam2`` as a folder, a folder's as a file for ``sam2``.

    Parameters
    ----------
    source
        What to convert.
    target
        A new folder, or a new file whose name ends in ``.safetensors``.
    config
        The configuration of weights of ``sam2``; None for the checkpoint's own.

    Returns
    -------
    str
        What was written, in a sentence.

    Raises
    ------
    InputError
        If the weights can't be converted, or the target exists or has the wrong ending.
    ResourceError
        If a folder is asked for and ``transformers``, which writes its settings, is not installed.
    """
    from safetensors.torch import save_file

    if target.exists():
        raise InputError(f"{target} exists already: give a new name, such as {free_name(target)}.")
    if source.path is None:
        raise InputError("The untrained stand-in has no weights to convert: name a checkpoint.")
    weights = read_weights(source.path)
    if isinstance(source.config, Path) and source.config.name == PORT_CONFIG:
        if target.suffix != ".safetensors":
            raise InputError(f"{target}: weights for sam2 are written as a file; let its name end in .safetensors.")
        own = from_transformers(weights)
        with atomic_path(target) as temporary:
            save_file({name: tensor.contiguous() for name, tensor in own.items()}, temporary)
        fits = recognise(own)
        return f"Wrote {target}" + (f", which fits {fits}." if fits else "; name its configuration with --config.")
    check_transformers()
    chosen = config or source.config or recognise(weights)
    if chosen is None:
        raise InputError(f"{source.path}: the weights fit none of the official configurations; name theirs: --config.")
    from transformers import Sam2VideoConfig

    ported = to_transformers(weights)
    settings = Sam2VideoConfig(**port_config(chosen, ported), architectures=["Sam2VideoModel"])
    target.mkdir(parents=True)
    with atomic_path(target / PORT_WEIGHTS) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in ported.items()}, temporary, {"format": "pt"})
    # Last, since a folder without it is no model.
    atomic_write_text(target / PORT_CONFIG, settings.to_json_string(use_diff=False))
    return f"Wrote {target}, a Sam2VideoModel."


def _built(settings: dict[str, Any], weights: dict[str, torch.Tensor], flags: ModelFlags, where: str) -> PortedSAM2:
    from napari_sam2_probe.families.port import build_port

    try:
        return build_port(settings, weights, flags)
    except InputError:
        raise
    except Exception as error:
        # What settings that don't fit make of transformers' classes, they alone know.
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(f"{where}: no Sam2VideoModel can be built from it ({reason}).") from error


def _completed(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Give both names of what is one matrix, of which files may hold one."""
    names = ("shared_image_embedding.positional_embedding", "prompt_encoder.shared_embedding.positional_embedding")
    there = [weights[name] for name in names if name in weights]
    return weights | {name: there[0] for name in names if there and name not in weights}


def _check_parts(path: Path, settings: Any, place: str = "") -> None:
    """Refuse parts of other models, and sizes that would take all memory."""
    if isinstance(settings, dict):
        for name, value in settings.items():
            inner = f"{place}.{name}" if place else str(name)
            if name in _PARTS and isinstance(value, dict) and value.get("model_type", _PARTS[name]) != _PARTS[name]:
                raise InputError(f"{path}: '{inner}' is of the type {value['model_type']!r}, which no SAM 2 has.")
            most = _MOST_PIXELS if name == "image_size" else _MOST
            for number in value if isinstance(value, list) else [value]:
                is_number = isinstance(number, int | float) and not isinstance(number, bool)
                if is_number and not (math.isfinite(number) and abs(number) <= most):
                    raise InputError(f"{path}: '{inner}' is {number}, and no SAM 2 has more than {most}.")
            _check_parts(path, value, inner)
    elif isinstance(settings, list):
        for value in settings:
            _check_parts(path, value, place)
