"""What a user tells SAM 2 on a frame: points, a box or a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.video.masks import VOID

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam2_probe.video.source import FrameSource


@dataclass(frozen=True, eq=False)
class Prompt:
    """Everything the user says about one object on one frame.

    A mask stands alone; points and a box may come together.

    Attributes
    ----------
    frame_idx
        The frame.
    obj_id
        The object, as the user numbers it.
    points
        (N, 2) float32 x, y in pixels of the video; the centre of the first pixel is at (0.5, 0.5).
    labels
        (N,) int32, 1 for "belongs to the object", 0 for "does not".
    box
        (4,) float32 x0, y0, x1, y1 in pixels, or None.
    mask
        (H, W) bool at the video's size, or None.
    """

    frame_idx: int
    obj_id: int
    points: NDArray[np.float32]
    labels: NDArray[np.int32]
    box: NDArray[np.float32] | None = None
    mask: NDArray[np.bool_] | None = None

    def __repr__(self) -> str:
        clicks = zip(self.points.tolist(), self.labels.tolist(), strict=True)
        said = [f"{'+' if label else '-'}({x:g}, {y:g})" for (x, y), label in clicks]
        if self.box is not None:
            said.append(f"box ({', '.join(f'{edge:g}' for edge in self.box)})")
        if self.mask is not None:
            said.append(f"mask of {int(self.mask.sum())} pixels")
        return f"<Prompt for object {self.obj_id} on frame {self.frame_idx}: {', '.join(said)}>"

    @classmethod
    def from_points(
        cls,
        frame_idx: int,
        obj_id: int,
        points: object = (),
        labels: object = (),
        box: object = None,
    ) -> Prompt:
        """Make a prompt of points and labels, a box, or both, from anything array-like.

        Raises
        ------
        InputError
            If the points are not pairs.
        """
        coordinates = np.asarray(points, dtype=np.float32)
        if coordinates.size % 2:
            raise InputError(
                f"The points for object {obj_id} on frame {frame_idx} are not pairs of numbers: give x, y for each."
            )
        coordinates = coordinates.reshape(-1, 2)
        signs = np.asarray(labels, dtype=np.int32).reshape(-1)
        edges = None if box is None else np.asarray(box, dtype=np.float32).reshape(-1)
        return cls(frame_idx, obj_id, coordinates, signs, edges)

    @classmethod
    def from_mask(cls, frame_idx: int, obj_id: int, mask: NDArray[np.bool_]) -> Prompt:
        """Make a prompt of a mask (H, W)."""
        empty = np.zeros((0, 2), np.float32)
        return cls(frame_idx, obj_id, empty, np.zeros(0, np.int32), mask=np.asarray(mask, dtype=bool))

    def check(self, source: FrameSource) -> None:
        """Make sure that the prompt fits the video.

        Raises
        ------
        InputError
            If the frame is not in the video, a point or the box is outside the image, the box has no area, the
            mask has another size or is empty, or nothing is said at all.
        """
        where = f"the prompt for object {self.obj_id} on frame {self.frame_idx}"
        if not 0 <= self.frame_idx < source.num_frames:
            raise InputError(
                f"Frame {self.frame_idx} is not in {source.name}, whose frames are 0 to {source.num_frames - 1}: "
                "choose one of these."
            )
        if self.obj_id < 1:
            raise InputError(f"Object id {self.obj_id} can't be used: ids are whole numbers from 1.")
        if self.obj_id == VOID:
            raise InputError(f"Object id {VOID} can't be used: in masks it means void; give another id.")
        if self.mask is not None:
            self._check_mask(source, where)
            return
        if len(self.points) != len(self.labels):
            raise InputError(f"{len(self.points)} points but {len(self.labels)} labels in {where}: give one a point.")
        if not len(self.points) and self.box is None:
            raise InputError(f"Nothing is said in {where}: give a point, a box or a mask.")
        if not np.isin(self.labels, (0, 1)).all():
            raise InputError(f"A label in {where} is neither 1 (object) nor 0 (not the object): correct it.")
        for x, y in self.points:
            self._check_inside(float(x), float(y), "Point", where, source)
        if self.box is not None:
            self._check_box(source, where)

    def _check_mask(self, source: FrameSource, where: str) -> None:
        assert self.mask is not None
        if self.mask.ndim != 2:
            raise InputError(f"The mask in {where} has {self.mask.ndim} axes: give one of rows and columns.")
        if self.mask.shape != (source.height, source.width):
            height, width = self.mask.shape
            raise InputError(
                f"The mask in {where} is {width}x{height} but {source.name} is {source.width}x{source.height}: "
                "give a mask of the video's size."
            )
        if not self.mask.any():
            raise InputError(f"The mask in {where} is empty: mark the object in it.")

    def _check_box(self, source: FrameSource, where: str) -> None:
        assert self.box is not None
        if self.box.shape != (4,):
            raise InputError(f"The box in {where} has {self.box.size} numbers: give x0, y0, x1, y1.")
        x0, y0, x1, y1 = (float(v) for v in self.box)
        self._check_inside(x0, y0, "Box corner", where, source)
        self._check_inside(x1, y1, "Box corner", where, source)
        if not (x1 > x0 and y1 > y0):
            raise InputError(f"The box {x0:g},{y0:g},{x1:g},{y1:g} in {where} has no area: give x0 < x1 and y0 < y1.")

    @staticmethod
    def _check_inside(x: float, y: float, what: str, where: str, source: FrameSource) -> None:
        if not (0 <= x <= source.width and 0 <= y <= source.height):
            raise InputError(
                f"{what} {x:g},{y:g} in {where} is outside the image, which is {source.width}x{source.height}: "
                "give coordinates in pixels as x,y."
            )


def prompts_from_labels(frame_idx: int, labels: NDArray[np.integer], obj_ids: list[int] | None = None) -> list[Prompt]:
    """Make one mask prompt for every object in a label image.

    Parameters
    ----------
    frame_idx
        The frame.
    labels
        (H, W) integers; 0 is background and 255 in a uint8 image is void.
    obj_ids
        The objects wanted; all that are there if None.

    Raises
    ------
    InputError
        If no object is there, or one that is wanted isn't.
    """
    void = 255 if labels.dtype == np.uint8 and labels.max(initial=0) == 255 else -1
    there = [int(v) for v in np.unique(labels) if v not in (0, void)]
    if void == 255 and not there:
        # A mask of only 0 and 255 is one object.
        return prompts_from_labels(frame_idx, (labels == 255).astype(np.uint8), obj_ids)
    if not there:
        raise InputError(f"The mask for frame {frame_idx} holds no object: mark at least one.")
    for wanted in obj_ids or ():
        if wanted not in there:
            found = ", ".join(map(str, there))
            raise InputError(f"Object {wanted} is not in the mask for frame {frame_idx}, which holds {found}.")
    return [Prompt.from_mask(frame_idx, obj_id, labels == obj_id) for obj_id in (obj_ids or there)]
