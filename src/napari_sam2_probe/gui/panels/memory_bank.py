"""The bank in the Memory panel: tiles of memories, the twin's row, tiles of pointers, what groups do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QScrollArea, QVBoxLayout, QWidget

from napari_sam2_probe.causes.changes import BankChanges
from napari_sam2_probe.gui.memory.words import AS_READ, effects_of, groups_text, in_order
from napari_sam2_probe.gui.panels.memory_tiles import EntryTile, Picture, TileGrid

if TYPE_CHECKING:
    import pandas as pd

    from napari_sam2_probe.gui.memory.bank_shown import BankShown, PixelLook
    from napari_sam2_probe.gui.plots.area import PlotTheme

LEAST_FULL_EFFECT = 0.05
"""The bar of the largest effect is full, unless that is less than this."""


class BankView(QScrollArea):
    """Shows one bank; its tiles are used again for the next.

    Parameters
    ----------
    theme
        The colours of the window.
    """

    went_to = Signal(int)
    """The user wants to see this frame."""

    picture_pressed = Signal(int, float, float)
    """The thumbnail of this frame was clicked, at a place from 0 to 1."""

    changed = Signal()
    """The user has ticked something else."""

    def __init__(self, theme: PlotTheme) -> None:
        super().__init__(widgetResizable=True)
        self._theme = theme
        self._shown: BankShown | None = None
        self._effects: dict[tuple[str, int], float] = {}
        self._made: list[EntryTile] = []
        self._title, self._memories, self._pointers = text_label("bank"), TileGrid(), TileGrid()
        self._pointers_title, self._twin = text_label("pointers_title"), TileGrid()
        self._twin_title, self._groups = text_label("twin_title"), text_label("groups")
        self._twin_title.setText("The twin's memories: drag one onto a memory above.")
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 4, 0)
        for widget in (self._title, self._memories, self._twin_title, self._twin, self._pointers_title):
            column.addWidget(widget)
        column.addWidget(self._pointers)
        column.addWidget(self._groups)
        column.addStretch()
        self.setWidget(inside)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    @property
    def tiles(self) -> list[EntryTile]:
        """The tiles of the entries that are shown, as they were read."""
        return [] if self._shown is None else self._made[: len(self._shown.entries)]

    @property
    def memories(self) -> list[Any]:
        """The tiles of memories, in the order in which they stand."""
        return self._memories.tiles

    def changes(self) -> BankChanges:
        """Return what is ticked."""
        swapped = {tile.key: tile.twin_frame for tile in self.tiles if tile.twin_frame is not None}
        return BankChanges(frozenset(tile.key for tile in self.tiles if tile.drop.isChecked()), swapped)

    def show_bank(
        self,
        shown: BankShown,
        changes: BankChanges,
        table: pd.DataFrame | None,
        pixel: PixelLook | None,
        order: str = AS_READ,
    ) -> None:
        """Show a bank.

        Parameters
        ----------
        shown
            The bank.
        changes
            What is ticked.
        table
            The frame's blame, where it is known.
        pixel
            Where a pixel looks, whose shares and heat are then shown instead of the frame's.
        order
            One of `ORDERS`.
        """
        self._shown = shown
        self._effects = effects_of(table)
        while len(self._made) < len(shown.entries):
            self._made.append(self._make_tile())
        largest = max((*self._effects.values(), LEAST_FULL_EFFECT))
        shares: dict[tuple[str, int], float] = {(item.kind, item.frame): item.share for item in shown.entries}
        if pixel is not None:
            shares = pixel.shares
        for tile, entry in zip(self.tiles, shown.entries, strict=True):
            key = entry.kind, entry.frame
            tile.show_entry(entry, shown.twin_frames.get(entry.frame))
            if pixel is not None and entry.kind == "memory" and entry.frame in pixel.pictures:
                tile.picture.show_picture(pixel.pictures[entry.frame])
            tile.set_changes(key in changes.dropped, changes.swapped.get(key))
            longest = max((share for (kind, _), share in shares.items() if kind == entry.kind), default=1.0)
            tile.bars.set_values(shares.get(key, math.nan), longest, self._effects.get(key, math.nan), largest)
        self.place(order)
        self._show_twin(shown)
        self._say(shown, table)

    def place(self, order: str) -> None:
        """Put the tiles in an order of `ORDERS`."""
        shown = self._shown
        if shown is None:
            return
        by_key = {tile.key: tile for tile in self.tiles}
        ordered = in_order(shown.entries, order, self._effects)
        for kind, grid in (("memory", self._memories), ("pointer", self._pointers)):
            grid.place([by_key[item.kind, item.frame] for item in ordered if item.kind == kind])
            grid.setVisible(bool(shown.entries))

    def set_theme(self, theme: PlotTheme) -> None:
        """Draw in other colours."""
        self._theme = theme
        for tile in self._made:
            tile.bars.theme = theme
            tile.bars.update()

    def _make_tile(self) -> EntryTile:
        tile = EntryTile(self._theme)
        tile.went_to.connect(self.went_to)
        tile.picture_pressed.connect(self.picture_pressed)
        tile.changed.connect(self.changed)
        return tile

    def _show_twin(self, shown: BankShown) -> None:
        for old in self._twin.tiles:
            old.deleteLater()
        pictures = []
        for item in shown.twin:
            picture = Picture(carries=item.frame)
            picture.setObjectName(f"twin picture {item.frame}")
            picture.setToolTip(f"Frame {item.frame} of the twin: drag it onto a memory")
            picture.show_picture(item.picture, f"{item.frame}")
            pictures.append(picture)
        self._twin.place(pictures)
        self._twin.setVisible(bool(pictures))
        self._twin_title.setVisible(bool(pictures))

    def _say(self, shown: BankShown, table: pd.DataFrame | None) -> None:
        memories, pointers = (shown.of_kind("memory"), shown.of_kind("pointer"))
        read = f"{_count(len(memories), 'memory', 'memories')} and {_count(len(pointers), 'pointer', 'pointers')}"
        self._title.setText(f"Frame {shown.frame} read {read}." if shown.entries else shown.note)
        share = sum(item.share for item in pointers)
        self._pointers_title.setText(
            "Object pointers" if math.isnan(share) else f"Object pointers ({100 * share:.1f} % of the attention)"
        )
        self._pointers_title.setVisible(bool(pointers))
        self._groups.setText("" if table is None else groups_text(table))
        self._groups.setVisible(table is not None)


def text_label(name: str) -> QLabel:
    """Return a label for sentences, which can be copied."""
    label = QLabel(objectName=name)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
