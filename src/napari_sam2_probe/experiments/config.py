"""The configuration of an experiment: typed, checked, read from TOML and stored with the results."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.files import atomic_write_text
from napari_sam2_probe.common.reading import load_toml, why
from napari_sam2_probe.families.loaded import ModelChoice
from napari_sam2_probe.models.config import ModelFlags, with_current_flag_names
from napari_sam2_probe.transforms.dataset import MOST_SAMPLES
from napari_sam2_probe.transforms.recipe import DEFAULT_LENGTHS, CorruptionSpec
from napari_sam2_probe.transforms.registry import CORRUPTIONS, KINDS, corruption_text, default_kinds, parse_corruption


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True)


class ModelSettings(_Settings):
    """Which SAM 2 is tracked with, and how it is built."""

    checkpoint: str | None = None
    """An official name, ``sample``, or a file; without one the largest official one that is there, else ``sample``."""

    config: str | None = None
    """The configuration (YAML) of a checkpoint of one's own."""

    device: str = "auto"
    """``auto``, ``cuda``, ``cuda:1``, ``mps`` or ``cpu``."""

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """What the network computes in; ``auto`` is float32."""

    family: str | None = None
    """Who runs it, such as ``transformers``; without one whoever the checkpoint belongs to."""

    flags: ModelFlags = ModelFlags()
    """How SAM 2 is built, by sam2's own names. Corrections don't arise here: only first frames are prompted."""

    @model_validator(mode="before")
    @classmethod
    def _gather_flags(cls, values: Any) -> Any:
        """Take flags that stand beside the other settings, as earlier versions wrote them, under any of their names."""
        if not isinstance(values, dict):
            return values
        known = {flag.name for flag in fields(ModelFlags)}
        current = with_current_flag_names(values)
        loose = {name: current.pop(name) for name in known & current.keys()}
        return current if not loose else {**current, "flags": {**loose, **current.get("flags", {})}}

    def choice(self) -> ModelChoice:
        """Return the model that is asked for."""
        return ModelChoice(self.checkpoint, self.config, self.device, self.dtype, self.flags, self.family)


class FeatureSettings(_Settings):
    """How features over time are computed."""

    denominator: Literal["variance", "standard deviation"] = "variance"
    """What divides the differences in the long-term distance."""

    epsilon: float = Field(default=1e-6, gt=0, allow_inf_nan=False)
    """Added to the denominator."""

    prompted_references: bool = True
    """Whether prompted frames count as references."""


class PredictionSettings(_Settings):
    """Masks that another system predicted for the same clips."""

    name: str = Field(min_length=1)
    """What the system is called in tables and figures."""

    folder: str
    """Where they are: ``<kind>/<clip>/00000.png`` and so on, or ``<clip>/00000.png``."""


class ExperimentConfig(_Settings):
    """Everything that decides an experiment's results, but for what the files that it names hold."""

    davis: str
    """The data set that clips are made from: a folder in the layout of DAVIS, MOSE, YouTube-VOS, LVOS or SA-V."""

    split: str | None = None
    """Take only the sequences of this split."""

    kinds: tuple[str, ...] = Field(default_factory=default_kinds, min_length=1)
    """Kinds of clips, by default those of the paper and ``object-kept``, which object removal is compared with.

    A clip of any other kind than ``clean`` is compared with the one of the same number in ``clean``.
    """

    samples: int = Field(default=500, ge=1, le=MOST_SAMPLES)
    """Clips of each kind."""

    seed: int = Field(default=0, ge=0, le=2**63 - 1)
    """Decides all clips; clip k of every kind has the same base."""

    lengths: tuple[int, int, int] = DEFAULT_LENGTHS
    """Frames of prefix, interjection and suffix."""

    options: dict[str, dict[str, str | int | float]] = Field(default_factory=dict)
    """Options of kinds, such as ``{"context-removal": {"fill": "blur"}}``; stored in full."""

    then: tuple[str, ...] = ()
    """Corruptions that every clip goes through, in turn, such as ``gaussian-noise:sigma=25``; stored in full.

    Clip k of every kind draws the same noise. Corruptions that move frames in time, or may lose the object of the
    frame that is prompted, are refused.
    """

    lossless: bool = False
    """Write the clips' frames as PNG instead of JPEG."""

    keep_maps: bool = False
    """Keep the mean and variance maps of all positions, about 0.65 MB a frame."""

    causes: bool = False
    """Look for the causes of every clip's masks: blame of entries of memory, patches from the clip's twin, and edits
    after the change. It may be asked for later, and moves no other result.
    """

    keep_embeddings: bool = True
    """Keep mean embeddings of object, context and frame, some single tokens, and grids: about 30 KB a frame.

    Linear probes, the share of object and context, and CKA are made of them.
    """

    batch_size: int | None = Field(default=None, ge=1)
    """Clips that go through SAM 2 together; by the memory that is free if not given."""

    label: str = ""
    """What the experiment is called in tables and figures; the model's name if empty."""

    model: ModelSettings = ModelSettings()
    """The model."""

    features: FeatureSettings = FeatureSettings()
    """Features over time."""

    predictions: PredictionSettings | None = None
    """Evaluate masks of another system instead of tracking."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in self.kinds:
            KINDS.find(name)
        if len(set(self.kinds)) != len(self.kinds):
            raise ValueError(f"kinds names {', '.join(self.kinds)}: name every kind once")
        if self.lengths[0] < 2 or min(self.lengths) < 0:
            raise ValueError(
                f"lengths is {','.join(map(str, self.lengths))} but needs a prefix of at least 2 frames (the first is "
                "prompted) and nothing negative"
            )
        foreign = [name for name in self.options if name not in self.kinds]
        if foreign:
            raise ValueError(
                f"options are given for {foreign[0]}, which is not among the kinds {', '.join(self.kinds)}"
            )
        corruptions = tuple(parse_corruption(text) for text in self.then)
        for corruption in corruptions:
            if reason := why_unfit(corruption.name):
                raise ValueError(f"then names {corruption.name}, which {reason}: leave it out")
        if self.predictions is not None and self.model != ModelSettings():
            raise ValueError("model and predictions are both given: track with a model, or evaluate predictions")
        if self.predictions is not None and self.causes:
            raise ValueError("causes and predictions are both given: causes are SAM 2's, and need a model")
        # The same experiment is the same configuration, whether defaults were written out or not.
        object.__setattr__(self, "then", tuple(corruption_text(corruption) for corruption in corruptions))
        object.__setattr__(self, "kinds", tuple(name for name in KINDS if name in self.kinds))
        object.__setattr__(
            self, "options", {kind: _all_options(kind, self.options.get(kind, {})) for kind in self.kinds}
        )
        return self

    @property
    def corruptions(self) -> tuple[CorruptionSpec, ...]:
        """What `then` says."""
        return tuple(parse_corruption(text) for text in self.then)

    @property
    def num_frames(self) -> int:
        """Frames of a clip."""
        return sum(self.lengths)


def why_unfit(corruption: str) -> str | None:
    """Return what a corruption does that experiments can't use, after "it" or "which"; None if they can use it."""
    return CORRUPTIONS.find(corruption).unfit or None


