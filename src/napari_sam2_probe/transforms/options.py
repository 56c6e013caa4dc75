"""Options of kinds and extras: declared once, read from text, checked, and stored in full in the recipe."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_sam2_probe.transforms.recipe import OptionValue


@dataclass(frozen=True, slots=True)
class Choice:
    """An option that takes one of a few words; the first is the default."""

    values: tuple[str, ...]

    @property
    def default(self) -> str:
        """The value used where none is given."""
        return self.values[0]

    def read(self, text: str) -> str:
        """Return `text` if it is one of the words, else raise ValueError saying what is."""
        if text not in self.values:
            raise ValueError(f"one of {', '.join(self.values)}")
        return text


@dataclass(frozen=True, slots=True)
class Number:
    """An option that takes a number between `low` and `high` (both included); whole if the default is."""

    default: int | float
    low: float
    high: float

    def read(self, text: str) -> int | float:
        """Return the number that `text` says, else raise ValueError saying what would be right."""
        whole = isinstance(self.default, int)
        try:
            value: int | float = int(text) if whole else float(text)
        except ValueError:
            value = math.nan
        if not self.low <= value <= self.high:
            kind = "a whole number" if whole else "a number"
            raise ValueError(f"{kind} between {self.low:g} and {self.high:g}")
        return value


Option = Choice | Number


def read_options(owner: str, declared: Mapping[str, Option], given: Mapping[str, str]) -> dict[str, OptionValue]:
    """Return every declared option with the value that was given for it, or its default.

    Parameters
    ----------
    owner
        The kind or extra, for the message.
    declared
        Its options by name.
    given
        Texts by name, from the command line.

    Raises
    ------
    InputError
        If a name is not declared or a value can't be taken.
    """
    for name in given:
        if name not in declared:
            known = f"its options are {', '.join(declared)}" if declared else "it takes none"
            raise InputError(f"{owner} has no option {name!r}: {known}.")
    values: dict[str, OptionValue] = {}
    for name, option in declared.items():
        try:
            values[name] = option.read(given[name]) if name in given else option.default
        except ValueError as error:
            raise InputError(f"{owner}: option {name} is {given[name]!r} but must be {error}.") from None
    return values


def split_assignments(texts: Sequence[str], owner: str) -> dict[str, str]:
    """Turn ``["name=value", ...]`` into a dict.

    Raises
    ------
    InputError
        If a text has no ``=`` or a name comes twice.
    """
    assignments: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InputError(f"{owner}: {text!r} is not an option, write it as name=value.")
        if name in assignments:
            raise InputError(f"{owner}: option {name} is given twice, give it once.")
        assignments[name] = value
    return assignments
