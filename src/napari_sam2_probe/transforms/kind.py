"""What a kind of clip and a corruption are: a class each, which says of itself all that anybody has to know.

A kind is added by one module: in `napari_sam2_probe.transforms.kinds`, or in a package of one's own that announces its
class as an entry point of the group ``napari_sam2_probe.transforms``.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.transforms.options import NoOptions, declared_options, read_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.draw import SamplingContext
    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.options import Option
    from napari_sam2_probe.transforms.recipe import Distractor, OptionValue, Recipe

OptionsT = TypeVar("OptionsT")

# What `make_clip` takes beside a kind's options.
_TAKEN_OPTIONS = frozenset({"video", "kind", "object_id", "seed", "others", "lengths", "then"})


class Described(ABC, Generic[OptionsT]):
    """What kinds and corruptions have in common: a name, words for people, and options.

    Attributes
    ----------
    name
        Lower case words joined by ``-``: the name on the command line and in recipes.
    title
        What lists and figures call it.
    description
        What happens, in one line without a full stop.
    options_type
        A dataclass of its options, every field a `typing.Literal` of words or a `number`, with a default.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    options_type: ClassVar[type[Any]] = NoOptions

    @property
    def options(self) -> dict[str, Option]:
        """Its options by name."""
        return declared_options(self.options_type)

    def read_options(self, given: Mapping[str, object] | None = None) -> dict[str, OptionValue]:
        """Return all options, with the values or texts that are given for some of them.

        Raises
        ------
        InputError
            If there is no such option, or a value can't be taken.
        """
        return read_options(self.name, self.options, given or {})

    def typed(self, options: Mapping[str, OptionValue]) -> OptionsT:
        """Return options as they stand in a recipe as an instance of `options_type`.

        Raises
        ------
        InputError
            As in `read_options`.
        """
        made: OptionsT = self.options_type(**self.read_options(options))
        return made


class Transform(Described[OptionsT]):
    """A kind of clip: what happens to an object of interest and its context (the paper, section 3.1).

    Derive from it, fill in what is named below, and register the class (`register_transform`, or an entry point).

    Attributes
    ----------
    name, title, description, options_type
        As in `Corruption`.
    object_present
        When the object of interest is in the frame (fully hidden still counts): ``"always"``, or everywhere but in the
        interjection.
    keeps_time
        Whether frame t of every clip comes from frame t of its base. Else ``source_frame`` says which it is.
    masks_of_others
        Whether footage from elsewhere needs masks of an object, because it is cut out; else its frames do.
    overlays
        Whether all footage from elsewhere is laid on the base, over its object.
    kept
        The kind whose clip of the same number shows the same without the change in the interjection: what a changed
        frame is compared with, frame by frame. Empty where nothing changes there, or nothing else is the same.
    section
        The section of the paper that describes it; empty for kinds beyond the paper.
    stream
        Number of the random stream that clips are drawn from. None: it follows from the name. Kinds with the same
        number draw the same footage for the same base.
    """

    object_present: ClassVar[Literal["always", "not in the interjection"]] = "always"
    keeps_time: ClassVar[bool] = True
    masks_of_others: ClassVar[bool] = False
    overlays: ClassVar[bool] = False
    kept: ClassVar[str] = ""
    section: ClassVar[str] = ""
    stream: ClassVar[int | None] = None

    def count_others(self, options: OptionsT) -> int:
        """Return from how many other sequences a clip takes footage; 0 if it is made from its base alone."""
        return 0

    def draw(self, context: SamplingContext, options: OptionsT) -> tuple[Distractor, ...]:
        """Draw the footage from elsewhere for a clip whose base is given, and where it goes.

        All that is random about a clip is decided here, by ``context.rng``; the recipe keeps it.

        Raises
        ------
        InputError
            If nothing fits.
        """
        return ()

    @abstractmethod
    def render(self, recipe: Recipe, footage: Footage, options: OptionsT) -> Clip:
        """Make the clip of a recipe, without its corruptions: the same recipe gives the same pixels.

        Most begin with `napari_sam2_probe.transforms.overlay.base_clip` and change some of it.
        """

    @property
    def random_stream(self) -> int:
        """The number of its random stream: `stream`, or what follows from the name."""
        if self.stream is not None:
            return self.stream
        return int.from_bytes(hashlib.sha256(self.name.encode()).digest()[:8], "little")

    def present_frames(self, lengths: tuple[int, int, int]) -> NDArray[np.bool_]:
        """Return in which frames (T,) the object of interest is, by `object_present`."""
        prefix, interjection, _ = lengths
        present = np.ones(sum(lengths), np.bool_)
        if self.object_present != "always":
            present[prefix : prefix + interjection] = False
        return present


class Corruption(Described[OptionsT]):
    """A further transformation of a finished clip of any kind, beyond the paper.

    Corruptions compose with every kind, in any order. Where pixels move, masks move with them; ``obscured_fraction``
    stays what it was before.

    Attributes
    ----------
    name, title, description, options_type
        As in the class above.
    unfit
        Why an experiment, which compares frames with those of the clean clip at the same time, can't use it: what it
        does, after "it" or "which". Empty if it can.
    """

    unfit: ClassVar[str] = ""

    @abstractmethod
    def apply(self, clip: Clip, options: OptionsT, rng: np.random.Generator) -> Clip:
        """Return the changed clip; `clip` itself stays as it is."""


def check_described(cls: type[Described[Any]]) -> None:
    """Raise an InputError if a class doesn't say of itself what is needed."""
    for attribute in ("name", "title", "description"):
        value = getattr(cls, attribute, None)
        if not isinstance(value, str) or not value.strip() or "\n" in value:
            raise InputError(
                f"{cls.__name__} needs a {attribute}: give the class {attribute} = '...', one line of text."
            )
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", cls.name):
        raise InputError(f"{cls.__name__} can't be called {cls.name!r}: use lower case words joined by '-'.")
    taken = sorted(_TAKEN_OPTIONS & declared_options(cls.options_type).keys())
    if taken:
        raise InputError(f"The option {taken[0]} of {cls.name} can't be called that: clips have a {taken[0]} already.")
