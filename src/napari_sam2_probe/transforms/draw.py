"""Random draws of foreign footage for a clip whose base is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.transforms.recipe import Distractor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam2_probe.transforms.catalogue import Catalogue, ObjectTrack, Windows
    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.recipe import Base

_T = TypeVar("_T")

ATTEMPTS = 200
"""How often a draw is repeated until it meets its conditions; in DAVIS few need more than ten."""

# Beyond this enlargement a cut-out is visibly softer than what is around it.
_MAXIMUM_SCALE = 1.5
# Below this share of its frame an object is too coarse to be a cut-out.
_MINIMUM_SOURCE_SHARE = 0.005


@dataclass(frozen=True, slots=True)
class SamplingContext:
    """What a kind draws the footage of one clip from.

    Attributes
    ----------
    rng
        The clip's own random stream.
    catalogue, footage
        What there is, and its pixels.
    base
        The clip's base.
    lengths
        Frames of prefix, interjection and suffix.
    """

    rng: np.random.Generator
    catalogue: Catalogue
    footage: Footage
    base: Base
    lengths: tuple[int, int, int]

    @property
    def num_frames(self) -> int:
        """Number of frames of the clip."""
        return sum(self.lengths)

    @property
    def base_track(self) -> ObjectTrack:
        """The object of the base."""
        return self.catalogue.track(self.base.sequence, self.base.object_id)


def draw_frames(context: SamplingContext, num_frames: int) -> Distractor:
    """Draw consecutive frames of a sequence unrelated to the base.

    Raises
    ------
    InputError
        If no unrelated sequence is long enough.
    """
    long_enough = [
        entry for entry in context.catalogue.unrelated(context.base.sequence) if entry.num_frames >= num_frames
    ]
    if not long_enough:
        raise _nothing_unrelated(context, f"has {num_frames} frames")
    entry = _pick(context.rng, long_enough)
    return Distractor(entry.name, int(context.rng.integers(entry.num_frames - num_frames + 1)))


def draw_source(context: SamplingContext, size: float) -> tuple[ObjectTrack, int]:
    """Draw an object of an unrelated sequence, and a window over the clip's length, to be cut out.

    Objects that stay clear of the frame's border (else they would have straight edges) and need no strong
    enlargement are preferred.

    Parameters
    ----------
    context
        What to draw from.
    size
        The square root of the area that the cut-out shall have, in pixels.

    Returns
    -------
    tuple
        The object's track and the window's first frame.

    Raises
    ------
    InputError
        If no unrelated sequence has an object in so many frames in a row.
    """
    length = context.num_frames
    tracks = [track for entry in context.catalogue.unrelated(context.base.sequence) for track in entry.tracks]
    windows = [(track, track.windows(length)) for track in tracks]
    sharp = ((track, _sharp_starts(track, found, size)) for track, found in windows)
    whole = ((track, found.whole) for track, found in windows)
    present = ((track, found.present) for track, found in windows)
    for choices in (sharp, whole, present):
        fitting = [(track, starts) for track, starts in choices if len(starts)]
        if fitting:
            # First the sequence, then the object: a sequence with many objects counts once.
            sequence = _pick(context.rng, sorted({track.sequence for track, _ in fitting}))
            track, starts = _pick(context.rng, [choice for choice in fitting if choice[0].sequence == sequence])
            return track, int(_pick(context.rng, starts.tolist()))
    raise _nothing_unrelated(context, f"has an object in {length} frames in a row")


def _sharp_starts(track: ObjectTrack, windows: Windows, size: float) -> NDArray[np.int64]:
    """Return the windows in which the object is complete, and large enough for a cut-out of this size."""
    large = windows.whole_areas >= _MINIMUM_SOURCE_SHARE * track.height * track.width
    return windows.whole[large & (size <= _MAXIMUM_SCALE * np.sqrt(windows.whole_areas))]


def _nothing_unrelated(context: SamplingContext, lack: str) -> InputError:
    if context.catalogue.all_unrelated:
        return InputError(f"None of the other videos {lack}: give others that do.")
    return InputError(
        f"No sequence unrelated to {context.base.sequence} {lack}: add sequences of other subjects to the data set."
    )


def _pick(rng: np.random.Generator, items: list[_T]) -> _T:
    return items[int(rng.integers(len(items)))]
