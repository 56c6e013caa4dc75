"""From files to a tracker of ``transformers``, and from one format of SAM 2's weights to the other."""

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
from napari_sam2_probe.families.port_kinds import SAM2, check_encoder, kind_of, own_weights
from napari_sam2_probe.models.checkpoints import PORT_CONFIG, PORT_WEIGHTS, PREPROCESSOR_FILES
from napari_sam2_probe.models.config import SMALL_CONFIG

if TYPE_CHECKING:
    import torch

    from napari_sam2_probe.families.port import PortedSAM2
    from napari_sam2_probe.families.port_kinds import PortKind
    from napari_sam2_probe.models.checkpoints import CheckpointFile
    from napari_sam2_probe.models.config import ModelFlags
    from napari_sam2_probe.tracking.frames import Normalisation

_CHANNELS = 3


def load_port(folder: Path, flags: ModelFlags) -> PortedSAM2:
    """Load a model's folder as ``save_pretrained`` writes it: ``config.json`` and ``model.safetensors``.

    Raises
    ------
    InputError
        If it is not one of a tracker that can be loaded.
    ResourceError
        If ``transformers``, or a package that the model needs, is not installed.
    """
    kind, settings = read_port_settings(folder / PORT_CONFIG)
    check_transformers()
    check_encoder(kind, settings)
    weights = own_weights(kind, read_weights(folder / PORT_WEIGHTS))
    model = _built(kind, settings, _completed(weights), flags, str(folder))
    model.normalisation = read_normalisation(folder) or model.normalisation
    return model


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
    return _built(SAM2, port_config(chosen, ported), ported, flags, checkpoint.name)


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


def read_port_settings(path: Path) -> tuple[PortKind, dict[str, Any]]:
    """Read the ``config.json`` of a tracker: what kind it is, and its settings.

    Raises
    ------
    InputError
        If it is none, or asks for what no such model has.
    """
    try:
        settings = load_json(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the file can't be read as a configuration ({error}).") from error
    return kind_of(path, settings)


def read_normalisation(folder: Path) -> Normalisation | None:
    """Return the mean and standard deviation that a folder says its frames are prepared with; None if it says nothing.

    Raises
    ------
    InputError
        If it says something that can't be used.
    """
    path = next((folder / name for name in PREPROCESSOR_FILES if (folder / name).is_file()), None)
    if path is None:
        return None
    try:
        content = load_json(path)
        content = content.get("image_processor", content)
        given = [content.get(name) for name in ("image_mean", "image_std")]
        if given == [None, None]:
            return None
        mean, std = (tuple(float(value) for value in values) for values in given)
        if (
            len(mean) != len(std)
            or len(mean) != _CHANNELS
            or not all(map(math.isfinite, (*mean, *std)))
            or min(std) <= 0
        ):
            raise ValueError
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: the mean and standard deviation of images in it can't be used.") from error
    return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])


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
        kind, _ = read_port_settings(source.config)
        if kind is not SAM2:
            raise InputError(
                f"{source.path}: these are weights of {kind.title}, which the family sam2 has no class for."
            )
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


def _built(
    kind: PortKind, settings: dict[str, Any], weights: dict[str, torch.Tensor], flags: ModelFlags, where: str
) -> PortedSAM2:
    try:
        return kind.build(settings, weights, flags)
    except (InputError, ResourceError):
        raise
    except Exception as error:
        # What settings that don't fit make of transformers' classes, they alone know.
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(f"{where}: no {kind.class_name} can be built from it ({reason}).") from error


def _completed(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Give both names of what is one matrix, of which files may hold one."""
    names = ("shared_image_embedding.positional_embedding", "prompt_encoder.shared_embedding.positional_embedding")
    there = [weights[name] for name in names if name in weights]
    return weights | {name: there[0] for name in names if there and name not in weights}
