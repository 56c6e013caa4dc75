"""Interventions as data: what is changed of what SAM 2 reads, stores and computes, as a list of edits.

    [{"edit": "drop", "target": "pointer", "entries": {"role": "recent"}, "at": [16, 27]},
     {"edit": "patch", "target": "memory_attention", "from": "TWIN_RUN", "mask": "inside"}]

The edits of a list act one after the other. No tensors here: `intervening` carries them out.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.reading import load_json, why

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from napari_sam2_probe.tracking.bank import BankEntry, EntryKind

BANK_TARGETS: dict[str, tuple[EntryKind, ...]] = {
    "memory": ("memory",),
    "pointer": ("pointer",),
    "both": ("memory", "pointer"),
}
"""What an edit of the bank concerns, by its `target`."""

MAP_TARGETS = ("image_embedding", "memory_attention", "prompt_attention", "memory_features")
"""Positions whose maps can be edited: 1, 2, 3 and 5."""

POSITION_TARGETS = (*MAP_TARGETS, "object_pointer")
"""Positions that can be edited: 1 to 5."""

LEVELS = (4, 8, 16)
"""Strides of the image features, all of which an edit of position 1 replaces unless it names some."""

_BANK_EDITS = {
    "drop": {"entries", "stored"},
    "freeze": {"entries", "stored", "frame"},
    "swap": {"entries", "stored", "from"},
    "noise": {"entries", "stored", "scale", "seed"},
    "mean": {"entries", "stored"},
}
_POSITION_EDITS = {"patch": {"from"}, "mean": set(), "noise": {"scale", "seed"}}
_ALWAYS = {"edit", "target", "at", "object"}
_NEEDED = {"freeze": ("frame",), "swap": ("from",), "patch": ("from",)}

_Whole = Annotated[int, Field(strict=True, ge=0)]
_Number = Annotated[float, Field(allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class EntrySelector(_Strict):
    """Which entries of a bank an edit concerns; exactly one of its fields is given.

    Attributes
    ----------
    frames
        Those stored on these frames.
    role
        Those of conditioning frames, or the recent ones.
    age
        Those between so many and so many frames away from the reading frame.
    """

    frames: tuple[_Whole, ...] | None = None
    role: Literal["conditioning", "recent"] | None = None
    age: tuple[_Whole, _Whole] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> EntrySelector:
        if sum(value is not None for value in (self.frames, self.role, self.age)) != 1:
            raise ValueError("'entries' is \"all\", or has one of the keys frames, role and age")
        if self.age is not None and self.age[0] > self.age[1]:
            raise ValueError("'age' names the least age first, then the most")
        return self

    def selects(self, entry: BankEntry) -> bool:
        """Return whether an entry is meant."""
        if self.frames is not None:
            return entry.frame in self.frames
        if self.role is not None:
            return entry.role == self.role
        assert self.age is not None
        return self.age[0] <= entry.age <= self.age[1]


def _form(entries: Any) -> str:
    return "selector" if isinstance(entries, dict | EntrySelector) else "word"


_Entries = Annotated[
    Annotated[Literal["all"], Tag("word")] | Annotated[EntrySelector, Tag("selector")], Discriminator(_form)
]


class Edit(_Strict):
    """One change, of the bank that frames read or of the tensor at a position.

    Attributes
    ----------
    edit
        What is done: ``drop``, ``freeze`` and ``swap`` for the bank, ``patch`` for a position, ``noise`` and ``mean``
        for both.
    target
        ``memory``, ``pointer`` or ``both``; or a position's key.
    entries
        Which entries of the bank: all, or those a selector names.
    at
        First and last of the frames concerned (those that read, or whose tensor it is); None for all.
    object
        The object concerned; None for all.
    frame
        For ``freeze``, the frame whose entry is read instead.
    source
        Written ``from``: for ``swap`` and ``patch``, the run whose entry or tensor of the same frame is put in.
    scale, seed
        For ``noise``: Gaussian noise added in units of the tensor's own standard deviation, and where it is drawn from.
    stored
        Whether the edit concerns what is stored on the frames `at`, for all that read it later, instead of what these
        frames read.
    mask
        For maps, only ``inside`` or ``outside`` the mask that is predicted without the edit.
    levels
        For position 1, the strides of the image features that are edited, of 4, 8 and 16; None for all.
    """

    edit: Literal["drop", "freeze", "swap", "noise", "mean", "patch"]
    target: str
    entries: _Entries = "all"
    at: tuple[_Whole, _Whole] | None = None
    object: _Whole | None = None
    frame: _Whole | None = None
    source: str | None = Field(default=None, alias="from")
    scale: _Number = 1.0
    seed: _Whole = 0
    stored: Annotated[bool, Field(strict=True)] = False
    mask: Literal["inside", "outside"] | None = None
    levels: tuple[Literal[4, 8, 16], ...] | None = None

    @property
    def is_of_bank(self) -> bool:
        """Whether it edits the bank, not a position."""
        return self.target in BANK_TARGETS

    @property
    def kinds(self) -> tuple[EntryKind, ...]:
        """The kinds of entries that an edit of the bank concerns."""
        return BANK_TARGETS[self.target]

    @model_validator(mode="after")
    def _makes_sense(self) -> Edit:
        if self.target not in (*BANK_TARGETS, *POSITION_TARGETS):
            names = ", ".join((*BANK_TARGETS, *POSITION_TARGETS))
            raise ValueError(f"'target' is {self.target!r}, which can't be edited; choose one of {names}")
        edits = _BANK_EDITS if self.is_of_bank else _POSITION_EDITS
        if self.edit not in edits:
            raise ValueError(f"{self.edit!r} can't be done to {self.target!r}; what can is {', '.join(edits)}")
        allowed = _ALWAYS | edits[self.edit]
        if self.target in MAP_TARGETS:
            allowed |= {"mask"}
        if self.target == "image_embedding":
            allowed |= {"levels"}
        given = {"from" if name == "source" else name for name in self.model_fields_set}
        if given - allowed:
            raise ValueError(f"{sorted(given - allowed)[0]!r} means nothing to {self.edit!r} of {self.target!r}")
        missing = [name for name in _NEEDED.get(self.edit, ()) if name not in given]
        if missing:
            raise ValueError(f"{self.edit!r} needs {missing[0]!r}")
        if self.at is not None and self.at[0] > self.at[1]:
            raise ValueError("'at' names the first frame, then the last")
        if self.scale < 0:
            raise ValueError("'scale' is negative")
        if self.stored and isinstance(self.entries, EntrySelector) and self.entries.age is not None:
            raise ValueError("what is stored has no age yet, so 'age' can't go with 'stored'")
        return self

    def concerns(self, frame_idx: int, obj_id: int) -> bool:
        """Return whether a frame and object are concerned."""
        if self.object is not None and self.object != obj_id:
            return False
        return self.at is None or self.at[0] <= frame_idx <= self.at[1]

    def selects(self, entry: BankEntry) -> bool:
        """Return whether an edit of the bank means this entry."""
        return entry.kind in self.kinds and (self.entries == "all" or self.entries.selects(entry))

    def as_json(self) -> dict[str, Any]:
        """Return the edit as it was given."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def parse_edits(entries: Any, where: str = "the intervention") -> tuple[Edit, ...]:
    """Return the edits that a list, as JSON has it, means.

    Parameters
    ----------
    entries
        A list of dictionaries, or of `Edit`.
    where
        What messages call it.

    Raises
    ------
    InputError
        If it is no such list, or an edit has an unknown key, lacks one or makes no sense.
    """
    if isinstance(entries, str | bytes | dict) or not hasattr(entries, "__iter__"):
        raise InputError(f'{where} is no list of edits; give one such as [{{"edit": "drop", "target": "pointer"}}].')
    edits = []
    for number, entry in enumerate(entries, 1):
        try:
            edits.append(entry if isinstance(entry, Edit) else Edit.model_validate(entry))
        except ValidationError as error:
            raise InputError(f"{where}: edit {number}: {_in_words(error)}.") from error
    return tuple(edits)


