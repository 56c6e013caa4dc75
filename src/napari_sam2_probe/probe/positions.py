"""The observation positions: one table for everybody (the paper, section 3.2 and figure 1).

Recorders, runs on disk, tables, figures and panels all go by this table. To add a position is to add one entry, here or
from another package:

    from napari_sam2_probe.probe.positions import Position, register_position
    from napari_sam2_probe.tracking.observer import Tap

    register_position(
        Position("4t", "mask_tokens", "Mask tokens", VECTOR, tap=Tap("sam_mask_decoder", lambda out: out[2][:, 0]))
    )

or, so that every process knows it, to name the `Position` (or a function that returns one or several) in the
entry-point group ``napari_sam2_probe.positions``. Register before recording begins.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

from napari_sam2_probe.common.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from napari_sam2_probe.tracking.observer import Tap

ENTRY_POINTS = "napari_sam2_probe.positions"
"""The entry-point group in which other packages name positions."""

MAP = ("channel", "y", "x")
"""Dimensions of a map; what is kept of it are mean and variance over the channels."""

VECTOR = ("channel",)
"""Dimensions of a vector, which is kept as it is."""

TOKENS = ("latent", "channel")
"""Dimensions of tokens without a place in the image, of which only features are kept."""

Statistic = Literal["mean", "variance"]
STATISTICS: tuple[Statistic, Statistic] = ("mean", "variance")
"""What is kept of a map, over its channels; the variance is the population's."""

Stage = Literal["image", "memory attention", "mask decoder", "memory encoder"]


@dataclass(frozen=True, slots=True)
class Position:
    """One place inside SAM 2 where something is observed.

    Attributes
    ----------
    number
        As the paper counts, with our additions: ``"1"`` to ``"5"``, ``"4r"``, ``"5r"``, ``"5p"``, ``"5u"``. It stands
        in tables.
    key
        The name used for arrays on disk and in code.
    title
        The name a reader sees in figures and panels.
    dimensions
        Names of the tensor's axes without the batch: `MAP`, `VECTOR` or `TOKENS`.
    stage
        The part of SAM 2 that the tensor comes out of, which says what a prompted frame shows there.
    tap
        Where the tensor is taken; None where the model shows it by itself, under `key`.
    ungated_of
        The key of the position that this one is without the no-object gate; None for any other.
    optional
        Whether it is recorded only where asked for.
    array
        Where a run keeps the vectors (O, T, C); by default ``vectors/<key>``. Maps lie in ``maps/<key>``.
    """

    number: str
    key: str
    title: str
    dimensions: tuple[str, ...]
    stage: Stage = "mask decoder"
    tap: Tap | None = None
    ungated_of: str | None = None
    optional: bool = False
    array: str = ""

    def __post_init__(self) -> None:
        if self.dimensions not in (MAP, VECTOR, TOKENS):
            raise InputError(
                f"Position {self.key!r} has the dimensions {self.dimensions}: give {MAP} for a map or {VECTOR} for a "
                f"vector; {TOKENS} for tokens without a place."
            )
        # Both become parts of file names.
        if not (self.key.isidentifier() and self.number.isalnum() and self.title):
            raise InputError(
                f"Position {self.key!r} can't be registered: give a key that is a Python name, a number of letters and "
                "digits, and a title."
            )
        if not self.array:
            object.__setattr__(self, "array", f"vectors/{self.key}")

    @property
    def is_map(self) -> bool:
        """Whether the tensor has two spatial axes, so that channel mean and variance maps exist."""
        return self.dimensions == MAP

    @property
    def is_vector(self) -> bool:
        """Whether the tensor is one vector, which is kept."""
        return self.dimensions == VECTOR

    @property
    def is_main(self) -> bool:
        """Whether it is one of those that are looked at first: neither optional nor the twin of a gated one."""
        return not self.optional and self.ungated_of is None


