"""Model configurations: the official ones, or a user's YAML, read as data.

A SAM 2 configuration names Python classes, so whoever builds whatever it names runs whatever its author wants.
Here a file is data until every class in it is known to be one that a model needs, and nothing in it is evaluated
beyond plain references to other values of the same file (``${scratch.resolution}``).
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from napari_sam2_probe.common.errors import InputError, ResourceError
from napari_sam2_probe.common.paths import is_file
from napari_sam2_probe.common.reading import read_yaml, why
from napari_sam2_probe.common.sample_data import sample_data_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MODEL_CLASSES = frozenset({"sam2.modeling.sam2_base.SAM2Base", "sam2.sam2_video_predictor.SAM2VideoPredictor"})
"""Classes that may stand at the top of the ``model`` section. Both mean "a SAM 2": the caller chooses the class."""

PART_CLASSES = frozenset(
    {
        "sam2.modeling.backbones.hieradet.Hiera",
        "sam2.modeling.backbones.image_encoder.FpnNeck",
        "sam2.modeling.backbones.image_encoder.ImageEncoder",
        "sam2.modeling.memory_attention.MemoryAttention",
        "sam2.modeling.memory_attention.MemoryAttentionLayer",
        "sam2.modeling.memory_encoder.CXBlock",
        "sam2.modeling.memory_encoder.Fuser",
        "sam2.modeling.memory_encoder.MaskDownSampler",
        "sam2.modeling.memory_encoder.MemoryEncoder",
        "sam2.modeling.position_encoding.PositionEmbeddingSine",
        "sam2.modeling.sam.transformer.RoPEAttention",
    }
)
"""Classes that a part of the model may name: all that the eight official configurations use."""

OFFICIAL_CONFIGS: tuple[str, ...] = tuple(
    f"configs/{folder}/{folder}_hiera_{size}.yaml" for folder in ("sam2", "sam2.1") for size in ("t", "s", "b+", "l")
)
"""Names of the official configurations, as the ``sam2`` package spells them."""

SMALL_CONFIG = Path(__file__).parent / "configs" / "small.yaml"
"""A SAM 2.1 of 256 x 256 pixels that runs in tens of milliseconds a frame, for tests and the untrained stand-in."""

FILL_HOLE_AREA = 8
"""Largest hole that post-processing fills, in pixels of the low-resolution mask (``build_sam2_video_predictor``)."""

_PREDICTOR_KEYS = (
    "fill_hole_area",
    "non_overlap_masks",
    "clear_non_cond_mem_around_input",
    "add_all_frames_to_correct_as_cond",
)
# Of whole numbers in a configuration; the largest official model has an input of 1024 and 48 blocks.
_MOST = {"image_size": 4096, "stages": 100, "num_layers": 32, "num_maskmem": 64, "depth": 100, "temperature": 1e9}
_MOST_OTHERWISE = 16384

_PLAIN_REFERENCE = re.compile(r"\$\{\.*[A-Za-z_][\w.\[\]-]*\}")


def _flag(default: bool, description: str) -> bool:
    """Declare a flag with the sentence that the command line, the configuration and the window say of it."""
    flag: bool = field(default=default, metadata={"description": description})
    return flag


@dataclass(frozen=True, slots=True)
class ModelFlags:
    """How SAM 2 is built, under the names that ``sam2`` gives its own flags; recorded in every run.

    This is their only declaration: options of commands, settings of experiments and forms are made from it.

    Attributes
    ----------
    apply_postprocessing
        The overrides that ``build_sam2_video_predictor(apply_postprocessing=True)`` makes: fall back to several
        masks where the single one is unstable, binarise clicked masks before they enter memory, fill small holes.
        Meta's own evaluation runs without them.
    add_all_frames_to_correct_as_cond
        Whether a frame corrected after propagation becomes a conditioning frame. The package's default is False,
        which throws the correction away when tracking goes on; ours is True.
    clear_non_cond_mem_around_input
        Whether a correction drops the non-conditioning memories of the frames around it.
    non_overlap_masks
        Whether the output masks of several objects are kept from overlapping.
    """

    apply_postprocessing: bool = _flag(True, "build SAM 2 as its demo does; without it, as Meta's own evaluation does")
    add_all_frames_to_correct_as_cond: bool = _flag(
        True, "make corrected frames conditioning frames; without it, as in sam2 itself, tracking again overwrites them"
    )
    clear_non_cond_mem_around_input: bool = _flag(False, "drop the memories of frames near a corrected one")
    non_overlap_masks: bool = _flag(False, "give every pixel to one object, already in the logits")

    # Read by pydantic where an experiment's settings hold flags.
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}


_EARLIER_FLAG_NAMES = {
    "postprocessing": "apply_postprocessing",
    "corrections_as_conditioning": "add_all_frames_to_correct_as_cond",
    "clear_memory_around_prompts": "clear_non_cond_mem_around_input",
    "no_overlap": "non_overlap_masks",
}


def with_current_flag_names(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return flags from a file, under today's names whatever version wrote it."""
    return {_EARLIER_FLAG_NAMES.get(name, name): value for name, value in flags.items()}


