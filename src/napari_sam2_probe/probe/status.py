"""What a status code in a run means at each position, in words for titles and tooltips."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam2_probe.probe.positions import BY_KEY
from napari_sam2_probe.tracking.observer import PROMPTED_KINDS, PassKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam2_probe.probe.positions import Stage

__all__ = ["PROMPTED_KINDS", "PassKind", "describe_status"]

_AT_STAGE: Mapping[Stage, Mapping[PassKind, str]] = {
    "memory attention": {
        PassKind.POINT_PROMPT: "memory attention did not run on this initial prompt: the plain image feature",
        PassKind.MASK_PROMPT: "memory attention did not run on this mask prompt: the plain image feature",
    },
    "mask decoder": {
        PassKind.MASK_PROMPT: "the prompted mask is the output; the decoder ran only to make the pointer",
    },
}
_GENERAL = {
    PassKind.NOT_RUN: "did not run",
    PassKind.TRACKED: "tracked from memory",
    PassKind.POINT_PROMPT: "prompted with points or a box",
    PassKind.CORRECTION: "corrected with points or a box",
    PassKind.MASK_PROMPT: "prompted with a mask",
}


def describe_status(key: str, status: int) -> str:
    """Return what gave a position its value on a frame.

    Parameters
    ----------
    key
        The position's key.
    status
        The code stored in ``status/<key>``.
    """
    kind = PassKind(status)
    at_stage = _AT_STAGE.get(BY_KEY[key].stage, {}) if key in BY_KEY else {}
    return at_stage.get(kind, _GENERAL[kind])