IMAGE_EMBEDDING = Position("1", "image_embedding", "Image embedding", MAP, "image")
MEMORY_ATTENTION = Position("2", "memory_attention", "Memory attention", MAP, "memory attention")
PROMPT_ATTENTION = Position("3", "prompt_attention", "Prompt attention", MAP)
OBJECT_POINTER = Position("4", "object_pointer", "Object pointer", VECTOR, array="object_pointers")
OBJECT_POINTER_RAW = Position(
    "4r",
    "object_pointer_raw",
    "Object pointer, ungated",
    VECTOR,
    ungated_of="object_pointer",
    array="object_pointers_raw",
)
MEMORY_FEATURES = Position("5", "memory_features", "Memory features", MAP, "memory encoder")
MEMORY_FEATURES_RAW = Position(
    "5r", "memory_features_raw", "Memory features, ungated", MAP, "memory encoder", ungated_of="memory_features"
)
MEMORY_FEATURES_DENSE = Position(
    "5p", "memory_features_dense", "Memory map before the perceiver", MAP, "memory encoder", optional=True
)
MEMORY_FEATURES_UNBLANKED = Position(
    "5u",
    "memory_features_unblanked",
    "Memory features, unblanked mask",
    MAP,
    "memory encoder",
    ungated_of="memory_features",
    optional=True,
)


class PositionTable:
    """Positions in the order of tables and panels: our own, then those of other packages.

    Parameters
    ----------
    own
        What is there from the start.
    group
        The entry-point group that is read when somebody first looks.
    """

    def __init__(self, own: Iterable[Position], group: str = ENTRY_POINTS) -> None:
        self._positions: dict[str, Position] = {}
        for position in own:
            self._add(position)
        self._group: str | None = group
        self._by_hand: set[str] = set()
        self._reading = RLock()

    def all(self) -> tuple[Position, ...]:
        """Return all positions there are."""
        self._read_entry_points()
        return tuple(self._positions.values())

    def register(self, position: Position) -> None:
        """Add a position; one that was added by this very method under the same key is replaced.

        Raises
        ------
        InputError
            If another one has its key, its number or its array, it has no tap, or it is optional.
        """
        self._read_entry_points()
        # A notebook's cell that runs again makes a new function, and so another position.
        self._register(position, replace=position.key in self._by_hand)
        self._by_hand.add(position.key)

    def remove(self, key: str) -> None:
        """Take a position out again."""
        self._positions.pop(key, None)
        self._by_hand.discard(key)

    def _register(self, position: Position, *, replace: bool = False) -> None:
        if position.tap is None:
            raise InputError(
                f"Position {position.key!r} doesn't say where its tensor is taken: give a tap, such as "
                "Tap('sam_mask_decoder', pick)."
            )
        if position.optional:
            raise InputError(
                f"Position {position.key!r} is said to be optional, but nobody could ask for it: register it where it "
                "is wanted, and leave that out."
            )
        if self._positions.get(position.key) != position:
            self._add(position, replace=replace)

    def _add(self, position: Position, *, replace: bool = False) -> None:
        for other in self._positions.values():
            if replace and other.key == position.key:
                continue
            for name in ("key", "number", "array"):
                if getattr(other, name) == getattr(position, name):
                    raise InputError(
                        f"Position {position.key!r} has the {name} {getattr(position, name)!r}, which belongs to "
                        f"{other.title}: choose another."
                    )
        if position.ungated_of is not None and position.ungated_of not in self._positions:
            raise InputError(
                f"Position {position.key!r} is called the ungated twin of {position.ungated_of!r}, which is not "
                f"there: choose one of {', '.join(self._positions)}."
            )
        self._positions[position.key] = position

    def _read_entry_points(self) -> None:
        with self._reading:
            if self._group is None:
                return
            from importlib.metadata import entry_points

            # Before they are loaded: what is loaded may look at the table.
            group, self._group = self._group, None
            for entry in entry_points(group=group):
                try:
                    found = entry.load()
                    found = found() if not isinstance(found, Position) and callable(found) else found
                    for position in (found,) if isinstance(found, Position) else found:
                        self._register(position)
                except Exception as error:
                    # Another package's fault must not keep anybody from work that has nothing to do with it.
                    message = f"The position {entry.name} of {entry.value} can't be used and is left out: {error}"
                    warnings.warn(message, stacklevel=3)


