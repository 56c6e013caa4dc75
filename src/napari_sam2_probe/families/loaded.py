"""A model that is ready to track, with all that a run must say about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.families.loading import build_model, read_weights, recognise
from napari_sam2_probe.models.checkpoints import CheckpointFile, resolve
from napari_sam2_probe.models.config import ModelFlags
from napari_sam2_probe.models.device import choose_device, choose_dtype, describe_device

if TYPE_CHECKING:
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
    """

    checkpoint: str | None = None
    config: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    flags: ModelFlags = field(default_factory=ModelFlags)


@dataclass(frozen=True)
class LoadedModel:
    """A model on its device.

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
    """

    model: ObservedSAM2
    checkpoint: CheckpointFile
    config: str
    device: torch.device
    dtype: torch.dtype
    flags: ModelFlags

    def describe(self) -> dict[str, Any]:
        """Return what a run says about its model."""
        import torch

        return {
            "checkpoint": self.checkpoint.name,
            "file": None if self.checkpoint.path is None else str(self.checkpoint.path.absolute()),
            "sha256": self.checkpoint.sha256,
            "trained": self.checkpoint.trained,
            "config": self.config,
            "image_size": self.model.image_size,
            "device": str(self.device),
            "device_name": describe_device(self.device),
            "dtype": str(self.dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "flags": asdict(self.flags),
        }


def load_model(choice: ModelChoice | None = None) -> LoadedModel:
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
    model = build_model(choice.config, checkpoint, device, choice.flags)
    return LoadedModel(model, checkpoint, _config_name(choice, checkpoint), device, dtype, choice.flags)


def _config_name(choice: ModelChoice, checkpoint: CheckpointFile) -> str:
    config = choice.config or checkpoint.config
    if config is None:
        assert checkpoint.path is not None
        return recognise(read_weights(checkpoint.path)) or "unknown"
    return config.name if isinstance(config, Path) else config
