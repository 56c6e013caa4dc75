"""Every family of models by name: ours, those of installed packages, and what a program registers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.registry import Registry

if TYPE_CHECKING:
    from napari_sam2_probe.families.family import ModelFamily
    from napari_sam2_probe.models.checkpoints import CheckpointFile

_Class = TypeVar("_Class", bound=type[Any])

GROUP = "napari_sam2_probe.models"
"""The entry points by which installed packages announce families."""

REFERENCE = "sam2"
"""The family that takes what no other wants."""


def _base() -> type[ModelFamily]:
    from napari_sam2_probe.families.family import ModelFamily

    return ModelFamily


def _check(cls: type[Any]) -> None:
    for what in ("name", "title"):
        if not isinstance(getattr(cls, what, None), str):
            raise InputError(f"The model family {cls.__name__} has no {what}: give it one, a text.")


FAMILIES: Registry[ModelFamily] = Registry(
    "model family", _base, "napari_sam2_probe.families.known", GROUP, _check, lambda family: family.name
)
"""All families."""


def register_model_family(cls: _Class) -> _Class:
    """Add a family of models for as long as this program runs; a decorator of a class that derives from `ModelFamily`.

    What shall be there in every program and on the command line is announced by an entry point of the group
    ``napari_sam2_probe.models`` instead.

    Raises
    ------
    InputError
        If something of it is missing, or its name is taken.
    """
    return FAMILIES.register(cls)


def family_of(checkpoint: CheckpointFile, config: str | None) -> ModelFamily:
    """Return the family that weights belong to: that of another package if it recognises them, else the reference."""
    for name, family in FAMILIES.items():
        if name != REFERENCE and family.recognises(checkpoint, config):
            return family
    return FAMILIES[REFERENCE]
