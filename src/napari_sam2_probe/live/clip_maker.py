"""One clip with its clean twin, made from an object of a sequence; it reads files and computes, so it takes a while."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.runs.known import OBJECT_OF_INTEREST, KnownFrames
from napari_sam2_probe.transforms.catalogue import Catalogue, SequenceEntry, are_related, measure_sequence
from napari_sam2_probe.transforms.footage import Footage
from napari_sam2_probe.transforms.make import make_clip
from napari_sam2_probe.transforms.plan import Order, draw_base, plan_on_base
from napari_sam2_probe.transforms.recipe import DEFAULT_LENGTHS, Extra, Recipe, clip_name, make_twin_recipe
from napari_sam2_probe.transforms.registry import KINDS
from napari_sam2_probe.video import ArraySource, DavisDataset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.recipe import OptionValue
    from napari_sam2_probe.video import Sequence

_TRIED_DISTRACTORS = 6


@dataclass(frozen=True)
class ClipRequest:
    """What the user has chosen.

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
        Extras that the clip goes through, in turn; its twin goes through the same.
    """

    sequence: str
    obj_id: int
    kind: str
    distractor: str | None = None
    lengths: tuple[int, int, int] = DEFAULT_LENGTHS
    seed: int = 0
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    then: tuple[Extra, ...] = ()

    @property
    def order(self) -> Order:
        """What a data set of such clips is made by."""
        return Order(self.kind, self.seed, self.lengths, dict(self.options), self.then)


@dataclass(frozen=True)
class MadeClip:
    """A clip, with what is known of its frames."""

    recipe: Recipe
    clip: Clip

    @property
    def name(self) -> str:
        """What its layers are called."""
        base = self.recipe.base
        return f"{base.sequence} object {base.object_id} {self.recipe.kind}"

    @property
    def known(self) -> KnownFrames:
        """What the recipe tells of every frame, as a data set's tables would."""
        clip, recipe = self.clip, self.recipe
        name = clip_name(recipe.kind, recipe.number)
        twin = None if recipe.kind == "clean" else clip_name("clean", recipe.number)
        return KnownFrames(
            name,
            clip.object_present,
            clip.context_present,
            clip.obscured_fraction,
            clip.source_sequence,
            clip.source_frame,
            {"clip": name, "twin": twin, **recipe.to_dict()},
        )


class ClipSequence:
    """A made clip in the shape of a `video.Sequence`: frames, and true masks of every one of them."""

    def __init__(self, made: MadeClip) -> None:
        self.frames = ArraySource(made.clip.frames, name=made.name)
        self.name = made.name
        self.num_frames = made.clip.num_frames
        self._masks = made.clip.masks

    def has_mask(self, frame_idx: int) -> bool:
        """Return True: every frame has one."""
        return 0 <= frame_idx < self.num_frames

    def mask(self, frame_idx: int) -> NDArray[np.uint8]:
        """Return the label image (H, W) of a frame."""
        labels: NDArray[np.uint8] = self._masks[frame_idx]
        return labels

    def object_ids(self) -> list[int]:
        """Return the id of the object of interest."""
        return [OBJECT_OF_INTEREST]


class ClipMaker:
    """Makes clips from one data set; what was measured and decoded is kept for the next. For one thread."""

    def __init__(self, dataset: DavisDataset) -> None:
        self.dataset = dataset
        self._footage = Footage(dataset)
        self._measured: dict[str, SequenceEntry] = {}

    def object_ids(self, sequence: str) -> list[int]:
        """Return the objects of a sequence.

        Raises
        ------
        InputError
            If it can't be read.
        """
        return [track.object_id for track in self._measure(sequence).tracks]

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
        for distractors in self._distractors(request):
            catalogue = Catalogue((entry, *(self._measure(name) for name in distractors)))
            try:
                recipe = plan_on_base(catalogue, self._footage, request.order, 0, base)
            except InputError as error:
                refusals.append(error)
                continue
            return MadeClip(recipe, make_clip(recipe, self._footage))
        raise refusals[-1]

    def twin(self, made: MadeClip) -> MadeClip:
        """Make the clean twin of a clip: the same base without the change."""
        recipe = make_twin_recipe(made.recipe)
        return MadeClip(recipe, make_clip(recipe, self._footage))

    def _distractors(self, request: ClipRequest) -> list[tuple[str, ...]]:
        """Return sets of sequences to take foreign footage from, to be tried in turn."""
        if not needs_distractor(request.kind, request.options):
            return [()]
        if request.distractor is not None:
            return [(request.distractor,)]
        names = unrelated(self.dataset, request.sequence)
        if not names:
            raise InputError(f"{self.dataset.root} has no sequence that is unrelated to {request.sequence}: add some.")
        drawn = np.random.default_rng(request.seed).permutation(names).tolist()
        size = count_others(request.kind, request.options)
        return [tuple(drawn[start : start + size]) for start in range(0, len(drawn), size)][:_TRIED_DISTRACTORS]

    def _measure(self, name: str) -> SequenceEntry:
        if name not in self._measured:
            self._measured[name] = measure_sequence(name, self._footage.sequence(name))
        return self._measured[name]


def needs_distractor(kind: str, options: Mapping[str, OptionValue]) -> bool:
    """Whether clips of this kind take footage from another sequence."""
    return count_others(kind, options) > 0


def count_others(kind: str, options: Mapping[str, OptionValue]) -> int:
    """Return from how many other sequences clips of this kind take footage."""
    transform = KINDS.find(kind)
    return transform.count_others(transform.typed(options))


def unrelated(dataset: DavisDataset, sequence: str) -> list[str]:
    """Return the sequences of a data set that have nothing to do with this one."""
    return [name for name in dataset.names if not are_related(name, sequence)]


def dataset_of(sequence: Sequence) -> DavisDataset:
    """Return the data set that an opened sequence belongs to.

    Raises
    ------
    InputError
        If its folder is in none.
    """
    folder = sequence.frames.files[0].parent
    for root in (folder.parents[2], folder.parents[1]):
        try:
            dataset = DavisDataset(root)
        except InputError:
            continue
        if folder.name in dataset.names:
            return dataset
    raise InputError(f"{folder} is not part of a data set in DAVIS layout: open a sequence of one in the Video panel.")
