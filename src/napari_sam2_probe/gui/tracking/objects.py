"""The objects that are tracked, as the user sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_sam2_probe.figures.style import object_colour

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari.utils.colormaps import DirectLabelColormap


@dataclass(frozen=True, slots=True)
class ObjectEntry:
    """An object.

    Attributes
    ----------
    obj_id
        Its number in labels and runs.
    name
        What the user calls it.
    colour
        In which it is drawn, as ``#rrggbb``.
    visible
        Whether its masks and prompts are shown.
    """

    obj_id: int
    name: str
    colour: str
    visible: bool = True


class ObjectList:
    """The objects of one video; at least one."""

    changed = Signal()
    """An object came, went, or looks different."""

    removed = Signal(int)
    """An object is gone."""

    def __init__(self) -> None:
        self._entries: dict[int, ObjectEntry] = {}
        self.reset()

    def __getitem__(self, obj_id: int) -> ObjectEntry:
        return self._entries[obj_id]

    def __contains__(self, obj_id: object) -> bool:
        return obj_id in self._entries

    @property
    def entries(self) -> tuple[ObjectEntry, ...]:
        """The objects by number."""
        return tuple(self._entries[obj_id] for obj_id in sorted(self._entries))

    @property
    def hidden(self) -> frozenset[int]:
        """The objects that are not shown."""
        return frozenset(entry.obj_id for entry in self._entries.values() if not entry.visible)

    @property
    def colours(self) -> dict[int, str]:
        """The colours of all objects."""
        return {entry.obj_id: entry.colour for entry in self._entries.values()}

    @property
    def names(self) -> dict[int, str]:
        """The names of all objects."""
        return {entry.obj_id: entry.name for entry in self._entries.values()}

    def add(self, obj_id: int | None = None, name: str | None = None) -> ObjectEntry:
        """Add an object, with the lowest free number if none is given; one that is there is given back."""
        if obj_id in self._entries:
            return self._entries[obj_id]
        number = obj_id or next(i for i in range(1, len(self._entries) + 2) if i not in self._entries)
        self._entries[number] = ObjectEntry(number, name or f"Object {number}", object_colour(number))
        self.changed.emit()
        return self._entries[number]

    def change(self, obj_id: int, **changes: object) -> None:
        """Give an object another name or colour, or show or hide it."""
        entry = replace(self._entries[obj_id], **changes)  # type: ignore[arg-type]
        if entry != self._entries[obj_id]:
            self._entries[obj_id] = entry
            self.changed.emit()

    def remove(self, obj_id: int) -> None:
        """Remove an object; if it was the last, an empty first one takes its place."""
        if self._entries.pop(obj_id, None) is not None:
            self.removed.emit(obj_id)
            if not self._entries:
                self._entries[1] = ObjectEntry(1, "Object 1", object_colour(1))
            self.changed.emit()

    def reset(self, names: Mapping[int, str] | None = None) -> None:
        """Begin anew with these objects, or with a single one."""
        chosen = names or {1: "Object 1"}
        self._entries = {obj_id: ObjectEntry(obj_id, name, object_colour(obj_id)) for obj_id, name in chosen.items()}
        self.changed.emit()

    def restore(self, entries: Sequence[ObjectEntry]) -> None:
        """Begin anew with these objects as they were, or with a single new one."""
        self._entries = {entry.obj_id: entry for entry in entries}
        if entries:
            self.changed.emit()
        else:
            self.reset()

    def colormap(self) -> DirectLabelColormap:
        """Return the colours of a labels layer, in which hidden objects are transparent."""
        from napari.utils.colormaps import DirectLabelColormap

        colours: dict[int | None, str] = {None: "transparent"}
        for entry in self._entries.values():
            colours[entry.obj_id] = entry.colour if entry.visible else "transparent"
        return DirectLabelColormap(color_dict=colours)