def read_edits(path: Path) -> tuple[Edit, ...]:
    """Return the edits that a JSON file lists.

    Raises
    ------
    InputError
        As `parse_edits`, or if it can't be read.
    """
    try:
        entries = load_json(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the file can't be read as JSON ({why(error)}); give a list of edits.") from error
    return parse_edits(entries, str(path))


def edits_as_json(edits: Iterable[Edit]) -> list[dict[str, Any]]:
    """Return edits as `parse_edits` takes them."""
    return [edit.as_json() for edit in edits]


def sources(edits: Sequence[Edit]) -> list[str]:
    """Return the other runs that edits take entries or tensors from, each once."""
    return list(dict.fromkeys(edit.source for edit in edits if edit.source is not None))


def _in_words(error: ValidationError) -> str:
    """Return the first of pydantic's complaints as a sentence, unknown keys before all others."""
    details = error.errors()
    unknown = [item for item in details if item["type"] == "extra_forbidden"]
    item = (unknown or details)[0]
    # The tags of alternatives are no keys of the file.
    place = ".".join(str(part) for part in item["loc"] if part not in ("word", "selector"))
    if item["type"] == "extra_forbidden":
        return f"{place!r} is no key that is known"
    if item["type"] == "missing":
        return f"{place!r} is missing"
    if item["type"] == "value_error":
        return str(item["ctx"]["error"])
    if item["type"] == "model_type":
        return "it is no object with keys"
    given = item["input"]
    shown = given if isinstance(given, int | float) and math.isfinite(given) else repr(given)
    said = item["msg"][0].lower() + item["msg"][1:]
    return f"{place!r} is {shown}: {said}"
