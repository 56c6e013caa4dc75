"""One clip at a time, with its twin, from videos that are at hand: for the window and for notebooks."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.transforms.catalogue import Catalogue, SequenceEntry, are_related, measure_sequence
from napari_sam2_probe.transforms.footage import Footage
from napari_sam2_probe.transforms.make import compose_clip
from napari_sam2_probe.transforms.plan import ClipSpec, draw_base, plan_on_base
from napari_sam2_probe.transforms.recipe import DEFAULT_LENGTHS, CorruptionSpec, Recipe, clip_name, make_twin_recipe
from napari_sam2_probe.transforms.registry import KINDS
from napari_sam2_probe.video.array import ArraySource
from napari_sam2_probe.video.true_masks import ArrayMasks
from napari_sam2_probe.video.truth import ClipTruth
from napari_sam2_probe.video.video import Video

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.recipe import OptionValue

# So many sets of other sequences are tried: of a large data set, not all masks are read.
_TRIED = 6


@dataclass(frozen=True)
class ClipRequest:
    """What clip is asked for.

    Attributes
    ----------
    sequence, obj_id
        The base and its object of interest.
    kind
        A kind from the registry.
    distractor
        The sequence that foreign footage comes from; None to draw one.
    lengths
        Frames of prefix, interjection and suffix.
    seed
        Decides the window and all that is drawn.
    options
        The kind's own options; what is left out has its default.
    then
        Corruptions that the clip goes through, in turn; its twin goes through the same.
    """

    sequence: str
    obj_id: int
    kind: str
    distractor: str | None = None
    lengths: tuple[int, int, int] = DEFAULT_LENGTHS
    seed: int = 0
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    then: tuple[CorruptionSpec, ...] = ()

    @property
    def order(self) -> ClipSpec:
        """What a data set of such clips is made by."""
        return ClipSpec(self.kind, self.seed, self.lengths, dict(self.options), self.then)


@dataclass(frozen=True)
class MadeClip:
    """A clip and its recipe."""

    recipe: Recipe
    clip: Clip
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def name(self) -> str:
        """What it is called where it is shown."""
        base = self.recipe.base
        return f"{base.sequence} object {base.object_id} {self.recipe.kind}"

    @property
    def truth(self) -> ClipTruth:
        """What the recipe tells of every frame, as a data set's tables would."""
        clip, recipe = self.clip, self.recipe
        name = clip_name(recipe.kind, recipe.number)
        twin = None if recipe.kind == "clean" else clip_name("clean", recipe.number)
        return ClipTruth(
            name,
            clip.object_present,
            clip.context_present,
            clip.obscured_fraction,
            clip.source_sequence,
            clip.source_frame,
            {"clip": name, "twin": twin, **recipe.to_dict()},
        )

    def video(self) -> Video:
        """Return it as a video with its true masks and its truth; frames are drawn when they are read."""
        frames = ArraySource(_DrawnFrames(self.clip, self._lock), name=self.name)
        return Video(frames, ArrayMasks(self.clip.masks, frames), self.truth)


class _DrawnFrames:
    """The frames of a clip as an array (T, H, W, 3), each drawn when it is indexed, one at a time."""

    def __init__(self, clip: Clip, lock: threading.Lock) -> None:
        self.shape = (*clip.masks.shape, 3)
        self.dtype = np.dtype(np.uint8)
        self._clip = clip
        # What is drawn from is kept in one memory, which a clip shares with its twin.
        self._lock = lock

    def __getitem__(self, frame_idx: int) -> NDArray[np.uint8]:
        with self._lock:
            return self._clip.frame(frame_idx)


class ClipMaker:
    """Makes clips from videos with masks; what was measured and decoded is kept for the next. For one thread.

    Parameters
    ----------
    videos
        The videos by name, such as a `napari_sam2_probe.video.DavisDataset`.
    all_unrelated
        Whether every video may be put into every other. Else names tell which have to do with each other; see
        `napari_sam2_probe.transforms.catalogue.are_related`.
    """

    def __init__(self, videos: Mapping[str, Video], *, all_unrelated: bool = False) -> None:
        self.videos = videos
        self._all_unrelated = all_unrelated
        self._footage = Footage(videos)
        self._measured: dict[str, SequenceEntry] = {}
        self._lock = threading.Lock()

    def object_ids(self, sequence: str) -> list[int]:
        """Return the objects of a sequence.

        Raises
        ------
        InputError
            If it can't be read.
        """
        return [track.object_id for track in self._measure(sequence).tracks]

    def unrelated(self, sequence: str) -> list[str]:
        """Return the videos that have nothing to do with this one."""
        if self._all_unrelated:
            return [name for name in self.videos if name != sequence]
        return unrelated(self.videos, sequence)

    def make(self, request: ClipRequest) -> MadeClip:
        """Make the clip.

        Raises
        ------
        InputError
            If the object is not in as many frames in a row, or no foreign footage fits.
        """
        entry = self._measure(request.sequence)
        chosen = tuple(track for track in entry.tracks if track.object_id == request.obj_id)
        base = draw_base(Catalogue((replace(entry, tracks=chosen),)), request.order, 0)
        refusals: list[InputError] = []
        for names in self._distractors(request):
            catalogue = Catalogue((entry, *(self._measure(name) for name in names)), self._all_unrelated)
            try:
                recipe = plan_on_base(catalogue, self._footage, request.order, 0, base)
            except InputError as error:
                refusals.append(error)
                continue
            return MadeClip(recipe, compose_clip(recipe, self._footage), self._lock)
        raise refusals[-1]

    def twin(self, made: MadeClip) -> MadeClip:
        """Make the clean twin of a clip: the same base without the change."""
        recipe = make_twin_recipe(made.recipe)
        return MadeClip(recipe, compose_clip(recipe, self._footage), self._lock)

    def _distractors(self, request: ClipRequest) -> list[tuple[str, ...]]:
        """Return sets of sequences to take foreign footage from, to be tried in turn."""
        count = count_others(request.kind, request.options)
        if not count:
            return [()]
        if request.distractor is not None:
            return [(request.distractor,)]
        names = self.unrelated(request.sequence)
        if not names:
            raise InputError(f"There is no video that is unrelated to {request.sequence}: add some.")
        drawn = np.random.default_rng(request.seed).permutation(names).tolist()
        return [tuple(drawn[start : start + count]) for start in range(0, len(drawn), count)][:_TRIED]

    def _measure(self, name: str) -> SequenceEntry:
        if name not in self._measured:
            self._measured[name] = measure_sequence(name, self._footage.sequence(name))
        return self._measured[name]


def count_others(kind: str, options: Mapping[str, Any]) -> int:
    """Return from how many other sequences clips of this kind take footage.

    Raises
    ------
    InputError
        If there is no such kind, or an option can't be taken.
    """
    transform = KINDS.find(kind)
    return transform.count_others(transform.typed(options))


def unrelated(videos: Mapping[str, Video], sequence: str) -> list[str]:
    """Return the videos that, by their names, have nothing to do with this one."""
    return [name for name in videos if not are_related(name, sequence)]
