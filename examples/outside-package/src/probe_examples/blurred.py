"""A model family: SAM 2 whose memories are blurred before they are stored, to see what their detail is good for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from torch.nn.functional import avg_pool2d

from napari_sam2_probe.families.family import ModelFamily
from napari_sam2_probe.families.loading import build_model
from napari_sam2_probe.families.sam2 import ObservedSAM2

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from napari_sam2_probe.models.checkpoints import CheckpointFile
    from napari_sam2_probe.models.config import ModelFlags


class BlurredSAM2(ObservedSAM2):
    """SAM 2, but each token of a memory is the mean of itself and its eight neighbours."""

    def to_store(self, features: Tensor, pos_enc: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Return the blurred map; position 5 shows it, 5r the map as the memory encoder made it."""
        return avg_pool2d(features, 3, stride=1, padding=1, count_include_pad=False), pos_enc


class Blurred(ModelFamily):
    """Any SAM 2, asked for by ``--family blurred``."""

    name: ClassVar[str] = "blurred"
    title: ClassVar[str] = "SAM 2 with blurred memories"

    def recognises(self, checkpoint: CheckpointFile, config: str | None) -> bool:
        """Return False: no checkpoint is of this family by itself."""
        return False

    def load(
        self, checkpoint: CheckpointFile, config: str | None, device: torch.device, flags: ModelFlags
    ) -> ObservedSAM2:
        """Build it as the reference family does, with another class."""
        model: ObservedSAM2 = build_model(config, checkpoint, device, flags, model_class=BlurredSAM2)
        return model

    def config_name(self, checkpoint: CheckpointFile, config: str | None) -> str:
        """Return the configuration's name or file."""
        chosen = config or checkpoint.config
        return chosen.name if isinstance(chosen, Path) else chosen or "unknown"