TABLE = PositionTable(
    (
        IMAGE_EMBEDDING,
        MEMORY_ATTENTION,
        PROMPT_ATTENTION,
        OBJECT_POINTER,
        OBJECT_POINTER_RAW,
        MEMORY_FEATURES,
        MEMORY_FEATURES_RAW,
        MEMORY_FEATURES_DENSE,
        MEMORY_FEATURES_UNBLANKED,
    )
)
"""The one table."""


def register_position(position: Position) -> None:
    """Add a position to the table; see `PositionTable.register`."""
    TABLE.register(position)


class _Recorded(Sequence[Position]):
    """The positions that every run records, as the table is now."""

    def __len__(self) -> int:
        return len(self._now())

    @overload
    def __getitem__(self, index: int) -> Position: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Position, ...]: ...
    def __getitem__(self, index: int | slice) -> Position | tuple[Position, ...]:
        return self._now()[index]

    def _now(self) -> tuple[Position, ...]:
        return tuple(p for p in TABLE.all() if not p.optional)


class _By(Mapping[str, Position]):
    """All positions by one of their names, as the table is now."""

    def __init__(self, name: Callable[[Position], str]) -> None:
        self._name = name

    def __getitem__(self, name: str) -> Position:
        for position in TABLE.all():
            if self._name(position) == name:
                return position
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter([self._name(p) for p in TABLE.all()])

    def __len__(self) -> int:
        return len(TABLE.all())


POSITIONS: Sequence[Position] = _Recorded()
"""The positions every run records, in the order of tables and panels."""

BY_KEY: Mapping[str, Position] = _By(lambda p: p.key)
BY_NUMBER: Mapping[str, Position] = _By(lambda p: p.number)


class ShowsPositions(Protocol):
    """What a model says of positions at which it differs from SAM 2.

    Attributes
    ----------
    further_positions
        Keys of optional positions that it has.
    token_positions
        Keys of positions at which it has tokens instead of a map.
    """

    further_positions: frozenset[str]
    token_positions: frozenset[str]


def recorded_positions(*, unblanked: bool = False, model: ShowsPositions | None = None) -> tuple[Position, ...]:
    """Return the positions that a run records: all but optional ones.

    Parameters
    ----------
    unblanked
        Whether 5u is asked for too.
    model
        What is recorded; None for a SAM 2.
    """
    asked = {MEMORY_FEATURES_UNBLANKED.key} if unblanked else set()
    asked |= model.further_positions if model is not None else set()
    tokens = model.token_positions if model is not None else frozenset()
    recorded = [p for p in TABLE.all() if not p.optional or p.key in asked]
    return tuple(replace(p, dimensions=TOKENS) if p.key in tokens else p for p in recorded)


def taps_of(positions: Iterable[Position]) -> dict[str, Tap]:
    """Return where the tensors of positions are taken that the model doesn't show by itself, by key."""
    return {p.key: p.tap for p in positions if p.tap is not None}


def title_of(number: str) -> str:
    """Return the title of a position; its number for one that nobody here knows."""
    return BY_NUMBER[number].title if number in BY_NUMBER else f"Position {number}"


def gate_pairs() -> tuple[tuple[str, str], ...]:
    """Return the numbers of gated positions, each with that of its ungated twin, of those that every run records."""
    return tuple((BY_KEY[p.ungated_of].number, p.number) for p in POSITIONS if p.ungated_of is not None)


def base_number(number: str) -> str:
    """Return the number of a position, or of the gated one whose ungated twin it is."""
    twin = BY_NUMBER[number].ungated_of if number in BY_NUMBER else None
    return number if twin is None else BY_KEY[twin].number


def position_pairs() -> tuple[tuple[str, str], ...]:
    """Return the numbers of positions to compare: gated with ungated, and each with the image embedding."""
    first = IMAGE_EMBEDDING.number
    return (*gate_pairs(), *((p.number, first) for p in POSITIONS if p.number != first))


def in_order(numbers: Iterable[Any]) -> list[str]:
    """Sort numbers of positions as the table does, unknown ones behind."""
    order = list(BY_NUMBER)
    return sorted(map(str, numbers), key=lambda n: (order.index(n) if n in order else len(order), n))
