"""Options of kinds and corruptions: fields of a dataclass, read from text, checked, stored in full in the recipe."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from napari_sam2_probe.common.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_sam2_probe.transforms.recipe import OptionValue

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True, slots=True)
class NoOptions:
    """The options of what has none."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An option that takes one of a few words."""

    values: tuple[str, ...]
    default: str

    @property
    def allowed(self) -> str:
        """What it takes, in short: ``black|mean``."""
        return "|".join(self.values)

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

    @property
    def allowed(self) -> str:
        """What it takes, in short: ``0..255``."""
        return f"{self.low:g}..{self.high:g}"

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


def number(default: _Number, *, low: float, high: float) -> _Number:
    """Declare a number as a field of an options dataclass: ``sigma: float = number(15.0, low=0, high=255)``.

    Parameters
    ----------
    default
        Its default; where that is an int, only whole numbers are taken.
    low, high
        The least and the greatest value that is taken.
    """
    value: _Number = dataclasses.field(default=default, metadata={"low": low, "high": high})
    return value


def declared_options(options: type[Any]) -> dict[str, Option]:
    """Return what a dataclass of options declares, by name.

    Parameters
    ----------
    options
        A dataclass whose fields are `Literal` words or `number`, each with a default.

    Raises
    ------
    InputError
        If it is no dataclass, or a field is something else.
    """
    if not (isinstance(options, type) and dataclasses.is_dataclass(options)):
        raise InputError(f"{options!r} can't hold options: give a dataclass.")
    try:
        hints = get_type_hints(options)
    except NameError as error:
        raise InputError(f"The types of {options.__name__} can't be read: {error}.") from error
    return {field.name: _declared(options, field, hints[field.name]) for field in dataclasses.fields(options)}


def _declared(options: type[Any], field: dataclasses.Field[Any], hint: Any) -> Option:
    default = field.default
    if get_origin(hint) is Literal and all(isinstance(word, str) for word in get_args(hint)):
        words: tuple[str, ...] = get_args(hint)
        if default in words:
            return Choice(words, str(default))
    elif (
        {"low", "high"} <= field.metadata.keys() and isinstance(default, int | float) and not isinstance(default, bool)
    ):
        return Number(default, field.metadata["low"], field.metadata["high"])
    raise InputError(
        f"The option {field.name} of {options.__name__} can't be used: write it as {field.name}: Literal['a', 'b'] = "
        f"'a', or as {field.name}: float = number(0.5, low=0, high=1)."
    )


def read_options(owner: str, declared: Mapping[str, Option], given: Mapping[str, object]) -> dict[str, OptionValue]:
    """Return every declared option with the value that was given for it, or its default.

    Parameters
    ----------
    owner
        The kind or corruption, for the message.
    declared
        Its options by name.
    given
        Values by name, or their texts, as from the command line.

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
            values[name] = option.read(str(given[name])) if name in given else option.default
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
