"""A small, slow film of a clip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QGraphicsOpacityEffect, QLabel, QVBoxLayout, QWidget

from napari_sam2_probe.export.overlay import draw_masks
from napari_sam2_probe.figures.style import object_colour
from napari_sam2_probe.video.truth import OBJECT_OF_INTEREST

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam2_probe.transforms.clip import Clip

FRAME_MILLISECONDS = 180
PREVIEW_WIDTH = 288
MAKING = "Making the preview…"

_DIM = 0.35
"""Opacity of a clip that is not what is chosen any more."""


class ClipPreview(QWidget):
    """Shows a clip frame by frame, over and over while it can be seen, and says what is known of each frame."""

    def __init__(self) -> None:
        super().__init__(objectName="preview")
        self._frames: NDArray[np.uint8] | None = None
        self._clip: Clip | None = None
        self._frame_idx = 0
        self._is_dim = False
        self.picture = QLabel(objectName="picture", alignment=Qt.AlignmentFlag.AlignCenter)
        self.picture.setToolTip("The clip in small, the object of interest tinted")
        self.caption = QLabel(objectName="caption", wordWrap=True)
        self._timer = QTimer(self)
        self._timer.setInterval(FRAME_MILLISECONDS)
        self._timer.timeout.connect(self._next)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.picture)
        layout.addWidget(self.caption)

    @property
    def num_frames(self) -> int:
        """The length of the clip that is shown; 0 while there is none."""
        return 0 if self._frames is None else len(self._frames)

    def show_clip(self, clip: Clip, frames: NDArray[np.uint8]) -> None:
        """Show a clip by its small frames (T, h, w, 3)."""
        self._dim(False)
        self._clip, self._frames, self._frame_idx = clip, frames, 0
        self._draw()
        if self.isVisible():
            self._timer.start()

    def wait(self) -> None:
        """Say that another clip is being made; the one that is shown stands still, dimmed."""
        self._timer.stop()
        self._dim(True)
        self.caption.setText(MAKING)

    def say(self, text: str) -> None:
        """Show no clip, but a sentence."""
        self._timer.stop()
        self._dim(False)
        self._clip = self._frames = None
        self.picture.clear()
        self.caption.setText(text)

    def showEvent(self, event: Any) -> None:
        """Go on; Qt calls it."""
        super().showEvent(event)
        if self._frames is not None and not self._is_dim:
            self._timer.start()

    def hideEvent(self, event: Any) -> None:
        """Rest; Qt calls it."""
        self._timer.stop()
        super().hideEvent(event)

    def _next(self) -> None:
        self._frame_idx = (self._frame_idx + 1) % max(self.num_frames, 1)
        self._draw()

    def _dim(self, dim: bool) -> None:
        if dim != self._is_dim:
            self._is_dim = dim
            # An effect of its own each time: Qt deletes the one that is replaced.
            effect = QGraphicsOpacityEffect(self.picture) if dim else None
            if effect is not None:
                effect.setOpacity(_DIM)
            self.picture.setGraphicsEffect(effect)

    def _draw(self) -> None:
        if self._frames is None or self._clip is None:
            return
        frame = self._frames[self._frame_idx]
        height, width, _ = frame.shape
        image = QImage(frame.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        self.picture.setPixmap(QPixmap.fromImage(image))
        self.caption.setText(describe_frame(self._clip, self._frame_idx))


def describe_frame(clip: Clip, frame_idx: int) -> str:
    """Return what is known of a frame, in words."""
    parts = [f"Frame {frame_idx} of {clip.num_frames}"]
    if not clip.object_present[frame_idx]:
        parts.append("object absent")
    elif clip.obscured_fraction[frame_idx] > 0:
        parts.append(f"{clip.obscured_fraction[frame_idx]:.0%} obscured")
    if not clip.context_present[frame_idx]:
        parts.append("context absent")
    return " · ".join(parts)


def preview_frames(clip: Clip) -> NDArray[np.uint8]:
    """Return a clip (T, h, 288, 3) uint8 in small, the object of interest tinted."""
    height, width = clip.frames.shape[1:3]
    size = (PREVIEW_WIDTH, max(1, round(PREVIEW_WIDTH * height / width)))
    colour = np.array([int(object_colour(OBJECT_OF_INTEREST)[i : i + 2], 16) for i in (1, 3, 5)], float)
    small = []
    for frame, labels in zip(clip.frames, clip.masks, strict=True):
        picture = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))
        mask = np.asarray(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST))
        small.append(draw_masks(picture, mask, {OBJECT_OF_INTEREST: colour}))
    return np.stack(small)
