"""A position: the mask decoder's object-score token, of which SAM 2 reads whether the object is there."""

from __future__ import annotations

from napari_sam2_probe.probe.positions import VECTOR, Position
from napari_sam2_probe.tracking.observer import Tap

SCORE_TOKEN = Position(
    "3s",
    "score_token",
    "Object-score token",
    VECTOR,
    # The transformer puts out tokens and image; the first token is that of the object score.
    tap=Tap("sam_mask_decoder.transformer", lambda output: output[0][:, 0]),
)
