"""Does a model that could be built also run? Asked of configurations that people wrote, before any frame is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError, ProbeError
from napari_sam2_probe.common.reading import why
from napari_sam2_probe.models.device import oom_as_sentence

if TYPE_CHECKING:
    from pathlib import Path

    from sam2.modeling.sam2_base import SAM2Base

LARGEST_REAL = 512
"""Inputs of more pixels a side are tried with shapes alone, which takes two seconds whatever the size."""

_FRAMES = 3


def check_runs(model: SAM2Base, config: str | Path) -> None:
    """Track three empty frames, prompted once by a point and once by a mask.

    Parameters
    ----------
    model
        In evaluation mode, on the CPU. One of a large input is given up: its weights are gone afterwards.
    config
        Its configuration, for the message.

    Raises
    ------
    InputError
        If anything in it doesn't fit together.
    """
    import torch

    device = torch.device("cpu" if model.image_size <= LARGEST_REAL else "meta")
    try:
        with oom_as_sentence(torch.device("cpu")), torch.inference_mode():
            _track(model.to(device), device)
    except ProbeError:
        raise
    except NotImplementedError:
        # Something that shapes alone don't tell.
        return
    # Whatever doesn't fit shows as whatever error the part in question happens to meet.
    except Exception as error:
        raise InputError(
            f"{config}: a model of this configuration can't track a frame ({why(error)}): its sizes don't fit together."
        ) from error


def _track(model: SAM2Base, device: Any) -> None:
    import torch

    size = model.image_size
    image = torch.zeros(1, 3, size, size, device=device)
    _, features, positions, sizes = model._prepare_backbone_features(model.forward_image(image))
    point = {
        "point_coords": torch.zeros(1, 1, 2, device=device),
        "point_labels": torch.ones(1, 1, dtype=torch.int32, device=device),
    }
    mask = torch.ones(1, 1, size, size, device=device)
    for points, masks in ((point, None), (None, mask)):
        outputs: dict[str, dict[int, Any]] = {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
        for t in range(_FRAMES):
            first = t == 0
            given = (points, masks) if first else (None, None)
            output = model.track_step(t, first, features, positions, sizes, *given, outputs, _FRAMES)
            outputs["cond_frame_outputs" if first else "non_cond_frame_outputs"][t] = output
