"""Panels as pages of another: each made when it is first seen, its page left empty where it has a dock of its own."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFrame, QLabel, QScrollArea, QTabWidget, QVBoxLayout, QWidget

from napari_sam2_probe.gui.panels.parts import make_button

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam2_probe.gui.panels.panel import Panel
    from napari_sam2_probe.gui.state import ProbeState


@dataclass(frozen=True)
class PageKind:
    """A panel that can be a page.

    Attributes
    ----------
    name
        The name of the panel's object.
    title, tip
        Of its tab.
    python_name
        Module and class, as in ``napari.yaml``; imported when the page is made.
    """

    name: str
    title: str
    tip: str
    python_name: str

    def make(self, state: ProbeState) -> Panel:
        """Return a new panel."""
        module, _, name = self.python_name.partition(":")
        panel: Panel = getattr(import_module(module), name)(state.viewer)
        return panel


class Page(QWidget):
    """Holds a panel, or says where it is.

    Parameters
    ----------
    state
        Of the viewer.
    kind
        Which panel it is for.
    scrolls
        Whether a panel that is too high is scrolled, so that it can't make the window higher.
    """

    filled = Signal(object)
    """The panel that has come into the page, or None when it has left."""

    def __init__(self, state: ProbeState, kind: PageKind, *, scrolls: bool = True) -> None:
        super().__init__()
        self.kind = kind
        self.panel: Panel | None = None
        self._state = state
        self._scrolls = scrolls
        self._content: QWidget | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._apart = self._make_note()
        layout.addWidget(self._apart)
        self._apart.hide()

    def fill(self) -> None:
        """Make the panel, if it is nowhere yet; where it has a dock of its own, offer to fetch it."""
        if self.panel is None:
            is_apart = self.kind.name in self._state.panels
            self._apart.setVisible(is_apart)
            if not is_apart:
                self._make()

    def empty(self) -> None:
        """Let go of the panel; what it holds of its viewer is kept by the state, as when a dock is closed."""
        if self.panel is None or self._content is None:
            return
        panel, self.panel = self.panel, None
        panel.end()
        content, self._content = self._content, None
        self.filled.emit(None)
        content.hide()
        content.setParent(None)
        content.deleteLater()
        self._apart.show()

    def showEvent(self, event: Any) -> None:
        """Make the panel; Qt calls it."""
        super().showEvent(event)
        self.fill()

    def _make(self) -> None:
        panel = self.panel = self.kind.make(self._state)
        panel.displaced.connect(self.empty)
        self._content = _scrolling(panel) if self._scrolls else panel
        layout = self.layout()
        if layout is not None:
            layout.addWidget(self._content)
        self.filled.emit(panel)

    def _make_note(self) -> QWidget:
        note = QWidget()
        label = QLabel(f"{self.kind.title} is in a dock of its own.", objectName="apart")
        label.setWordWrap(True)
        label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        fetch = make_button("fetch", "Bring it here", f"Close that dock and open {self.kind.title} here")
        fetch.clicked.connect(self._fetch)
        column = QVBoxLayout(note)
        column.addStretch()
        column.addWidget(label)
        column.addWidget(fetch, alignment=Qt.AlignmentFlag.AlignCenter)
        column.addStretch()
        return note

    def _fetch(self) -> None:
        # The new panel displaces the one that is open.
        self._apart.hide()
        self._make()


class Pages(QTabWidget):
    """Pages behind tabs.

    Parameters
    ----------
    state
        Of the viewer.
    kinds
        The pages, in order.
    name
        Of the widget.
    tip
        Of the row of tabs.
    scrolls
        As for `Page`.
    """

    def __init__(
        self, state: ProbeState, kinds: Sequence[PageKind], *, name: str, tip: str, scrolls: bool = True
    ) -> None:
        super().__init__(objectName=name)
        self.setDocumentMode(True)
        self.tabBar().setToolTip(tip)
        self._pages = {kind.name: Page(state, kind, scrolls=scrolls) for kind in kinds}
        for page in self._pages.values():
            self.setTabToolTip(self.addTab(page, page.kind.title), page.kind.tip)

    def __getitem__(self, name: str) -> Page:
        """Return a page by the name of its panel."""
        return self._pages[name]

    @property
    def name_in_front(self) -> str:
        """The name of the page in front."""
        return list(self._pages)[self.currentIndex()]

    def show_page(self, name: str) -> None:
        """Bring a page to the front."""
        self.setCurrentWidget(self._pages[name])


def _scrolling(panel: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(panel)
    return area
