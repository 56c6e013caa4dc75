"""The recipe of a clip: everything that decides its pixels, as plain numbers that go through JSON unchanged."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.reading import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

OptionValue = str | int | float
"""An option's value; kinds and corruptions declare which one they take."""

DEFAULT_LENGTHS = (12, 4, 12)
"""Frames of prefix, interjection and suffix (the paper, section 3.1.1)."""


@dataclass(frozen=True, slots=True)
class Base:
    """What a clip is made from: consecutive frames of one sequence and an object in them.

    Attributes
    ----------
    sequence
        Name of the sequence.
    start
        Index of its first frame.
    object_id
        The object's id in the sequence's masks.
    """

    sequence: str
    start: int
    object_id: int


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a cut-out lies: source pixel (X, Y) is drawn at ``scale * (X, Y) + (x, y) + t * (dx, dy)`` in frame t.

    The same similarity for the whole source frame, so that a cut-out keeps its own motion.

    Attributes
    ----------
    scale
        Size in the clip over size in the source.
    x, y
        Offset in frame 0 of the clip, in pixels.
    dx, dy
        Drift in pixels a frame.
    """

    scale: float
    x: float
    y: float
    dx: float
    dy: float

    def offset(self, frame_idx: int) -> tuple[float, float]:
        """Return the offset (x, y) in frame `frame_idx` of the clip."""
        return self.x + self.dx * frame_idx, self.y + self.dy * frame_idx


@dataclass(frozen=True, slots=True)
class Distractor:
    """Footage that comes from elsewhere: whole frames, or an object that is cut out of them.

    Attributes
    ----------
    sequence, start
        The sequence and the frame that is used first.
    object_id
        The object that is cut out, or None where whole frames are used.
    placement
        Where the cut-out goes, or None where whole frames are used.
    """

    sequence: str
    start: int
    object_id: int | None = None
    placement: Placement | None = None


@dataclass(frozen=True, slots=True)
class CorruptionSpec:
    """A corruption of the finished clip, beyond the paper.

    Attributes
    ----------
    name
        A name from the registry's corruptions.
    options
        Its options, all of them.
    """

    name: str
    options: Mapping[str, OptionValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a clip is made of; the same recipe on the same footage gives the same pixels.

    Attributes
    ----------
    kind
        A kind from the registry.
    base
        Sequence, window and object.
    lengths
        Frames of prefix, interjection and suffix.
    seed, number
        The data set's seed and the clip's number in it; corruptions draw their noise from both.
    distractors
        Foreign footage in the order in which it is drawn (later lies on top).
    options
        The kind's options, all of them.
    then
        Corruptions, applied in this order.
    """

    kind: str
    base: Base
    lengths: tuple[int, int, int] = DEFAULT_LENGTHS
    seed: int = 0
    number: int = 0
    distractors: tuple[Distractor, ...] = ()
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    then: tuple[CorruptionSpec, ...] = ()

    @property
    def num_frames(self) -> int:
        """Number of frames before corruptions."""
        return sum(self.lengths)

    @property
    def interjection(self) -> range:
        """The frames in which the paper's change happens: 12 to 15 by default."""
        prefix, interjection, _ = self.lengths
        return range(prefix, prefix + interjection)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain dicts, lists, strings and numbers."""
        return asdict(self)

    def to_json(self) -> str:
        """Return the recipe as one line of JSON; `from_json` gives an equal recipe back."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    @staticmethod
    def from_dict(fields: Mapping[str, Any]) -> Recipe:
        """Make a recipe from what `to_dict` returned; other keys than a recipe's are ignored.

        Raises
        ------
        InputError
            If a field is missing or is no recipe's.
        """
        try:
            prefix, interjection, suffix = fields["lengths"]
            return Recipe(
                kind=fields["kind"],
                base=Base(**fields["base"]),
                lengths=(prefix, interjection, suffix),
                seed=fields["seed"],
                number=fields["number"],
                distractors=tuple(_distractor(distractor) for distractor in fields["distractors"]),
                options=dict(fields["options"]),
                then=tuple(
                    CorruptionSpec(corruption["name"], dict(corruption["options"])) for corruption in fields["then"]
                ),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"This is not a clip's recipe ({type(error).__name__}: {error}): take a line of a clips.jsonl."
            ) from error

    @staticmethod
    def from_json(text: str) -> Recipe:
        """Make a recipe from what `to_json` returned, or from a line of ``clips.jsonl``.

        Raises
        ------
        InputError
            If the text is no JSON, or no recipe.
        """
        try:
            fields = parse_json(text)
        except ValueError as error:
            raise InputError(f"This is not a clip's recipe ({error}): take a line of a clips.jsonl.") from error
        return Recipe.from_dict(fields)


def make_twin_recipe(recipe: Recipe) -> Recipe:
    """Return the recipe of the clip's twin: the same base, of the same length, with the same corruptions and no change.

    For ``object-removal`` the twin is the same base too, so it shares the context but not the object of interest
    (that object belongs to the change). To compare with the pasted object never being removed, give the recipe
    the lengths (28, 0, 0): nothing else in it changes.
    """
    return Recipe(
        kind="clean",
        base=recipe.base,
        lengths=recipe.lengths,
        seed=recipe.seed,
        number=recipe.number,
        then=recipe.then,
    )


def clip_name(kind: str, number: int) -> str:
    """Return the name of clip `number` of a data set of this kind."""
    return f"{kind}-{number:05d}"


def _distractor(fields: Mapping[str, Any]) -> Distractor:
    placement = fields["placement"]
    return Distractor(
        fields["sequence"],
        fields["start"],
        fields["object_id"],
        None if placement is None else Placement(**placement),
    )
