"""A figure of publication size in a window of its own, to look at and to save."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QFileDialog, QLabel, QScrollArea, QVBoxLayout, QWidget

from napari_sam2_probe.figures.style import publication_style, save_figure

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from napari_sam2_probe.gui.background import Background

SCREEN_DPI = 130.0
FILES = "PNG picture (*.png);;SVG drawing (*.svg);;PDF (*.pdf)"


class FigureWindow(QDialog):
    """Shows a figure as it will be on paper.

    Parameters
    ----------
    parent
        The panel it belongs to; the window goes with it.
    title
        The window's title.
    file_name
        Offered for saving.
    background
        Where the figure is made and saved.
    """

    def __init__(self, parent: QWidget, title: str, file_name: str, background: Background) -> None:
        super().__init__(parent)
        self.setObjectName("figure_window")
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._file_name = file_name
        self._background = background
        self._key = f"figure window {id(self)}"
        self._figure: Figure | None = None
        self._picture = QLabel("Drawing …", objectName="picture")
        self._picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._scroll = QScrollArea(widgetResizable=True)
        self._scroll.setWidget(self._picture)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self._save = buttons.addButton("Save…", QDialogButtonBox.ButtonRole.ActionRole)
        self._save.setObjectName("save")
        self._save.setToolTip("Save the figure as PNG, SVG or PDF")
        self._save.setEnabled(False)
        self._save.clicked.connect(self._ask_where_to_save)
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        layout.addWidget(self._scroll)
        layout.addWidget(buttons)
        self.resize(1000, 520)
        self.finished.connect(self._forget)

    @property
    def figure(self) -> Figure | None:
        """The figure, once it is made."""
        return self._figure

    def draw(self, make: Callable[[], Figure]) -> None:
        """Make the figure beside the window and show it."""
        ratio = self.devicePixelRatioF()
        self._background.submit(self._key, lambda: _drawn(make, ratio), lambda drawn: self._show(*drawn, ratio))

    def save(self, path: Path | str) -> None:
        """Write the figure as PNG, SVG or PDF."""
        figure = self._figure
        if figure is not None:
            # Not with the window's key: what is to be saved is saved also when the window closes.
            self._background.submit(f"save {path}", lambda: save_figure(figure, path), _say_saved)

    def closeEvent(self, event: object) -> None:
        """Expect no figure any more; Qt calls it."""
        self._forget()
        super().closeEvent(event)

    def _forget(self) -> None:
        self._background.forget(self._key)

    def _show(self, figure: Figure, picture: NDArray[np.uint8], ratio: float) -> None:
        self._figure = figure
        height, width = picture.shape[:2]
        pixmap = QPixmap.fromImage(QImage(picture.data, width, height, 4 * width, QImage.Format.Format_RGBA8888))
        pixmap.setDevicePixelRatio(ratio)
        self._picture.setPixmap(pixmap)
        self._save.setEnabled(True)
        room = self.screen().availableSize()
        self.resize(
            min(round(width / ratio) + 50, room.width() - 60), min(round(height / ratio) + 90, room.height() - 60)
        )

    def _ask_where_to_save(self) -> None:
        path, chosen = QFileDialog.getSaveFileName(self, "Save the figure", self._file_name, FILES)
        if path:
            self.save(path if Path(path).suffix else path + chosen.partition("*")[2].rstrip(")"))


def _drawn(make: Callable[[], Figure], ratio: float) -> tuple[Figure, NDArray[np.uint8]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with publication_style():
        figure = make()
        before = figure.dpi
        figure.set_dpi(SCREEN_DPI * ratio)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        picture = np.array(canvas.buffer_rgba())
        figure.set_dpi(before)
    return figure, picture


def _say_saved(path: Path) -> None:
    from napari.utils.notifications import show_info

    show_info(f"Saved {path}")
