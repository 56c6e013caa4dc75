"""A checked configuration and a file of weights become a model.

Only tensors are read from a checkpoint, never code. Hydra is not used: parts are built from the classes that
:mod:`napari_sam2_probe.models.config` allows, so it doesn't matter whether the host application has initialised
Hydra, or clears it later. (Importing ``sam2`` initialises it for the process if nobody has; undoing that would
break others who use ``sam2`` beside us.)
"""

from __future__ import annotations

import importlib
import pickle
import zipfile
import zlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError, ProbeError
from napari_sam2_probe.common.paths import is_file
from napari_sam2_probe.families.dry_run import check_runs
from napari_sam2_probe.models.checkpoints import OFFICIAL
from napari_sam2_probe.models.config import (
    MODEL_CLASSES,
    OFFICIAL_CONFIGS,
    PART_CLASSES,
    SMALL_CONFIG,
    ModelFlags,
    PredictorFlags,
    is_known_config,
    model_config,
)
from napari_sam2_probe.models.device import oom_as_sentence

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch
    from sam2.modeling.sam2_base import SAM2Base

    from napari_sam2_probe.models.checkpoints import CheckpointFile

    StateDict = dict[str, torch.Tensor]

_PERTURBATION = 0.1
"""Standard deviation of what is added to one-dimensional parameters of a seeded model."""

_BLOCK = 1 << 20

_SCORE_BIAS = 4.0
"""What is added to the object score of a seeded model, so that it believes the object to be there."""


def build_model(
    config: str | Path | None,
    checkpoint: CheckpointFile,
    device: torch.device,
    flags: ModelFlags | None = None,
    *,
    model_class: type[SAM2Base] | None = None,
) -> SAM2Base:
    """Build a SAM 2, load its weights and put it on a device, in evaluation mode.

    Parameters
    ----------
    config
        An official name or a YAML file; None takes the checkpoint's own or, where that is not known either, the
        official configuration that the weights fit.
    checkpoint
        The weights. The untrained stand-in of the sample model (``checkpoint.trained`` is False) is seeded with 0.
    device
        Where the model runs.
    flags
        How it is built; the defaults of :class:`~napari_sam2_probe.models.config.ModelFlags` if None.
    model_class
        ``SAM2Base`` or a class derived from it; ``ObservedSAM2`` if None. ``SAM2VideoPredictor`` and classes
        derived from it get the predictor flags too.

    Raises
    ------
    InputError
        If the configuration or the checkpoint can't be used, or they don't belong together.
    ResourceError
        If the device's memory doesn't suffice.
    """
    flags = flags or ModelFlags()
    config = config if config is not None else checkpoint.config
    if checkpoint.path is None:
        return seeded_model(config or SMALL_CONFIG, device=device, flags=flags, model_class=model_class)
    check_published(checkpoint)
    weights = read_weights(checkpoint.path)
    if config is None:
        config = recognise(weights)
    if config is None:
        raise InputError(
            f"{checkpoint.path}: the weights fit none of the official configurations; name theirs with --config."
        )
    model = _construct(config, flags, model_class)
    _load(model, weights, checkpoint.path, config)
    with oom_as_sentence(device):
        return model.to(device).eval()


