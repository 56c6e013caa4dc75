"""SAM 2, EdgeTAM and SAM 3's tracker through ``transformers``: a model's folder, or weights of ``sam2`` renamed."""

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


class Transformers(ModelFamily):
    """``Sam2VideoModel``, ``EdgeTamVideoModel``, ``Sam3TrackerVideoModel``; needs the extra ``[transformers]``."""

    name: ClassVar[str] = "transformers"
    title: ClassVar[str] = "SAM 2, EdgeTAM or SAM 3's tracker (transformers)"

    def recognises(self, checkpoint: CheckpointFile, config: str | None) -> bool:
        """Return whether it is a folder of ``transformers``; other weights run through it if it is asked for."""
        return _is_port(checkpoint)

    def load(
        self, checkpoint: CheckpointFile, config: str | None, device: torch.device, flags: ModelFlags
    ) -> ObservedSAM2:
        """Build the model as ``transformers`` does and load its weights.

        Raises
        ------
        InputError
            If ``transformers`` is not installed, or the weights or the configuration can't be used.
        """
        from napari_sam2_probe.families.port_loading import load_port, load_through_port
        from napari_sam2_probe.models.device import oom_as_sentence

        if _is_port(checkpoint):
            if config is not None:
                raise InputError(f"--config {config} can't be used: the folder of {checkpoint.name} has its own.")
            assert checkpoint.path is not None
            model = load_port(checkpoint.path.parent, flags)
        else:
            model = load_through_port(checkpoint, config, flags)
        with oom_as_sentence(device):
            loaded: ObservedSAM2 = model.to(device)
            return loaded

    def config_name(self, checkpoint: CheckpointFile, config: str | None) -> str:
        """Return what a folder calls its settings, else what the family ``sam2`` says."""
        from napari_sam2_probe.families.known.sam2 import Sam2

        return PORT_CONFIG if _is_port(checkpoint) else Sam2().config_name(checkpoint, config)

    def versions(self) -> dict[str, str]:
        """Return the version of ``transformers``."""
        from importlib.metadata import version

        return {"transformers": version("transformers")}


def _is_port(checkpoint: CheckpointFile) -> bool:
    return isinstance(checkpoint.config, Path) and checkpoint.config.name == PORT_CONFIG
