"""The trackers of ``transformers`` that can be loaded, and what their folders may ask for."""

from __future__ import annotations

import importlib
import math
import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError, ResourceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from napari_sam2_probe.families.port import PortedSAM2
    from napari_sam2_probe.models.config import ModelFlags

_TIMM = "timm_wrapper"


@dataclass(frozen=True)
class PortKind:
    """A tracker of ``transformers``.

    Attributes
    ----------
    model_type
        What its ``config.json`` calls it.
    name
        What its classes are called, without ``Config`` and ``Model``.
    title
        What a reader calls it.
    parts
        The types that parts of its configuration may have, by the name of the part.
    ported
        Module and class that put it behind a session's methods.
    renamed
        How names of weights may begin in files, and in the model.
    """

    model_type: str
    name: str
    title: str
    parts: Mapping[str, str]
    ported: tuple[str, str]
    renamed: tuple[tuple[str, str], ...] = ()

    @property
    def class_name(self) -> str:
        """The model's class in ``transformers``."""
        return f"{self.name}Model"

    def build(self, settings: dict[str, Any], weights: Mapping[str, Tensor], flags: ModelFlags) -> PortedSAM2:
        """Build the model from its settings and weights, and put it behind a session's methods."""
        import transformers

        config = getattr(transformers, f"{self.name}Config")(**settings)
        # Attention as the original code computes it, on every device.
        model = getattr(transformers, self.class_name)._from_config(config, attn_implementation="sdpa")
        model.load_state_dict(weights)
        module, ported = self.ported
        built: PortedSAM2 = getattr(importlib.import_module(module), ported)(model.float(), flags)
        built.architecture = self.class_name
        built.eval()
        return built


_HERE = "napari_sam2_probe.families"

SAM2 = PortKind(
    "sam2_video",
    "Sam2Video",
    "SAM 2",
    {"vision_config": "sam2_vision_model", "backbone_config": "sam2_hiera_det_model"},
    (f"{_HERE}.port", "PortedSAM2"),
)
KINDS = {
    kind.model_type: kind
    for kind in (
        SAM2,
        PortKind(
            "edgetam_video",
            "EdgeTamVideo",
            "EdgeTAM",
            {"vision_config": "edgetam_vision_model", "backbone_config": _TIMM},
            (f"{_HERE}.port_edgetam", "PortedEdgeTam"),
        ),
        PortKind(
            "sam3_tracker_video",
            "Sam3TrackerVideo",
            "SAM 3's tracker",
            {"vision_config": "sam3_vision_model", "backbone_config": "sam3_vit_model"},
            (f"{_HERE}.port_sam3", "PortedSam3Tracker"),
            (
                ("detector_model.vision_encoder.backbone.", "vision_encoder.backbone."),
                ("tracker_neck.", "vision_encoder.neck."),
            ),
        ),
    )
}
"""All kinds, by what ``config.json`` calls them."""

SAM3_VIDEO = "sam3_video"
"""SAM 3 with its detector, whose folder holds the tracker too."""

# timm builds what a folder names; other names and arguments could fetch or read files.
_ARCHITECTURE = re.compile(r"(timm/)?repvit_[a-z0-9_]+(\.[a-z0-9_]+)?")
_TIMM_ARGUMENTS = {"in_chans", "features_only", "out_indices"}

# No model of SAM 2 or 3 comes near; a file that asks for more is damaged or means harm.
_MOST, _MOST_PIXELS = 16384, 4096


def kind_of(path: Path, settings: Any) -> tuple[PortKind, dict[str, Any]]:
    """Return what kind of model a ``config.json`` describes, and the settings of its class.

    Raises
    ------
    InputError
        If it is none that can be tracked with, or asks for what no such model has.
    """
    found = settings.get("model_type") if isinstance(settings, dict) else None
    if found == SAM3_VIDEO and isinstance(settings.get("tracker_config"), dict):
        settings = settings["tracker_config"]
        found = "sam3_tracker_video"
    kind = KINDS.get(found) if isinstance(found, str) else None
    if kind is None:
        known = ", ".join(f"{kind.title} ({kind.model_type!r})" for kind in KINDS.values())
        raise InputError(f"{path}: this is a model of the type {found!r}, and only these can be tracked with: {known}.")
    _check(path, kind, settings)
    return kind, {name: value for name, value in settings.items() if name not in ("model_type", "auto_map")}


def own_weights(kind: PortKind, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights by the model's own names; SAM 3's files may have others, and hold the detector too."""
    if not kind.renamed:
        return dict(weights)
    own = {}
    for name, tensor in weights.items():
        inner = name.removeprefix("tracker_model.")
        start, target = next((pair for pair in kind.renamed if inner.startswith(pair[0])), ("", ""))
        own_name = target + inner.removeprefix(start)
        if not own_name.startswith("detector_model."):
            own[own_name] = tensor
    return own


def check_encoder(kind: PortKind, settings: dict[str, Any]) -> None:
    """Make sure that the package is there that makes a model's image encoder.

    Raises
    ------
    ResourceError
        If it isn't.
    """
    if _has_timm(settings) and find_spec("timm") is None:
        raise ResourceError(
            f"The package timm, which makes {kind.title}'s encoder, is not installed: install it by 'pip install "
            "napari-sam2-probe[transformers]'."
        )


def _has_timm(settings: dict[str, Any]) -> bool:
    vision = settings.get("vision_config")
    backbone = vision.get("backbone_config") if isinstance(vision, dict) else None
    return isinstance(backbone, dict) and backbone.get("model_type") == _TIMM


def _check(path: Path, kind: PortKind, settings: Any, place: str = "") -> None:
    """Refuse parts of other models, and sizes that would take all memory."""
    if isinstance(settings, dict):
        for name, value in settings.items():
            inner = f"{place}.{name}" if place else str(name)
            if name in kind.parts and isinstance(value, dict):
                _check_part(path, kind, name, value, inner)
            most = _MOST_PIXELS if name == "image_size" else _MOST
            for number in value if isinstance(value, list) else [value]:
                is_number = isinstance(number, int | float) and not isinstance(number, bool)
                if is_number and not (math.isfinite(number) and abs(number) <= most):
                    raise InputError(f"{path}: '{inner}' is {number}, and {kind.title} has at most {most}.")
            _check(path, kind, value, inner)
    elif isinstance(settings, list):
        for value in settings:
            _check(path, kind, value, place)


def _check_part(path: Path, kind: PortKind, name: str, value: dict[str, Any], place: str) -> None:
    found = value.get("model_type", kind.parts[name])
    if found != kind.parts[name]:
        raise InputError(f"{path}: '{place}' is of the type {found!r}, which {kind.title} has not.")
    if found != _TIMM:
        return
    architecture, arguments = value.get("architecture"), value.get("model_args") or {}
    if not isinstance(architecture, str) or not _ARCHITECTURE.fullmatch(architecture):
        raise InputError(f"{path}: '{place}' is {architecture!r}, and {kind.title} has a RepViT.")
    unknown = sorted(set(arguments) - _TIMM_ARGUMENTS) if isinstance(arguments, dict) else ["model_args"]
    if unknown:
        raise InputError(f"{path}: '{place}' has {unknown[0]!r}, which {kind.title} doesn't need.")
