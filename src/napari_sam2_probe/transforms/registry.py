"""Every kind of clip and every corruption, by name: those of this package, of others, and what a program registers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from napari_sam2_probe.common.registry import Registry
from napari_sam2_probe.transforms.options import split_assignments
from napari_sam2_probe.transforms.recipe import CorruptionSpec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_sam2_probe.transforms.kind import Corruption, Transform

_Class = TypeVar("_Class", bound=type[Any])

TRANSFORM_GROUP = "napari_sam2_probe.transforms"
"""The entry points by which installed packages announce kinds of clips."""

CORRUPTION_GROUP = "napari_sam2_probe.corruptions"
"""The entry points by which installed packages announce corruptions."""


def _transform() -> type[Transform[Any]]:
    from napari_sam2_probe.transforms.kind import Transform

    return Transform


def _corruption() -> type[Corruption[Any]]:
    from napari_sam2_probe.transforms.kind import Corruption

    return Corruption


def _check(cls: type[Any]) -> None:
    from napari_sam2_probe.transforms.kind import check_described

    check_described(cls)


def _by_section(kind: Transform[Any]) -> tuple[bool, str, str]:
    return not kind.section, kind.section, kind.name


KINDS: Registry[Transform[Any]] = Registry(
    "kind", _transform, "napari_sam2_probe.transforms.kinds", TRANSFORM_GROUP, _check, _by_section
)
"""Kinds of clips: those of the paper in its order, then the others."""

CORRUPTIONS: Registry[Corruption[Any]] = Registry(
    "corruption",
    _corruption,
    "napari_sam2_probe.transforms.corruptions",
    CORRUPTION_GROUP,
    _check,
    lambda corruption: corruption.name,
)
"""Further transformations of finished clips, beyond the paper."""


def register_transform(cls: _Class) -> _Class:
    """Add a kind of clip for as long as this program runs; a decorator of a class that derives from `Transform`.

    What shall be there in every program, on every worker and on the command line is announced by an entry point of
    the group ``napari_sam2_probe.transforms`` instead.

    Raises
    ------
    InputError
        If something of it is missing, or its name is taken.
    """
    return KINDS.register(cls)


def register_corruption(cls: _Class) -> _Class:
    """Add a corruption for as long as this program runs; as `register_transform`.

    Raises
    ------
    InputError
        If something of it is missing, or its name is taken.
    """
    return CORRUPTIONS.register(cls)


def registered_by_hand(kind: str, corruptions: Iterable[CorruptionSpec]) -> tuple[type[Any], ...]:
    """Return the classes of a kind and of corruptions that other processes lack, since this program registered them."""
    return KINDS.registered([kind]) + CORRUPTIONS.registered(corruption.name for corruption in corruptions)


def register_again(classes: Iterable[type[Any]]) -> None:
    """Register what `registered_by_hand` returned, in another process."""
    for cls in classes:
        (KINDS if issubclass(cls, _transform()) else CORRUPTIONS).register(cls)


def can_be_sent(classes: Iterable[type[Any]]) -> bool:
    """Tell whether another process can import these classes: not what was defined in a notebook or a function."""
    return not any(cls.__module__ == "__main__" or "<locals>" in cls.__qualname__ for cls in classes)


def paper_kinds() -> tuple[str, ...]:
    """Return the kinds of the paper (section 3.1), in its order."""
    return tuple(name for name in KINDS if KINDS.find(name).section)


def default_kinds() -> tuple[str, ...]:
    """Return the kinds that an experiment makes by default: those of the paper, and what they are compared with."""
    wanted = {name for kind in paper_kinds() for name in (kind, KINDS.find(kind).kept)}
    return tuple(name for name in KINDS if name in wanted)


def kept_kind(kind: str) -> str:
    """Return the kind that shows clips of `kind` without their change; empty where there is none, or it isn't known."""
    return KINDS[kind].kept if kind in KINDS else ""


def parse_corruption(text: str) -> CorruptionSpec:
    """Read a corruption as it is written on the command line: ``NAME`` or ``NAME:option=value,option=value``.

    Raises
    ------
    InputError
        If the name or an option is not known, or a value can't be taken.
    """
    name, _, options = text.partition(":")
    given = split_assignments(options.split(",") if options else [], name)
    return CorruptionSpec(name, CORRUPTIONS.find(name).read_options(given))


def corruption_text(corruption: CorruptionSpec) -> str:
    """Return a corruption as `parse_corruption` reads it, with all its options."""
    options = ",".join(f"{name}={value}" for name, value in corruption.options.items())
    return f"{corruption.name}:{options}" if options else corruption.name
