"""What is said about one object on one frame, as a value that can be compared, kept and taken back."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.tracking.prompts import Prompt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

Key = tuple[int, int]
"""Frame and object."""


@dataclass(frozen=True, slots=True)
class PackedMask:
    """A mask (H, W) in little room."""

    shape: tuple[int, int]
    bits: bytes

    @classmethod
    def pack(cls, mask: NDArray[np.bool_]) -> PackedMask:
        """Take a mask (H, W)."""
        return cls((mask.shape[0], mask.shape[1]), zlib.compress(np.packbits(mask).tobytes(), 1))

    def unpack(self) -> NDArray[np.bool_]:
        """Return the mask (H, W)."""
        bits = np.frombuffer(zlib.decompress(self.bits), np.uint8)
        count = self.shape[0] * self.shape[1]
        return np.unpackbits(bits, count=count).reshape(self.shape).astype(bool)


@dataclass(frozen=True, slots=True)
class PromptState:
    """All that is said about one object on one frame.

    Attributes
    ----------
    points
        x, y in pixels of the video (the first pixel's centre is 0.5, 0.5) and label (1 object, 0 not), in the order
        in which they were given.
    box
        x0, y0, x1, y1 in the same pixels, or None.
    mask
        A mask, which stands alone, or None.
    candidate
        Which candidate mask was chosen; None for SAM 2's own choice.
    """

    points: tuple[tuple[float, float, int], ...] = ()
    box: tuple[float, float, float, float] | None = None
    mask: PackedMask | None = None
    candidate: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is no prompt at all."""
        return not self.points and self.box is None and self.mask is None

    @property
    def without_candidate(self) -> PromptState:
        """The prompt alone, without the choice among its candidates."""
        return replace(self, candidate=None)

    def prompt(self, key: Key) -> Prompt:
        """Return it as SAM 2's session takes it."""
        frame_idx, obj_id = key
        if self.mask is not None:
            return Prompt.from_mask(frame_idx, obj_id, self.mask.unpack())
        places = [point[:2] for point in self.points]
        return Prompt.from_points(frame_idx, obj_id, places, [point[2] for point in self.points], self.box)

    def as_applied(self, key: Key) -> PromptState:
        """Return it as a session has it, with numbers in float32."""
        return self if self.is_empty else PromptState.of(self.prompt(key), self.candidate)

    @classmethod
    def of(cls, prompt: Prompt, candidate: int | None = None) -> PromptState:
        """Return the state that a prompt is."""
        if prompt.mask is not None:
            return cls(mask=PackedMask.pack(prompt.mask), candidate=candidate)
        points = tuple((float(x), float(y), int(v)) for (x, y), v in zip(prompt.points, prompt.labels, strict=True))
        box = None
        if prompt.box is not None:
            x0, y0, x1, y1 = (float(edge) for edge in prompt.box)
            box = (x0, y0, x1, y1)
        return cls(points, box, candidate=candidate)


NOTHING = PromptState()
"""Nothing is said."""


def changes_between(
    before: Mapping[Key, PromptState], after: Mapping[Key, PromptState]
) -> dict[Key, tuple[PromptState, PromptState]]:
    """Return what differs, as (before, after) by frame and object."""
    keys = sorted({*before, *after})
    pairs = {key: (before.get(key, NOTHING), after.get(key, NOTHING)) for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
