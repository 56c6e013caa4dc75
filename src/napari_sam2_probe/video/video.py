"""A video with all that is known of it: frames, true masks where there are some, and the truth of a clip."""

from __future__ import annotations

import hashlib
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from PIL import Image

from napari_sam2_probe.video.backwards import BackwardsSource
from napari_sam2_probe.video.folder import FolderSource
from napari_sam2_probe.video.source import check_frame_idx
from napari_sam2_probe.video.true_masks import ReversedMasks
from napari_sam2_probe.video.truth import find_truth

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    import numpy as np
    from numpy.typing import NDArray

    from napari_sam2_probe.video.masks import Labels
    from napari_sam2_probe.video.source import FrameSource, IntensityScaling
    from napari_sam2_probe.video.true_masks import TrueMasks
    from napari_sam2_probe.video.truth import ClipTruth


# Matroska and AVI files tell times in thousandths of a second, rounded up or down.
_ROUNDING_SECONDS = 2.5e-3


class Video:
    """Frames that are read when they are needed, and what is known of them; itself a `FrameSource`.

    `open_video` makes one of whatever holds a video.

    Parameters
    ----------
    frames
        The frames.
    masks
        Its true masks; None if there are none.
    truth
        What a recipe tells of every frame. If None, it is looked for where the frames lie, when it is asked for.

    Attributes
    ----------
    frames
        The frames alone.
    """

    def __init__(self, frames: FrameSource, masks: TrueMasks | None = None, truth: ClipTruth | None = None) -> None:
        self.frames = frames
        self._masks = masks
        self._given_truth = truth

    def __repr__(self) -> str:
        masks = ", with true masks" if self.has_masks else ""
        scaled = "" if self.scaling is None else f", intensities {self.scaling.low:g} to {self.scaling.high:g} shown"
        return f"<Video {self.name}: {self.num_frames} frames of {self.width}x{self.height}{scaled}{masks}>"

    def __len__(self) -> int:
        return self.num_frames

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """A short name for titles and tables."""
        return self.frames.name

    @property
    def path(self) -> str | None:
        """Where it was read from, or None for what is in memory."""
        return self.frames.path

    @property
    def folder(self) -> Path | None:
        """The folder of its images, one a frame; None for any other video."""
        return self.frames.files[0].parent if isinstance(self.frames, FolderSource) else None

    @property
    def num_frames(self) -> int:
        """The length in frames."""
        return self.frames.num_frames

    @property
    def height(self) -> int:
        """The frame height in pixels."""
        return self.frames.height

    @property
    def width(self) -> int:
        """The frame width in pixels."""
        return self.frames.width

    @property
    def fps(self) -> float | None:
        """Frames per second where the file states it, else None."""
        return self.frames.fps

    @property
    def scaling(self) -> IntensityScaling | None:
        """The intensity scaling of a video that was not uint8, else None."""
        return self.frames.scaling

    @property
    def frame_names(self) -> tuple[str, ...]:
        """What each frame is called: an image's name without its ending; else its index, ``%05d``."""
        if isinstance(self.frames, FolderSource):
            return tuple(file.stem for file in self.frames.files)
        return tuple(f"{t:05d}" for t in range(self.num_frames))

    @property
    def frame_times(self) -> tuple[float, ...] | None:
        """When each frame is shown, in seconds from the first: as the file says, else by `fps`; None without either."""
        times: tuple[float, ...] | None = getattr(self.frames, "frame_times", None)
        if times is None and self.fps:
            times = tuple(t / self.fps for t in range(self.num_frames))
        return times

    @property
    def has_variable_rate(self) -> bool:
        """Whether the file shows its frames for times that differ, by more than rounding to thousandths does."""
        times: tuple[float, ...] | None = getattr(self.frames, "frame_times", None)
        if times is None or len(times) < 3:
            return False
        steps = [later - earlier for earlier, later in pairwise(times)]
        return max(steps) - min(steps) > _ROUNDING_SECONDS

    def read(self, frame_idx: int) -> NDArray[np.uint8]:
        """Return frame `frame_idx` as an RGB array (H, W, 3), uint8; see `FrameSource.read`."""
        return self.frames.read(frame_idx)

    def read_image(self, frame_idx: int) -> Image.Image:
        """Return what `read` returns as a Pillow image: sooner, where the frames are image files."""
        if isinstance(self.frames, FolderSource):
            return self.frames.read_image(frame_idx)
        return Image.fromarray(self.frames.read(frame_idx))

    def fingerprint(self) -> str:
        """Return a hash of the frames alone; cheap, so not of every pixel."""
        return self.frames.fingerprint()

    def fingerprint_with_masks(self) -> str:
        """Return a hash that changes when frames or masks do; cheap, so not of every pixel."""
        masks = "no masks" if self._masks is None else self._masks.fingerprint()
        return hashlib.sha256(f"{self.frames.fingerprint()}\n{masks}\n".encode()).hexdigest()

    def close(self) -> None:
        """Give back decoders and files. Calling it twice is harmless."""
        self.frames.close()

    @property
    def has_masks(self) -> bool:
        """Whether there are true masks, of some frames at least."""
        return self._masks is not None

    @property
    def masks_per_object(self) -> bool:
        """Whether each object has masks of its own, so that objects may overlap (SA-V)."""
        return self._masks is not None and self._masks.per_object

    def has_mask(self, frame_idx: int, object_id: int | None = None) -> bool:
        """Return whether there is a true mask of a frame; one that could hold this object, if one is named."""
        check_frame_idx(self.frames, frame_idx)
        return self._masks is not None and self._masks.has(frame_idx, object_id)

    def annotated_frames(self, object_id: int | None = None) -> list[int]:
        """Return the frames that have a true mask; one that could hold this object, if one is named."""
        if self._masks is None:
            return []
        return [t for t in range(self.num_frames) if self._masks.has(t, object_id)]

    def mask(self, frame_idx: int) -> Labels | None:
        """Return the true label image of a frame, (H, W), or None where it is not known.

        0 is background, 255 (`masks.VOID`) is void, any other value an object. Where each object has masks of its own
        and two overlap, the later one is on top.

        Raises
        ------
        InputError
            If there is no such frame, or its mask can't be read or is not as large as the video.
        """
        check_frame_idx(self.frames, frame_idx)
        return None if self._masks is None else self._masks.labels(frame_idx)

    def object_mask(self, frame_idx: int, object_id: int) -> NDArray[np.bool_] | None:
        """Return the true pixels of one object on a frame, (H, W) bool, or None where they are not known.

        Unlike in `mask`, nothing is lost where objects overlap.

        Raises
        ------
        InputError
            As in `mask`.
        """
        check_frame_idx(self.frames, frame_idx)
        return None if self._masks is None else self._masks.object_mask(frame_idx, object_id)

    def object_ids(self) -> list[int]:
        """Return the ids of all objects in the true masks in rising order; the first call may read all of them."""
        return [] if self._masks is None else self._masks.object_ids()

    @cached_property
    def truth(self) -> ClipTruth | None:
        """What a recipe tells of every frame: as given, or found in the data set of clips that the video lies in.

        None for a video that is no clip.

        Raises
        ------
        InputError
            If it lies in a data set of clips whose tables are damaged or don't fit.
        """
        return find_truth(self.frames) if self._given_truth is None else self._given_truth

    def reversed(self) -> Video:
        """Return the same with the last frame first; closing one closes both."""
        masks = None if self._masks is None else ReversedMasks(self._masks, self.num_frames)
        truth = self.truth
        return Video(
            BackwardsSource(self.frames),
            masks,
            None if truth is None else truth.take(range(self.num_frames - 1, -1, -1)),
        )


def truth_of(source: FrameSource) -> ClipTruth | None:
    """Return what a recipe tells of every frame of a video: its `truth`, or what is found where it lies.

    Raises
    ------
    InputError
        As `Video.truth`.
    """
    return source.truth if isinstance(source, Video) else find_truth(source)
