"""Draw the recipes of a data set: clip k of every kind under one seed has the same base."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.transforms.draw import SamplingContext
from napari_sam2_probe.transforms.make import BASE_STREAM, KIND_STREAM
from napari_sam2_probe.transforms.recipe import DEFAULT_LENGTHS, Base, CorruptionSpec, Recipe
from napari_sam2_probe.transforms.registry import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam2_probe.transforms.catalogue import Catalogue, ObjectTrack
    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.recipe import OptionValue


DRAWING = 2
"""How bases are drawn: clips that were drawn otherwise have other bases under the same seed, and don't mix."""


@dataclass(frozen=True, slots=True)
class ClipSpec:
    """What clips to make; with a data set and a clip's number it decides a recipe.

    Attributes
    ----------
    kind
        A kind from the registry.
    seed
        Clip k of every kind under one seed has the same base.
    lengths
        Frames of prefix, interjection and suffix.
    options
        The kind's options; what is left out has its default. A data set says all of them.
    then
        Corruptions, applied in this order.
    """

    kind: str
    seed: int = 0
    lengths: tuple[int, int, int] = DEFAULT_LENGTHS
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    then: tuple[CorruptionSpec, ...] = ()


def draw_base(catalogue: Catalogue, order: ClipSpec, number: int) -> Base:
    """Draw the base of clip `number`: evenly over sequences, and none twice as long as there are others left.

    Every round goes through all sequences that have bases left, in random order, and takes one of each; within a
    sequence its objects take turns, each in a random order of its windows. When all bases are drawn it begins again.
    The first clips of a large data set are those of a small one.

    The object is in all frames of the window, and covers at least 0.2 % of the first.

    Raises
    ------
    InputError
        If no sequence has such a window.
    """
    length = sum(order.lengths)
    tracks: dict[str, list[ObjectTrack]] = {}
    for entry in catalogue.entries:
        tracks[entry.name] = [track for track in entry.tracks if len(track.base_starts(length))]
    counts = {name: sum(len(t.base_starts(length)) for t in own) for name, own in tracks.items() if own}
    if not counts:
        raise InputError(catalogue.why_no_window(length))
    again, turn = divmod(number, sum(counts.values()))
    taken = 0
    while turn >= len(left := [name for name, count in counts.items() if count > taken]):
        turn -= len(left)
        taken += 1
    rng = np.random.default_rng([order.seed, again, taken, BASE_STREAM])
    name = left[int(rng.permutation(len(left))[turn])]
    return _in_turn(tracks[name], length, np.random.default_rng([order.seed, again, _code(name), BASE_STREAM]))[taken]


def _in_turn(tracks: list[ObjectTrack], length: int, rng: np.random.Generator) -> list[Base]:
    """Return all bases of a sequence in the order in which they are taken."""
    of_track = [
        [Base(track.sequence, int(start), track.object_id) for start in rng.permutation(track.base_starts(length))]
        for track in tracks
    ]
    first = rng.permutation(len(of_track)).tolist()
    rounds = range(max(map(len, of_track)))
    return [of_track[index][turn] for turn in rounds for index in first if turn < len(of_track[index])]


def _code(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "little")


def plan_recipe(catalogue: Catalogue, footage: Footage, order: ClipSpec, number: int) -> Recipe:
    """Draw the recipe of one clip; it depends on nothing but its arguments.

    Parameters
    ----------
    catalogue
        What the data set holds (`napari_sam2_probe.transforms.catalogue`).
    footage
        The data set itself: paths over the object of interest are tried out on its masks.
    order
        What to make.
    number
        The clip's number in the data set.

    Raises
    ------
    InputError
        If the data set has no fitting base, or nothing unrelated to it.
    """
    return plan_on_base(catalogue, footage, order, number, draw_base(catalogue, order, number))


def plan_on_base(catalogue: Catalogue, footage: Footage, order: ClipSpec, number: int, base: Base) -> Recipe:
    """Draw the rest of a recipe whose base is chosen: foreign footage, and where it goes.

    Parameters
    ----------
    catalogue, footage, order, number
        As in `plan_recipe`; the catalogue must hold the base's sequence.
    base
        What the clip is made from.

    Raises
    ------
    InputError
        If the data set has nothing unrelated to the base that fits.
    """
    kind = KINDS.find(order.kind)
    # One stream for each kind: options and lengths don't shift another clip's draws.
    rng = np.random.default_rng([order.seed, number, KIND_STREAM, kind.random_stream])
    options = kind.read_options(order.options)
    context = SamplingContext(rng, catalogue, footage, base, order.lengths)
    return Recipe(
        kind=order.kind,
        base=base,
        lengths=order.lengths,
        seed=order.seed,
        number=number,
        distractors=kind.draw(context, kind.typed(options)),
        options=options,
        then=order.then,
    )
