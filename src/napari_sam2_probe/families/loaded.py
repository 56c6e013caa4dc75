"""A model that is ready to track, with all that a run must say about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.families.registry import FAMILIES, REFERENCE, family_of
from napari_sam2_probe.models.checkpoints import CheckpointFile, resolve
from napari_sam2_probe.models.config import ModelFlags
from napari_sam2_probe.models.device import choose_device, choose_dtype, describe_device

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import torch

    from napari_sam2_probe.families.sam2 import ObservedSAM2


@dataclass(frozen=True)
class ModelChoice:
    """Which model to track with, and where.

    Attributes
    ----------
    checkpoint
        A name, a file, or None for the best one that is there.
    config
        A configuration for a checkpoint of one's own; None for the checkpoint's.
    device, dtype
        As in `choose_device` and `choose_dtype`.
    flags
        How SAM 2 is built.
    family
        Who loads it, by name; None: whoever recognises the checkpoint.
    """

    checkpoint: str | None = None
    config: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    flags: ModelFlags = field(default_factory=ModelFlags)
    family: str | None = None


@dataclass(frozen=True)
class Model:
    """A model on its device, ready to track; `load_model` makes one.

    Attributes
    ----------
    model
        In evaluation mode.
    checkpoint
        Where its weights come from.
    config
        Its configuration's name or file.
    device, dtype
        Where and in which type it computes.
    flags
        How it was built.
    family
        Who loaded it.
    versions
        Of what computes, beside torch and sam2.
    """

    model: ObservedSAM2
    checkpoint: CheckpointFile
    config: str
    device: torch.device
    dtype: torch.dtype
    flags: ModelFlags
    family: str = REFERENCE
    versions: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        untrained = "" if self.checkpoint.trained else ", untrained"
        return f"<Model {self.checkpoint.name} on {self.device}, {str(self.dtype).removeprefix('torch.')}{untrained}>"

    def intervene(
        self, edits: Mapping[str, Any] | Sequence[Any], donors: Mapping[str, Any] | None = None
    ) -> AbstractContextManager[None]:
        """Change what SAM 2 reads, stores and computes while a block runs.

        Parameters
        ----------
        edits
            One edit or a list of them, as data: ``{"edit": "drop", "target": "memory", "at": [12, 15]}``. In what is
            recorded in the block they are noted.
        donors
            The runs that edits take from, by the names they call them; these may also be the paths of runs.

        Raises
        ------
        InputError
            If an edit makes no sense.
        """
        return self.model.intervene([edits] if isinstance(edits, Mapping) else edits, donors)

    def describe(self) -> dict[str, Any]:
        """Return what a run says about its model."""
        import torch

        return {
            "family": self.family,
            "checkpoint": self.checkpoint.name,
            "file": None if self.checkpoint.path is None else str(self.checkpoint.path.absolute()),
            "sha256": self.checkpoint.sha256,
            **({"hub": self.checkpoint.hub} if self.checkpoint.hub else {}),
            "trained": self.checkpoint.trained,
            "config": self.config,
            **({"architecture": self.model.architecture} if self.model.architecture else {}),
            "image_size": self.model.image_size,
            "device": str(self.device),
            "device_name": describe_device(self.device),
            "dtype": str(self.dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "flags": asdict(self.flags),
            **({"versions": dict(self.versions)} if self.versions else {}),
        }


def load_model(choice: ModelChoice | None = None) -> Model:
    """Find, check, build and load a model.

    Raises
    ------
    InputError, ResourceError
        If the checkpoint, its configuration or the device can't be used; nothing is downloaded.
    """
    choice = choice or ModelChoice()
    checkpoint = resolve(choice.checkpoint)
    device = choose_device(choice.device)
    dtype = choose_dtype(choice.dtype, device)
    family = family_of(checkpoint, choice.config) if choice.family is None else FAMILIES.find(choice.family)
    model = family.load(checkpoint, choice.config, device, choice.flags)
    config = family.config_name(checkpoint, choice.config)
    return Model(model, checkpoint, config, device, dtype, choice.flags, family.name, family.versions())


def as_model(model: Model | ModelChoice | str | Path) -> Model:
    """Return the model that is meant: one that is loaded, a choice, or the name or file of a checkpoint.

    Parameters
    ----------
    model
        ``"auto"`` is the best one there is.

    Raises
    ------
    InputError
        If it is none of these, or can't be loaded.
    """
    if isinstance(model, Model):
        return model
    if isinstance(model, ModelChoice):
        return load_model(model)
    if isinstance(model, str | Path):
        return load_model(ModelChoice(None if str(model) == "auto" else str(model)))
    raise InputError(f"{model!r:.60} is no model: give one that was loaded, or a name such as 'sample'.")
