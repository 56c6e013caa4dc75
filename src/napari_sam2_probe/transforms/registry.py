"""Every kind of clip and every extra, by name. Their modules are imported when they are used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol, cast

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.transforms.options import read_options, split_assignments
from napari_sam2_probe.transforms.recipe import Extra

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from napari_sam2_probe.transforms.clip import Clip
    from napari_sam2_probe.transforms.draw import Draw
    from napari_sam2_probe.transforms.footage import Footage
    from napari_sam2_probe.transforms.options import Option
    from napari_sam2_probe.transforms.recipe import Distractor, OptionValue, Recipe

KINDS: dict[str, str] = {
    "clean": "consecutive frames, unchanged",
    "interjection": "frames of an unrelated sequence inserted in the middle",
    "object-removal": "a pasted object that is gone in the middle",
    "context-removal": "everything but the object gone in the middle",
    "obscuration": "an object of another sequence passes over the object",
    "three-object": "three similar objects move over and around the object",
}
"""Kinds of clips (the paper, section 3.1): name and what happens."""

EXTRAS: dict[str, str] = {
    "gaussian-noise": "independent noise on every pixel",
    "motion-blur": "a blur along one direction",
    "low-light": "a dark exposure with shot noise",
    "jpeg-compression": "strong JPEG compression",
    "camera-shake": "a smooth random shift of the whole frame",
    "frame-drop": "frames left out at random",
    "temporal-reversal": "the clip backwards",
    "mosaic": "a 2 x 2 mosaic of the same video, the object in one tile",
}
"""Further transformations beyond the paper: name and what happens."""


class Kind(Protocol):
    """What a module in ``kinds`` offers."""

    OPTIONS: Mapping[str, Option]

    def plan(self, draw: Draw) -> tuple[Distractor, ...]:
        """Draw the foreign footage of a clip whose base is given."""
        ...

    def make(self, recipe: Recipe, footage: Footage) -> Clip:
        """Make the clip of a recipe, without its extras."""
        ...


class ExtraTransform(Protocol):
    """What a module in ``extras`` offers."""

    OPTIONS: Mapping[str, Option]

    def apply(self, clip: Clip, options: Mapping[str, OptionValue], rng: np.random.Generator) -> Clip:
        """Return the transformed clip; `clip` itself stays as it is."""
        ...


def load_kind(name: str) -> Kind:
    """Return the module of the kind with this name.

    Raises
    ------
    InputError
        If there is no such kind.
    """
    return cast("Kind", _load("kind", KINDS, name))


def load_extra(name: str) -> ExtraTransform:
    """Return the module of the extra with this name.

    Raises
    ------
    InputError
        If there is no such extra.
    """
    return cast("ExtraTransform", _load("extra", EXTRAS, name))


def parse_extra(text: str) -> Extra:
    """Read an extra as it is written on the command line: ``NAME`` or ``NAME:option=value,option=value``.

    Raises
    ------
    InputError
        If the name or an option is not known, or a value can't be taken.
    """
    name, _, options = text.partition(":")
    given = split_assignments(options.split(",") if options else [], name)
    return Extra(name, read_options(name, load_extra(name).OPTIONS, given))


def extra_text(extra: Extra) -> str:
    """Return an extra as `parse_extra` reads it, with all its options."""
    options = ",".join(f"{name}={value}" for name, value in extra.options.items())
    return f"{extra.name}:{options}" if options else extra.name


def _load(what: str, known: Mapping[str, str], name: str) -> object:
    """Import the module of a kind or an extra: ``<what>s.<name>``."""
    if name not in known:
        raise InputError(f"There is no {what} {name!r}: choose one of {', '.join(known)}.")
    return importlib.import_module(f"napari_sam2_probe.transforms.{what}s.{name.replace('-', '_')}")
