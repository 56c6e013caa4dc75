"""SAM 2 and 2.1 through the package ``sam2``: the reference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.families.family import ModelFamily
from napari_sam2_probe.models.checkpoints import PORT_CONFIG

if TYPE_CHECKING:
    import torch

    from napari_sam2_probe.families.sam2 import ObservedSAM2
    from napari_sam2_probe.models.checkpoints import CheckpointFile
    from napari_sam2_probe.models.config import ModelFlags


class Sam2(ModelFamily):
    """Official checkpoints, fine-tuned ones with their configuration, and the sample model."""

    name: ClassVar[str] = "sam2"
    title: ClassVar[str] = "SAM 2"

    def recognises(self, checkpoint: CheckpointFile, config: str | None) -> bool:
        """Return True: what no other family wants is taken for a SAM 2, and refused with a reason where it is none."""
        return True

    def load(
        self, checkpoint: CheckpointFile, config: str | None, device: torch.device, flags: ModelFlags
    ) -> ObservedSAM2:
        """Build the model as ``sam2`` does and load its weights."""
        from napari_sam2_probe.families.loading import build_model

        if isinstance(checkpoint.config, Path) and checkpoint.config.name == PORT_CONFIG and config is None:
            raise InputError(
                f"{checkpoint.config.parent}: this is a model's folder of transformers, which sam2 can't run: "
                "leave the family out, or convert it by 'sam2-probe checkpoints convert'."
            )
        model: ObservedSAM2 = build_model(config, checkpoint, device, flags)
        return model

    def config_name(self, checkpoint: CheckpointFile, config: str | None) -> str:
        """Return the configuration's name or file, or that of the official one that the weights fit."""
        from napari_sam2_probe.families.loading import read_weights, recognise

        chosen = config or checkpoint.config
        if chosen is None:
            assert checkpoint.path is not None
            return recognise(read_weights(checkpoint.path)) or "unknown"
        return chosen.name if isinstance(chosen, Path) else chosen
