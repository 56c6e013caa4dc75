"""A video with its last frame first."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from napari_sam2_probe.video.source import check_frame_idx

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_sam2_probe.video.source import FrameSource, IntensityScaling


class BackwardsSource:
    """Another video's frames in reverse order; a `FrameSource`.

    Parameters
    ----------
    source
        The video. It is closed with this one.
    """

    def __init__(self, source: FrameSource) -> None:
        self._source = source

    @property
    def name(self) -> str:
        """The video's name."""
        return self._source.name

    @property
    def path(self) -> str | None:
        """Where it was read from."""
        return self._source.path

    @property
    def num_frames(self) -> int:
        """The length in frames."""
        return self._source.num_frames

    @property
    def height(self) -> int:
        """The frame height in pixels."""
        return self._source.height

    @property
    def width(self) -> int:
        """The frame width in pixels."""
        return self._source.width

    @property
    def fps(self) -> float | None:
        """Frames per second where the file states it, else None."""
        return self._source.fps

    @property
    def scaling(self) -> IntensityScaling | None:
        """The intensity scaling, if any."""
        return self._source.scaling

    def read(self, frame_idx: int) -> NDArray[np.uint8]:
        """Return a frame; see `FrameSource.read`."""
        check_frame_idx(self, frame_idx)
        return self._source.read(self.num_frames - 1 - frame_idx)

    def fingerprint(self) -> str:
        """Return a hash that is not that of the video forwards."""
        return hashlib.sha256(f"backwards {self._source.fingerprint()}".encode()).hexdigest()

    def close(self) -> None:
        """Close the video."""
        self._source.close()
