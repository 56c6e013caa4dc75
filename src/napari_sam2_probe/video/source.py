"""The one shape in which a video comes in: numbered RGB frames that are read when they are needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.values import whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class IntensityScaling:
    """How intensities that were not uint8 became uint8: ``clip((x - low) / (high - low), 0, 1) * 255``, rounded.

    Attributes
    ----------
    low, high
        The input values that become 0 and 255.
    origin
        Where they come from: ``"contrast limits"``, ``"percentiles 0.1-99.9"``, or ``"boolean"`` (False 0, True 255).
    """

    low: float
    high: float
    origin: str


@runtime_checkable
class FrameSource(Protocol):
    """A video whose frames are read on demand; nothing is held that was not asked for."""

    @property
    def name(self) -> str:
        """A short name for titles and tables (a DAVIS sequence name, a file stem, a layer name)."""
        ...

    @property
    def path(self) -> str | None:
        """Where it was read from, or None for arrays in memory."""
        ...

    @property
    def num_frames(self) -> int:
        """The length in frames."""
        ...

    @property
    def height(self) -> int:
        """The frame height in pixels."""
        ...

    @property
    def width(self) -> int:
        """The frame width in pixels."""
        ...

    @property
    def fps(self) -> float | None:
        """Frames per second where the file states it, else None."""
        ...

    @property
    def scaling(self) -> IntensityScaling | None:
        """The intensity scaling of a video that was not uint8, else None."""
        ...

    def read(self, frame_idx: int) -> NDArray[np.uint8]:
        """Return frame `frame_idx` as an RGB array of shape (H, W, 3), uint8.

        Safe to call from another thread than the one that made the source.

        Raises
        ------
        InputError
            If there is no such frame, or it can't be decoded, has another size than the first, or holds NaN.
        """
        ...

    def fingerprint(self) -> str:
        """Return a hash (hex SHA-256) that changes when the video does; cheap, so not of every pixel."""
        ...

    def close(self) -> None:
        """Give back decoders and files. Calling it twice is harmless."""
        ...


def check_frame_idx(source: FrameSource, frame_idx: int) -> None:
    """Raise an InputError if `source` has no frame `frame_idx`; negative indices are not counted from the end."""
    if not 0 <= whole(frame_idx, "frame") < source.num_frames:
        raise InputError(f"Frame {frame_idx} is not in {source.name}: it has the frames 0 to {source.num_frames - 1}.")