@dataclass(frozen=True, slots=True)
class PredictorFlags:
    """What ``SAM2VideoPredictor`` takes beyond ``SAM2Base``, under its own parameter names.

    Attributes
    ----------
    fill_hole_area
        Largest hole to fill in low-resolution masks, in pixels; 0 fills none.
    non_overlap_masks, clear_non_cond_mem_around_input, add_all_frames_to_correct_as_cond
        As in :class:`ModelFlags`.
    """

    fill_hole_area: int
    non_overlap_masks: bool
    clear_non_cond_mem_around_input: bool
    add_all_frames_to_correct_as_cond: bool


def predictor_flags(flags: ModelFlags) -> PredictorFlags:
    """Return the flags that act outside the network, as ``build_sam2_video_predictor`` would set them."""
    return PredictorFlags(
        fill_hole_area=FILL_HOLE_AREA if flags.apply_postprocessing else 0,
        non_overlap_masks=flags.non_overlap_masks,
        clear_non_cond_mem_around_input=flags.clear_non_cond_mem_around_input,
        add_all_frames_to_correct_as_cond=flags.add_all_frames_to_correct_as_cond,
    )


def model_config(config: str | Path, flags: ModelFlags) -> tuple[dict[str, Any], PredictorFlags]:
    """Read a configuration and apply the flags to it.

    Parameters
    ----------
    config
        An official name (``"configs/sam2.1/sam2.1_hiera_t.yaml"`` or ``"sam2.1_hiera_t"``), or the path of a YAML
        file with a ``model`` section. Official names win; ``./`` before a name makes it a file.
    flags
        How the model is built.

    Returns
    -------
    model
        The ``model`` section as plain data, ``_target_`` keys included, every reference resolved: parameters of
        ``SAM2Base``, the parts of the network nested.
    predictor
        The flags that act outside the network.

    Raises
    ------
    InputError
        If the file can't be read, names a class that a model doesn't need, or asks for anything to be evaluated.
    """
    path = config_path(config)
    model = _checked_model(path)
    if flags.apply_postprocessing:
        model["sam_mask_decoder_extra_args"] = {
            **(model.get("sam_mask_decoder_extra_args") or {}),
            "dynamic_multimask_via_stability": True,
            "dynamic_multimask_stability_delta": 0.05,
            "dynamic_multimask_stability_thresh": 0.98,
        }
        model["binarize_mask_from_pts_for_mem_enc"] = True
    return model, predictor_flags(flags)


def is_known_config(config: str | Path) -> bool:
    """Return whether a configuration is an official one or comes with this package, so that it need not be tried."""
    path = config_path(config).resolve()
    folders = [SMALL_CONFIG.parent, sample_data_folder() / "sample_model"]
    if find_spec("sam2") is not None:
        folders.append(_sam2_folder() / "configs")
    return any(path.is_relative_to(folder.resolve()) for folder in folders)


def config_path(config: str | Path) -> Path:
    """Return the file of an official configuration, or of the user's own.

    Raises
    ------
    InputError
        If there is neither.
    """
    official = {name: name for name in OFFICIAL_CONFIGS} | {Path(name).stem: name for name in OFFICIAL_CONFIGS}
    if isinstance(config, str) and config in official:
        return _sam2_folder() / official[config]
    path = Path(config)
    if not is_file(path):
        names = ", ".join(Path(name).stem for name in OFFICIAL_CONFIGS)
        raise InputError(f"{path}: no such configuration file; give the path of a YAML file or one of {names}.")
    return path


def _sam2_folder() -> Path:
    # Found without importing: ``import sam2`` loads torch and initialises Hydra for the whole process.
    spec = find_spec("sam2")
    if spec is None or not spec.submodule_search_locations:
        raise ResourceError("The package sam2 is not installed: install it with 'pip install sam2==1.1.0'.")
    return Path(spec.submodule_search_locations[0])


def _checked_model(path: Path) -> dict[str, Any]:
    raw = _read_yaml(path)
    for place, value in _walk(raw, ""):
        _refuse_evaluation(path, place, value)
    if raw.get("defaults", ["_self_"]) != ["_self_"]:
        raise InputError(f"{path}: 'defaults' lists other files, which is not supported: write one complete file.")
    if not isinstance(raw.get("model"), dict):
        raise InputError(f"{path}: there is no 'model' section; a SAM 2 configuration has one at its top level.")
    model = _resolve(path, raw)
    _check_classes(path, model)
    _check_sizes(path, model)
    return model


