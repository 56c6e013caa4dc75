"""The footage that recipes speak of, with recently used frames kept in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.transforms.recent import Keepable, Recent
from napari_sam2_probe.video.masks import bounding_box

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray
    from PIL import Image

    from napari_sam2_probe.transforms.catalogue import Catalogue
    from napari_sam2_probe.video.video import Video

_Thing = TypeVar("_Thing", bound=Keepable)

DEFAULT_OBJECT_BYTES = 256 * 2**20
"""Memory for objects without the rest of their frames: about a thousand of the size of DAVIS."""


@dataclass(frozen=True, slots=True)
class ObjectPixels:
    """One object in one frame, without the empty rest of the frame.

    Attributes
    ----------
    left, top
        Where its box begins.
    mask
        (h, w) bool, the box of the object; (0, 0) where the frame doesn't show it.
    """

    left: int
    top: int
    mask: NDArray[np.bool_]

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The object's box ``x0, y0, x1, y1``, ends excluded."""
        height, width = self.mask.shape
        return self.left, self.top, self.left + width, self.top + height

    @property
    def region(self) -> tuple[slice, slice]:
        """The part of the frame that the box is."""
        height, width = self.mask.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        return self.mask.nbytes


class Footage:
    """Frames and masks of a data set by sequence name and frame index.

    Clips of one data set use the same frames again and again; decoding them is half the work. Whole frames are kept
    for the clips that share a base, and what is cut out of frames, which is far smaller, for all clips. Masks come from
    the catalogue where it has them, so that no mask file is read again.

    Parameters
    ----------
    dataset
        Where the sequences are.
    catalogue
        What was measured of the data set as it is, or of a part of it.
    cache_bytes
        How much memory decoded frames may take; the least recently used go first.
    object_bytes
        How much memory may be taken by objects without the rest of their frames; the same rule. Clips of one data set
        draw their objects from anywhere in it: what is not kept is decoded again and again.
    one_clip_at_a_time
        Whether a clip may be overwritten when the next one is made: to get its memory takes as long as to fill it.
    """

    def __init__(
        self,
        dataset: Mapping[str, Video],
        catalogue: Catalogue | None = None,
        cache_bytes: int = 192 * 2**20,
        object_bytes: int = DEFAULT_OBJECT_BYTES,
        *,
        one_clip_at_a_time: bool = False,
    ) -> None:
        self.dataset = dataset
        self._sequences: dict[str, Video] = {}
        entries = () if catalogue is None else catalogue.entries
        self._tracks = {(track.sequence, track.object_id): track for entry in entries for track in entry.tracks}
        self._decoded: Recent[Image.Image] = Recent(cache_bytes)
        self._objects: Recent[Any] = Recent(object_bytes)
        self._one_clip_at_a_time = one_clip_at_a_time
        self._mask_memory = np.empty((0, 0, 0), np.uint8)

    def sequence(self, name: str) -> Video:
        """Return the sequence with this name; it is opened once."""
        if name not in self._sequences:
            self._sequences[name] = self.dataset[name]
        return self._sequences[name]

    def frame(self, sequence: str, frame_idx: int, *, keep: bool = True) -> Image.Image:
        """Return an RGB frame. It belongs to the cache: don't draw on it.

        With `keep` false, a frame that has to be decoded is not kept, for whoever keeps what is made of it.
        """

        def read() -> Image.Image:
            return self.sequence(sequence).read_image(frame_idx)

        key = (sequence, frame_idx)
        frame = self._decoded.get(key, read) if keep else self._decoded.find(key)
        return read() if frame is None else frame

    def shape(self, sequence: str) -> tuple[int, int]:
        """Return the height and the width of a sequence's frames."""
        video = self.sequence(sequence)
        return video.height, video.width

    def object_mask(self, sequence: str, frame_idx: int, object_id: int) -> NDArray[np.bool_]:
        """Return the pixels (H, W) of one object, bool."""
        pixels = self.object_pixels(sequence, frame_idx, object_id)
        mask = np.zeros(self.shape(sequence), np.bool_)
        mask[pixels.region] = pixels.mask
        return mask

    def object_pixels(self, sequence: str, frame_idx: int, object_id: int) -> ObjectPixels:
        """Return one object within its box. It belongs to the cache: don't write into it."""

        def find() -> ObjectPixels:
            track = self._tracks.get((sequence, object_id))
            if track is not None:
                left, top, _, _ = track.boxes[frame_idx].tolist()
                return ObjectPixels(left, top, track.pixels(frame_idx))
            labels = self.sequence(sequence).mask(frame_idx)
            if labels is None:
                raise InputError(f"Frame {frame_idx} of {sequence} has no mask: choose a window of annotated frames.")
            mask = labels == object_id
            if not mask.any():
                return ObjectPixels(0, 0, np.zeros((0, 0), np.bool_))
            x0, y0, x1, y1 = bounding_box(mask)
            return ObjectPixels(x0, y0, mask[y0:y1, x0:x1].copy())

        return self.of_object("pixels", sequence, frame_idx, object_id, find)

    def of_object(self, what: str, sequence: str, frame_idx: int, object_id: int, make: Callable[[], _Thing]) -> _Thing:
        """Return something that depends on one object in one frame alone, and is made where it is not kept.

        Parameters
        ----------
        what
            What it is: the same name always stands for the same thing.
        sequence, frame_idx, object_id
            The object.
        make
            Makes it. It belongs to the cache afterwards: nobody writes into it.
        """
        thing: _Thing = self._objects.get((what, sequence, frame_idx, object_id), make)
        return thing

    def mask_memory(self, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
        """Return memory, uint8, for a clip's masks (T, H, W); it holds anything."""
        if not self._one_clip_at_a_time or self._mask_memory.shape != shape:
            self._mask_memory = np.empty(shape, np.uint8)
        return self._mask_memory
