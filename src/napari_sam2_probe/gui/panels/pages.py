"""Panels as pages of a tabbed widget, made when they are first wanted."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QTabWidget, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam2_probe.gui.panels.panel import Panel
    from napari_sam2_probe.gui.state import ProbeState


@dataclass(frozen=True)
class Page:
    """A tab.

    Attributes
    ----------
    name
        Of the panel, as its command in ``napari.yaml`` ends.
    title
        On the tab: one short word.
    tip
        What one does there.
    panel
        The panel's class, as ``module:Class``; imported with the first look at the tab.
    """

    name: str
    title: str
    tip: str
    panel: str

    def make(self, state: ProbeState) -> Panel:
        """Make the panel as a page of another one."""
        module, _, kind = self.panel.partition(":")
        with state.hosting():
            panel: Panel = getattr(import_module(f"napari_sam2_probe.gui.panels.{module}"), kind)(state.viewer)
        return panel


class Pages(QTabWidget):
    """Tabs of panels; one that has a dock of its own is left out until that is closed.

    Parameters
    ----------
    state
        What the panels of a viewer share.
    pages
        In the order of the tabs.
    """

    turned = Signal(str)
    """Another page is in front: its name."""

    def __init__(self, state: ProbeState, pages: Sequence[Page]) -> None:
        super().__init__(objectName="pages")
        self._state = state
        self._pages = tuple(pages)
        self._holders = {page.name: _Holder(page.name) for page in pages}
        self.setDocumentMode(True)
        bar = self.tabBar()
        bar.setElideMode(Qt.TextElideMode.ElideNone)
        bar.setUsesScrollButtons(True)
        bar.setExpanding(False)
        bar.setToolTip("The work from left to right")
        bar.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.arrange()
        self.currentChanged.connect(self._on_current)

    @property
    def names(self) -> tuple[str, ...]:
        """The pages that have a tab now."""
        return tuple(self.widget(index).objectName() for index in range(self.count()))

    @property
    def current(self) -> str:
        """The name of the page in front."""
        widget = self.currentWidget()
        return "" if widget is None else widget.objectName()

    def panel(self, name: str) -> Panel | None:
        """Return the panel of a page, if it has been made."""
        return self._holders[name].panel if name in self._holders else None

    def turn_to(self, name: str) -> None:
        """Bring a page in front."""
        if name in self.names:
            self.setCurrentWidget(self._holders[name])

    def arrange(self, *_: Any) -> None:
        """Show the tabs of the panels that have no docks of their own, and end the others."""
        at = 0
        for page in self._pages:
            holder = self._holders[page.name]
            index = self.indexOf(holder)
            if page.name in self._state.apart:
                holder.end()
                if index >= 0:
                    self.removeTab(index)
                continue
            if index < 0:
                self.insertTab(at, holder, page.title)
                self.setTabToolTip(at, page.tip)
            at += 1
        self._make_current()

    def showEvent(self, event: Any) -> None:
        """Make the page that is in front; Qt calls it."""
        super().showEvent(event)
        self._make_current()

    def _on_current(self, _: int) -> None:
        self._make_current()
        if self.current:
            self.turned.emit(self.current)

    def _make_current(self) -> None:
        page = next((page for page in self._pages if page.name == self.current), None)
        if page is not None and self.isVisible() and self._holders[page.name].panel is None:
            self._holders[page.name].take(page.make(self._state))


class _Holder(QWidget):
    """Keeps the place of a panel."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.panel: Panel | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)

    def take(self, panel: Panel) -> None:
        self.panel = panel
        self.layout().addWidget(panel)

    def end(self) -> None:
        panel, self.panel = self.panel, None
        if panel is not None:
            # At once: whoever shows the same in a dock of its own takes up what this lays down.
            panel.close()
            panel.deleteLater()
