"""A video together with its true masks, whatever either comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam2_probe.video.source import FrameSource


class MaskedVideo(Protocol):
    """A video with true masks where they are known, such as a `napari_sam2_probe.video.Sequence`."""

    @property
    def frames(self) -> FrameSource:
        """The video."""
        ...

    def mask(self, frame_idx: int) -> NDArray[Any] | None:
        """Return the label image (H, W) of a frame, or None where it is not known."""
        ...
