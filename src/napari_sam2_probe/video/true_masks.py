"""True masks of a video by frame index, whatever they are kept in."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.video.lazy_frames import read_frame
from napari_sam2_probe.video.masks import VOID, check_mask_size, object_ids

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam2_probe.video.folder import FolderSource
    from napari_sam2_probe.video.mask_folder import MaskFolder
    from napari_sam2_probe.video.masks import Labels
    from napari_sam2_probe.video.source import FrameSource


class TrueMasks(Protocol):
    """The masks of a video; `frame_idx` is always one of its frames."""

    @property
    def per_object(self) -> bool:
        """Whether each object has masks of its own, so that objects may overlap."""
        ...

    def has(self, frame_idx: int, object_id: int | None = None) -> bool:
        """Return whether there is a mask of a frame; one that could hold this object, if one is named."""
        ...

    def labels(self, frame_idx: int) -> Labels | None:
        """Return the label image (H, W) of a frame, or None where there is none."""
        ...

    def object_mask(self, frame_idx: int, object_id: int) -> NDArray[np.bool_] | None:
        """Return the pixels (H, W) of one object, bool, or None where there is no mask of it."""
        ...

    def object_ids(self) -> list[int]:
        """Return the ids of all objects in rising order."""
        ...

    def fingerprint(self) -> str:
        """Return a hash that changes when the masks do; cheap, so not of every pixel."""
        ...


class FolderMasks:
    """Mask files named as the frames that they belong to.

    Parameters
    ----------
    frames
        The frames.
    folder
        The masks.
    """

    def __init__(self, frames: FolderSource, folder: MaskFolder) -> None:
        self._frames = frames
        self._folder = folder
        self.per_object = folder.per_object

    def has(self, frame_idx: int, object_id: int | None = None) -> bool:
        """Return whether there is a mask file of a frame."""
        return self._folder.has(self._stem(frame_idx), object_id)

    def labels(self, frame_idx: int) -> Labels | None:
        """Return the label image (H, W) of a frame; where objects overlap, the later one is on top."""
        labels = self._folder.labels(self._stem(frame_idx))
        if labels is not None:
            check_mask_size(labels, self._frames, where=self._folder.files(self._stem(frame_idx))[0])
        return labels

    def object_mask(self, frame_idx: int, object_id: int) -> NDArray[np.bool_] | None:
        """Return the pixels (H, W) of one object; nothing is lost where objects overlap."""
        mask = self._folder.object_mask(self._stem(frame_idx), object_id)
        if mask is not None:
            check_mask_size(mask, self._frames, where=self._folder.files(self._stem(frame_idx))[0])
        return mask

    def object_ids(self) -> list[int]:
        """Return the ids of all objects; the first call may read all masks."""
        return list(self._object_ids)

    def fingerprint(self) -> str:
        """Return a hash of all names and sizes, and of the bytes of the first, middle and last file."""
        return self._folder.fingerprint() if self._folder.stems else "no masks"

    @cached_property
    def _object_ids(self) -> list[int]:
        return self._folder.object_ids()

    def _stem(self, frame_idx: int) -> str:
        return self._frames.files[frame_idx].stem


class ArrayMasks:
    """Label images in an array, one for each frame.

    Parameters
    ----------
    array
        (T, H, W) bool, or integers in [0, 65535]: NumPy, dask, zarr or alike. 0 is background, 255 void (or, where
        there is nothing but 0 and 255, the object 1), any other value an object.
    frames
        What they belong to.

    Raises
    ------
    InputError
        If shape or dtype don't fit.
    """

    per_object = False

    def __init__(self, array: Any, frames: FrameSource) -> None:
        shape, wanted = tuple(getattr(array, "shape", ())), (frames.num_frames, frames.height, frames.width)
        if shape != wanted:
            raise InputError(
                f"The masks of {frames.name} have the shape {shape} but its frames are {wanted}: give an array of "
                "object ids with one image for each frame."
            )
        if np.dtype(array.dtype).kind not in "bui":
            raise InputError(f"The masks of {frames.name} have the dtype {array.dtype}: give bool or integer ids.")
        self._array = array
        self._frame_shape, self._dtype = wanted[1:], np.dtype(array.dtype)
        self._name = frames.name

    def has(self, frame_idx: int, object_id: int | None = None) -> bool:
        """Return True: every frame has one."""
        return True

    def labels(self, frame_idx: int) -> Labels:
        """Return the label image (H, W) of a frame.

        Raises
        ------
        InputError
            If the array can't give it, or it holds what can't be an id.
        """
        labels = self._stored(frame_idx)
        if labels.max(initial=0) == VOID and not object_ids(labels) and not self._holds_ids:
            one: Labels = (labels == VOID).astype(labels.dtype)
            return one
        return labels

    def _stored(self, frame_idx: int) -> Labels:
        labels = read_frame(self._array, frame_idx, self._frame_shape, self._dtype, f"The masks of {self._name}")
        if labels.dtype.kind != "b" and (labels.min() < 0 or labels.max() > np.iinfo(np.uint16).max):
            raise InputError(f"The mask of frame {frame_idx} of {self._name} holds ids that are not in 0 to 65535.")
        if labels.dtype.itemsize == 1 or labels.max() <= VOID:
            return labels.astype(np.uint8, copy=False)
        return labels.astype(np.uint16, copy=False)

    @cached_property
    def _holds_ids(self) -> bool:
        return any(object_ids(self._stored(index)) for index in range(len(self._array)))

    def object_mask(self, frame_idx: int, object_id: int) -> NDArray[np.bool_]:
        """Return the pixels (H, W) of one object."""
        mask: NDArray[np.bool_] = self.labels(frame_idx) == object_id
        return mask

    def object_ids(self) -> list[int]:
        """Return the ids of all objects; the first call reads all masks."""
        return list(self._object_ids)

    def fingerprint(self) -> str:
        """Return a hash of shape, dtype and of the first, middle and last mask."""
        count = len(self._array)
        digest = hashlib.sha256(f"masks {tuple(self._array.shape)}\n".encode())
        for index in sorted({0, count // 2, count - 1}):
            digest.update(np.ascontiguousarray(self.labels(index), "<u2").tobytes())
        return digest.hexdigest()

    @cached_property
    def _object_ids(self) -> list[int]:
        return sorted({label for index in range(len(self._array)) for label in object_ids(self.labels(index))})


class ReversedMasks:
    """The masks of another video, those of the last frame first."""

    def __init__(self, masks: TrueMasks, num_frames: int) -> None:
        self._masks = masks
        self._last = num_frames - 1
        self.per_object = masks.per_object

    def has(self, frame_idx: int, object_id: int | None = None) -> bool:
        """Return whether there is a mask of a frame."""
        return self._masks.has(self._last - frame_idx, object_id)

    def labels(self, frame_idx: int) -> Labels | None:
        """Return the label image (H, W) of a frame."""
        return self._masks.labels(self._last - frame_idx)

    def object_mask(self, frame_idx: int, object_id: int) -> NDArray[np.bool_] | None:
        """Return the pixels (H, W) of one object."""
        return self._masks.object_mask(self._last - frame_idx, object_id)

    def object_ids(self) -> list[int]:
        """Return the ids of all objects."""
        return self._masks.object_ids()

    def fingerprint(self) -> str:
        """Return a hash that is not that of the masks forwards."""
        return hashlib.sha256(f"backwards {self._masks.fingerprint()}".encode()).hexdigest()
