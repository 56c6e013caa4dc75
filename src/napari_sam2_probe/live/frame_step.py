"""What a scripted session gives of one frame: masks, scores and, as long as the step lives, tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.probe.positions import BY_KEY, BY_NUMBER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from napari_sam2_probe.tracking.results import FrameResult

Value = TypeVar("Value")


class ByObject(dict[int, Value]):
    """Values by object id; asking for an object that is not there says which ones are."""

    def __missing__(self, obj_id: object) -> Value:
        there = ", ".join(map(str, self)) or "none"
        raise InputError(f"There is no object {obj_id!r} on this frame (objects: {there}).")


class StepTensors:
    """The tensors that arose on one frame, without batch axis, on the model's device; gone with the next step.

    ``tensors["memory_attention"]``, or by the paper's number ``tensors["2"]``; where there are several objects,
    ``tensors["memory_attention", object_id]``.
    """

    def __init__(self, frame_idx: int, find: Callable[[int], Mapping[str, Any]], obj_ids: tuple[int, ...]) -> None:
        self._frame_idx = frame_idx
        self._find: Callable[[int], Mapping[str, Any]] | None = find
        self._obj_ids = obj_ids

    def __getitem__(self, position: str | tuple[str, int]) -> Any:
        if self._find is None:
            raise InputError(
                f"The tensors of frame {self._frame_idx} are gone, they live until the next step: keep a copy of "
                "what you need (tensor.clone()) while the step is there."
            )
        name, obj_id = position if isinstance(position, tuple) else (position, None)
        key = BY_NUMBER[name].key if name in BY_NUMBER else name
        if key not in BY_KEY:
            raise InputError(f"There is no position {name!r}: choose one of {', '.join(BY_KEY)}.")
        tensors = self._find(self._object(key, obj_id))
        if key not in tensors:
            there = ", ".join(tensors) or "none"
            raise InputError(f"The position {name!r} has no tensor on frame {self._frame_idx} (there are: {there}).")
        return tensors[key]

    def expire(self) -> None:
        """Let go of the tensors."""
        self._find = None

    def _object(self, key: str, obj_id: int | None) -> int:
        if obj_id is None and len(self._obj_ids) == 1:
            return self._obj_ids[0]
        there = ", ".join(map(str, self._obj_ids)) or "none"
        if obj_id is None:
            raise InputError(f"Say of which object (objects: {there}): tensors[{key!r}, object_id].")
        if obj_id not in self._obj_ids:
            raise InputError(f"There is no object {obj_id!r} on this frame (objects: {there}).")
        return obj_id


@dataclass(frozen=True, eq=False)
class FrameStep:
    """One frame of a scripted session.

    Attributes
    ----------
    frame
        The frame.
    masks
        By object id, (H, W) bool; masks of several objects may overlap.
    scores
        By object id, the object score (logit): above 0 SAM 2 believes the object present. NaN where nothing ran.
    predicted_iou
        By object id; NaN on mask prompts and where nothing ran.
    tensors
        By position, as long as the step lives: until the next one.
    """

    frame: int
    masks: ByObject[NDArray[np.bool_]]
    scores: ByObject[float]
    predicted_iou: ByObject[float]
    tensors: StepTensors

    @classmethod
    def of(cls, result: FrameResult, tensors: StepTensors) -> FrameStep:
        """Return the step that a session's result is."""
        ids = result.obj_ids
        return cls(
            result.frame_idx,
            ByObject(zip(ids, result.masks(), strict=True)),
            ByObject(zip(ids, result.object_scores.tolist(), strict=True)),
            ByObject(zip(ids, result.predicted_iou.tolist(), strict=True)),
            tensors,
        )

    def __repr__(self) -> str:
        objects = ", ".join(f"{obj_id}: {score:.1f}" for obj_id, score in self.scores.items())
        return f"<frame {self.frame}, object scores {{{objects}}}>"


@dataclass(frozen=True, eq=False)
class Candidates:
    """The masks that SAM 2 considered for an ambiguous prompt.

    Attributes
    ----------
    frame, object_id
        Where.
    masks
        (M, H, W) bool.
    predicted_iou
        (M,) float32.
    """

    frame: int
    object_id: int
    masks: NDArray[np.bool_]
    predicted_iou: NDArray[np.float32]

    def __repr__(self) -> str:
        estimates = ", ".join(f"{value:.2f}" for value in self.predicted_iou)
        return f"<candidates for object {self.object_id} on frame {self.frame}, predicted IoU {estimates}>"
