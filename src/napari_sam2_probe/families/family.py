"""What a family of models says: how its checkpoints are recognised and loaded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import torch

    from napari_sam2_probe.families.sam2 import ObservedSAM2
    from napari_sam2_probe.models.checkpoints import CheckpointFile
    from napari_sam2_probe.models.config import ModelFlags


class ModelFamily(ABC):
    """A kind of model. What `load` returns is driven as `ObservedSAM2` is, whatever computes behind its methods.

    Attributes
    ----------
    name
        What it is called in a run and where one is chosen.
    title
        What a reader sees.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    @abstractmethod
    def recognises(self, checkpoint: CheckpointFile, config: str | None) -> bool:
        """Tell whether these weights, with this configuration, are of the family; reads as little as it can."""

    @abstractmethod
    def load(
        self, checkpoint: CheckpointFile, config: str | None, device: torch.device, flags: ModelFlags
    ) -> ObservedSAM2:
        """Return the model in evaluation mode on its device.

        Raises
        ------
        InputError
            If the weights or the configuration can't be used.
        ResourceError
            If the device's memory doesn't suffice.
        """

    @abstractmethod
    def config_name(self, checkpoint: CheckpointFile, config: str | None) -> str:
        """Return what the model's configuration is called in a run."""

    def versions(self) -> dict[str, str]:
        """Return the versions of what computes, beside torch and sam2; a run says them of its model."""
        return {}