def seeded_model(
    config: str | Path = SMALL_CONFIG,
    seed: int = 0,
    *,
    device: torch.device | None = None,
    flags: ModelFlags | None = None,
    model_class: type[SAM2Base] | None = None,
    score_bias: float = _SCORE_BIAS,
) -> SAM2Base:
    """Build an untrained SAM 2 whose weights are the same for the same seed.

    It tracks nothing, but every part of it works on numbers that differ: as initialised, SAM 2 mostly believes
    that no object is there (then all pointers are one constant and all masks empty), and its normalisation
    layers make channel means pure rounding noise. So the object score is raised by `score_bias` and all
    one-dimensional parameters are perturbed. The global random state is left as it was.

    Parameters
    ----------
    config, device, flags, model_class
        As in :func:`build_model`; `device` is the CPU if None.
    seed
        Seed of the weights.
    score_bias
        Added to the object score logit; a large negative one shuts the no-object gate.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = _construct(config, flags or ModelFlags(), model_class)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim == 1:
                    parameter.add_(_PERTURBATION * torch.randn(parameter.shape))
            if model.pred_obj_scores:
                _last_bias(model.sam_mask_decoder.pred_obj_score_head).add_(score_bias)
    target = device if device is not None else torch.device("cpu")
    with oom_as_sentence(target):
        return model.to(target).eval()


def _last_bias(head: Any) -> torch.Tensor:
    bias: torch.Tensor = (head.layers[-1] if hasattr(head, "layers") else head).bias
    return bias


def read_weights(path: Path) -> StateDict:
    """Read the tensors of a checkpoint, floating-point ones as float32; code in it is refused, not run.

    Parameters
    ----------
    path
        A ``.safetensors`` file, or a file that ``torch.save`` wrote with the weights under ``"model"``.

    Raises
    ------
    InputError
        If the file is not there, damaged, holds more than tensors or numbers that are not finite, or lacks ``"model"``.
    """
    import torch

    if not is_file(path):
        raise InputError(f"{path}: there is no such checkpoint file.")
    weights = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    if not weights or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise InputError(f"{path}: the checkpoint's weights are not tensors by name; it is not one of SAM 2.")
    return {str(key): _as_float32(value, str(key), path) for key, value in weights.items()}


def _as_float32(value: torch.Tensor, name: str, path: Path) -> torch.Tensor:
    import torch

    if value.is_complex() or value.is_quantized or value.layout != torch.strided or value.device.type == "meta":
        raise InputError(f"{path}: {name} is no plain tensor of numbers ({value.dtype}); it is not one of SAM 2.")
    if not value.is_floating_point():
        return value
    value = value.to(torch.float32)
    # The sum of finite numbers is finite but for overflow, and takes a fraction of the time.
    if not torch.isfinite(value.sum()) and not bool(torch.isfinite(value).all()):
        raise InputError(
            f"{path}: {name} holds numbers that are not finite, so every mask would be nonsense: the file is damaged "
            "or training went wrong; use another checkpoint."
        )
    return value


def _read_safetensors(path: Path) -> dict[str, Any]:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        with oom_as_sentence(torch.device("cpu")):
            weights: dict[str, Any] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise _damaged(path) from error
    return weights


def _read_torch(path: Path) -> dict[str, Any]:
    import torch

    if not _is_sound_zip(path):
        raise _damaged(path)
    try:
        with oom_as_sentence(torch.device("cpu")):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except ProbeError:
        raise
    except Exception as error:
        # Bytes that are no checkpoint make torch's unpickler fail in whatever way they lead it to.
        if isinstance(error, pickle.UnpicklingError) and "unsupported" in str(error).lower():
            raise InputError(
                f"{path}: the checkpoint holds pickled code, not only weights, so it was not loaded; get the "
                "original, or save its weights alone."
            ) from error
        raise _damaged(path) from error
    weights = content.get("model") if isinstance(content, dict) else None
    if not isinstance(weights, dict):
        raise InputError(f"{path}: the checkpoint has no weights under 'model', where SAM 2 keeps them.")
    return weights


def _is_sound_zip(path: Path) -> bool:
    """Tell whether a file is a zip whose records have the checksums that it states; torch doesn't compare them."""
    try:
        with zipfile.ZipFile(path) as file:
            records = [record for record in file.infolist() if record.file_size]
            wrong = [record for record in records if not _has_its_checksum(file, record)]
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return False
    # torch can be told to leave checksums out; then none is right.
    return not wrong or len(wrong) == len(records) > 1


def _has_its_checksum(file: zipfile.ZipFile, record: zipfile.ZipInfo) -> bool:
    try:
        with file.open(record) as content:
            while content.read(_BLOCK):
                pass
    except zipfile.BadZipFile:
        return False
    return True


def check_published(checkpoint: CheckpointFile) -> None:
    """Make sure that a file under an official name is the published one: its configuration goes by the name.

    Raises
    ------
    InputError
        If it isn't.
    """
    for published in OFFICIAL:
        if published.name == checkpoint.name and checkpoint.sha256 != published.sha256:
            raise InputError(
                f"{checkpoint.path}: this is not the {published.name} that Meta published (the SHA-256 differs); if it "
                "is one of your own, give it another name, else delete it and run 'sam2-probe checkpoints download "
                f"{published.name}'."
            )


