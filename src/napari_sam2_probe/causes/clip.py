"""All causes of one clip of a data set: blame of some frames, patches from its twin, edits after the change."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.causes.explain import blame
from napari_sam2_probe.causes.pairs import WHOLE_TENSORS, Pair, match_frames
from napari_sam2_probe.causes.patches import count_patch_passes, patch_effects
from napari_sam2_probe.causes.suffix import count_suffix_passes, suffix_effects
from napari_sam2_probe.causes.tables import count_blame_passes
from napari_sam2_probe.tracking.donors import SessionDonor
from napari_sam2_probe.tracking.intervening import Intervention
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.tracking.repeating import planned_steps
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.video.truth import OBJECT_OF_INTEREST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from napari_sam2_probe.families.loaded import Model
    from napari_sam2_probe.video.source import FrameSource
    from napari_sam2_probe.video.truth import ClipTruth

_FEATURE_BUDGET = 2 * 2**30
"""Bytes of image features kept: every frame is visited many times."""


@dataclass(frozen=True)
class CausedClip:
    """A clip as it is needed here.

    Attributes
    ----------
    frames
        The video.
    true_masks
        (T, H, W) bool, the visible object of interest; the first one is the prompt.
    truth
        What the recipe tells of its frames.
    """

    frames: FrameSource
    true_masks: NDArray[np.bool_]
    truth: ClipTruth


@dataclass
class ClipCauses:
    """Rows of three tables.

    Attributes
    ----------
    blame
        Rows of `causes.explain.blame`.
    patches
        Rows of `patch_effects`; none without a twin.
    suffix
        Rows of `suffix_effects`; none without a twin, or a change that ends before the clip does.
    """

    blame: list[dict[str, Any]] = field(default_factory=list)
    patches: list[dict[str, Any]] = field(default_factory=list)
    suffix: list[dict[str, Any]] = field(default_factory=list)


def blamed_frames(lengths: tuple[int, int, int]) -> list[int]:
    """Return the frames of a clip that are blamed: before, in and after the change, and far from it."""
    prefix, interjection, suffix = lengths
    end = prefix + interjection
    frames = {prefix - 1, prefix, end - 1, end, end + suffix // 2, end + suffix - 1}
    return sorted(t for t in frames if 1 <= t < end + suffix)


def explain_clip(
    loaded: Model,
    clip: CausedClip,
    twin: CausedClip | None,
    lengths: tuple[int, int, int],
    *,
    changes: bool = True,
    passed: Callable[[], None] = lambda: None,
) -> ClipCauses:
    """Track a clip and its twin as experiments do, and find out what caused the clip's masks.

    Parameters
    ----------
    loaded
        The model.
    clip
        The clip.
    twin
        The same clip without the change, for patches; None if there is none.
    lengths
        Frames of prefix, interjection and suffix.
    changes
        Whether the clip is changed in its interjection, so that the frames after it are of interest.
    passed
        Called now and then, for whoever shows that work goes on.
    """
    found = ClipCauses()
    with ExitStack() as stack:
        tracked = stack.enter_context(_tracked(loaded, clip, "The clip", ()))
        tracked.finish()
        for frame in blamed_frames(lengths):
            found.blame += blame(tracked.session, frame, OBJECT_OF_INTEREST, _truth(clip)(frame))
            passed()
        if twin is None:
            return found
        other = stack.enter_context(_tracked(loaded, twin, "The twin", WHOLE_TENSORS))
        other.finish()
        match = match_frames(clip.truth, twin.truth)
        pair = Pair(tracked, other, OBJECT_OF_INTEREST, match, _truth(clip), _truth(twin))
        found.patches = patch_effects(pair, passed=passed)
        prefix, interjection, suffix = lengths
        if changes and interjection and suffix:
            found.suffix = suffix_effects(pair, range(prefix, prefix + interjection), passed=passed)
    return found


def count_passes(lengths: tuple[int, int, int], *, has_twin: bool, changes: bool) -> int:
    """Return how many passes of a frame `explain_clip` makes at most, tracking of clip and twin included."""
    num_frames = sum(lengths)
    # SAM 2 reads seven memories and sixteen pointers at most.
    passes = num_frames + sum(count_blame_passes(min(t, 7) + min(t, 16)) for t in blamed_frames(lengths))
    if has_twin:
        passes += num_frames + count_patch_passes(num_frames) + (count_suffix_passes(lengths) if changes else 0)
    return passes


def _tracked(loaded: Model, clip: CausedClip, name: str, keys: Iterable[str]) -> SessionDonor:
    prompt = Prompt.from_mask(0, OBJECT_OF_INTEREST, clip.true_masks[0])
    options = SessionOptions.for_model(
        loaded, intervention=Intervention(), attention="sampled", feature_budget=_FEATURE_BUDGET
    )
    steps = planned_steps([prompt], [("forward", range(clip.frames.num_frames))])
    return SessionDonor(name, loaded.model, clip.frames, options, steps, keys=keys)


def _truth(clip: CausedClip) -> Callable[[int], NDArray[np.bool_] | None]:
    return lambda frame: np.asarray(clip.true_masks[frame]) if clip.truth.object_present[frame] else None