def make_config(**fields: Any) -> ExperimentConfig:
    """Make a configuration.

    Raises
    ------
    InputError
        If a field is not known, missing or can't be used.
    """
    return _validated(fields, "The experiment")


def read_config(path: Path | str) -> ExperimentConfig:
    """Read a configuration from a TOML file.

    Raises
    ------
    InputError
        If the file isn't there, is no TOML, or can't be used.
    """
    return _validated(read_settings(path), str(path))


def read_settings(path: Path | str) -> dict[str, Any]:
    """Read a TOML file that may lack what is given otherwise.

    Raises
    ------
    InputError
        If the file isn't there or is no TOML.
    """
    try:
        return load_toml(Path(path))
    except FileNotFoundError as error:
        raise InputError(f"There is no file of settings {path}: give the path of a TOML file.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not valid TOML ({why(error)}): fix the file.") from error


def write_config(path: Path | str, config: ExperimentConfig) -> None:
    """Write a configuration as TOML; `read_config` gives an equal one back."""
    atomic_write_text(path, tomli_w.dumps(config.model_dump(mode="json", exclude_none=True)))


def differences(stored: ExperimentConfig, wanted: ExperimentConfig) -> list[str]:
    """Name what differs between two configurations so that they don't give the same results.

    Where the data set lies doesn't matter (its content is compared by its fingerprint), nor does a batch size that
    is left to us, nor whether causes are asked for, which move nothing else.
    """
    left_out = {"davis", "causes", *(("batch_size",) if wanted.batch_size is None else ())}
    before = _flat(stored.model_dump(mode="json", exclude=left_out))
    now = _flat(wanted.model_dump(mode="json", exclude=left_out))
    return [
        f"{name} ({_format_value(before.get(name))} before, {_format_value(now.get(name))} now)"
        for name in before | now
        if before.get(name) != now.get(name)
    ]


def _flat(values: dict[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{above}{name}.")
        else:
            flat[above + name] = value
    return flat


def _format_value(value: Any) -> str:
    if value is None or value in ("", []):
        return "none"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _all_options(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    return KINDS.find(kind).read_options(given)


def _validated(fields: dict[str, Any], where: str) -> ExperimentConfig:
    try:
        return ExperimentConfig.model_validate(fields)
    except ValidationError as error:
        raise InputError(f"{where}: {_sentence(error)}.") from error
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=True)[0]
    name = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more such)" if error.error_count() > 1 else ""
    match first["type"]:
        case "extra_forbidden":
            known = ", ".join(ExperimentConfig.model_fields) if len(first["loc"]) == 1 else "see the documentation"
            return f"there is no setting {name}{more}; the settings are: {known}"
        case "missing":
            return f"the setting {name} is missing{more}; give it"
        case "value_error":
            return str(first["ctx"]["error"])
    message = first["msg"][0].lower() + first["msg"][1:]
    return f"the setting {name} can't be used{more}: {message.removeprefix('input ')}"