def _damaged(path: Path) -> InputError:
    return InputError(
        f"{path}: this is not a complete checkpoint (truncated, damaged or another kind of file); fetch it again and "
        "check it with 'sam2-probe checkpoints verify'."
    )


def recognise(weights: Mapping[str, torch.Tensor]) -> str | None:
    """Return the name of the official configuration that weights fit, from width, depth and SAM 2.1's additions."""
    patch = weights.get("image_encoder.trunk.patch_embed.proj.weight")
    if patch is None:
        return None
    blocks = {key.split(".")[3] for key in weights if key.startswith("image_encoder.trunk.blocks.")}
    found = (patch.shape[0], len(blocks), "no_obj_embed_spatial" in weights)
    for name in OFFICIAL_CONFIGS:
        model, _ = model_config(name, ModelFlags())
        trunk = model["image_encoder"]["trunk"]
        stages = trunk.get("stages", (2, 3, 16, 3))
        if found == (trunk["embed_dim"], sum(stages), bool(model.get("no_obj_embed_spatial"))):
            return name
    return None


def _load(model: SAM2Base, weights: StateDict, path: Path, config: str | Path) -> None:
    expected = {key: value.shape for key, value in model.state_dict().items()}
    got = {key: value.shape for key, value in weights.items()}
    if expected != got:
        differing = sorted(key for key in expected.keys() | got.keys() if expected.get(key) != got.get(key))
        fits = recognise(weights)
        advice = f"they fit {fits}" if fits and fits != config else "give the configuration they were trained with"
        raise InputError(
            f"{path}: the weights don't belong to the configuration {config} ({len(differing)} differ, the first "
            f"is {differing[0]}); {advice}."
        )
    kinds = {key: value.is_floating_point() for key, value in model.state_dict().items()}
    wrong = next((key for key in kinds if weights[key].is_floating_point() != kinds[key]), None)
    if wrong is not None:
        raise InputError(
            f"{path}: {wrong} holds {weights[wrong].dtype}, which no weights of SAM 2 are; get the original."
        )
    model.load_state_dict(weights)


def _construct(config: str | Path, flags: ModelFlags, model_class: type[SAM2Base] | None) -> SAM2Base:
    model, predictor = model_config(config, flags)
    if not is_known_config(config):
        check_runs(_assemble(model, predictor, _observed(), config).eval(), config)
    return _assemble(model, predictor, model_class or _observed(), config)


def _assemble(model: dict[str, Any], predictor: PredictorFlags, cls: type[SAM2Base], config: str | Path) -> SAM2Base:
    parameters = {key: _part(value, f"model.{key}", config) for key, value in model.items() if key != "_target_"}
    return _call(cls, {**parameters, **_predictor_parameters(cls, predictor)}, "model", config)


def _observed() -> type[SAM2Base]:
    from napari_sam2_probe.families.sam2 import ObservedSAM2

    return ObservedSAM2


def _predictor_parameters(cls: type[SAM2Base], predictor: PredictorFlags) -> dict[str, Any]:
    from sam2.sam2_video_predictor import SAM2VideoPredictor

    return asdict(predictor) if issubclass(cls, SAM2VideoPredictor) else {}


def _part(node: Any, place: str, config: str | Path) -> Any:
    """Build a part of the model, the parts it is made of first, in the order they are written."""
    if isinstance(node, list):
        return [_part(value, f"{place}[{index}]", config) for index, value in enumerate(node)]
    if not isinstance(node, dict):
        return node
    parameters = {key: _part(value, f"{place}.{key}", config) for key, value in node.items() if key != "_target_"}
    if "_target_" not in node:
        return parameters
    return _call(_class(node["_target_"]), parameters, place, config)


def _class(target: str) -> Any:
    if target not in PART_CLASSES | MODEL_CLASSES:
        raise InputError(f"{target!r} is not a class of sam2 that a model needs.")
    module, _, name = target.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _call(cls: Any, parameters: dict[str, Any], place: str, config: str | Path) -> Any:
    import torch

    try:
        with oom_as_sentence(torch.device("cpu")):
            return cls(**parameters)
    except (TypeError, ValueError, AssertionError, AttributeError, RuntimeError, ArithmeticError, LookupError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{config}: '{place}' can't be built from its parameters ({reason}).") from error
