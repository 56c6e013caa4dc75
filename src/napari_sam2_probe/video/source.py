"""The one shape in which a video comes in: numbered RGB frames that are read when they are needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class IntensityScaling:
    """How intensities that were not uint8 became uint8: ``clip((x - low) / (high - low), 0, 1) * 255``.

    Attributes
    ----------
    low, high
        The input values that become 0 and 255.
    origin
        Where they come from: ``"contrast limits"`` or ``"percentiles 0.1-99.9"``.
    """

    low: float
    high: float
    origin: str


@runtime_checkable
class FrameSource(Protocol):
    """A video whose frames are read on demand; nothing is held that was not asked for.

    Attributes
    ----------
    name
        A short name for titles and tables (a DAVIS sequence name, a file stem, a layer name).
    path
        Where it was read from, or None for arrays in memory.
    num_frames, height, width
        The length in frames and the frame size in pixels.
    fps
        Frames per second where the file states it, else None.
    scaling
        The intensity scaling of a video that was not uint8, else None.
    """

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str | None: ...
    @property
    def num_frames(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def fps(self) -> float | None: ...
    @property
    def scaling(self) -> IntensityScaling | None: ...

    def read(self, frame_idx: int) -> NDArray[np.uint8]:
        """Return frame `frame_idx` as an RGB array of shape (H, W, 3), uint8.

        Safe to call from another thread than the one that made the source.

        Raises
        ------
        InputError
            If the frame can't be decoded, has another size than the first, or holds NaN.
        """
        ...

    def fingerprint(self) -> str:
        """Return a hash (hex SHA-256) that changes when the video does; cheap, so not of every pixel."""
        ...

    def close(self) -> None:
        """Give back decoders and files. Calling it twice is harmless."""
        ...