def _read_yaml(path: Path) -> dict[str, Any]:
    import yaml  # type: ignore[import-untyped]
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        loaded = OmegaConf.load(io.StringIO(read_yaml(path)))
    except (ValueError, RecursionError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise InputError(f"{path}: not a valid YAML file ({why(error)}); check it in a text editor.") from error
    except OSError as error:
        raise InputError(f"{path}: the file can't be read as a configuration ({why(error)}).") from error
    if not isinstance(loaded, DictConfig):
        raise InputError(f"{path}: a configuration is a mapping with a 'model' section, and this file is none.")
    raw = OmegaConf.to_container(loaded, resolve=False)
    assert isinstance(raw, dict)
    return {str(key): value for key, value in raw.items()}


def _walk(node: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Yield (place, value) of every leaf, and (place, key) of every key."""
    if isinstance(node, dict):
        for key, value in node.items():
            inner = f"{place}.{key}" if place else str(key)
            yield inner, key
            yield from _walk(value, inner)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _walk(value, f"{place}[{index}]")
    else:
        yield place, node


def _refuse_evaluation(path: Path, place: str, value: object) -> None:
    if isinstance(value, str) and "${" in _PLAIN_REFERENCE.sub("", value):
        raise InputError(
            f"{path}: '{place}' asks for {value!r} to be evaluated, which is not done; write the value itself "
            "or a plain reference such as ${scratch.resolution}."
        )


def _resolve(path: Path, raw: dict[str, Any]) -> dict[str, Any]:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        model = OmegaConf.to_container(OmegaConf.create(raw)["model"], resolve=True)
    except (OmegaConfBaseException, RecursionError) as error:
        raise InputError(f"{path}: a reference in it can't be resolved ({_one_line(error)}).") from error
    assert isinstance(model, dict)
    # Plain references put side by side can spell a new one; it must not be taken for one later.
    for place, value in _walk(model, "model"):
        if isinstance(value, str) and "${" in value:
            raise InputError(f"{path}: '{place}' becomes {value!r}, a reference made of references; write the value.")
    return {str(key): value for key, value in model.items()}


def _check_sizes(path: Path, model: dict[str, Any]) -> None:
    """Refuse what would take all memory, or for ever, to build."""
    for place, value in _walk(model, "model"):
        name = place.rpartition(".")[2].partition("[")[0]
        most = _MOST.get(name, _MOST_OTHERWISE)
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{path}: '{place}' is {value}, which is no number to build with; write another.")
        if isinstance(value, int | float) and abs(value) > most:
            raise InputError(f"{path}: '{place}' is {value}, and no SAM 2 has more than {most}; write another number.")
    size = model.get("image_size", 0)
    if not isinstance(size, int) or size < 0 or size % 16:
        raise InputError(f"{path}: 'model.image_size' is {size}, which is not a multiple of 16 pixels; write another.")


def _check_classes(path: Path, model: dict[str, Any]) -> None:
    for place, node in _mappings(model, "model"):
        allowed = MODEL_CLASSES if place == "model" else PART_CLASSES
        target = node.get("_target_")
        if place == "model" and target is None:
            raise InputError(f"{path}: 'model' names no class; its _target_ is sam2.modeling.sam2_base.SAM2Base.")
        if target is not None and (not isinstance(target, str) or target not in allowed):
            raise InputError(
                f"{path}: '{place}._target_' names {target!r}, which is not among the classes of sam2 that a model "
                f"needs there; nothing was run."
            )
        for key in node:
            if not isinstance(key, str) or (key != "_target_" and key.startswith("_")):
                raise InputError(f"{path}: '{place}' has the key {key!r}, which is no parameter of a model; remove it.")
    for key in _PREDICTOR_KEYS:
        if key in model:
            raise InputError(f"{path}: 'model.{key}' is an option of the run, not of the network; remove it here.")
    for place, node in _mappings(model, "model"):
        # Hiera would read that file itself, and with torch before 2.6 run code that is pickled in it.
        if node.get("weights_path") is not None:
            raise InputError(f"{path}: '{place}.weights_path' names another weights file; give a complete checkpoint.")


def _mappings(node: Any, place: str) -> Iterator[tuple[str, dict[Any, Any]]]:
    if isinstance(node, dict):
        yield place, node
        for key, value in node.items():
            yield from _mappings(value, f"{place}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _mappings(value, f"{place}[{index}]")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
