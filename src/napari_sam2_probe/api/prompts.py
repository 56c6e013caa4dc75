"""Prompts as a person types them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.values import whole
from napari_sam2_probe.tracking.prompts import Prompt, prompts_from_labels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def points(xy: ArrayLike, labels: ArrayLike = 1, *, frame: int = 0, object_id: int = 1) -> Prompt:
    """Click on an object, or beside it.

    Parameters
    ----------
    xy
        (N, 2) x, y in pixels of the video, or one pair; the centre of the first pixel is at (0.5, 0.5).
    labels
        (N,) 1 for a point on the object, 0 for one that is not on it; one number stands for all points.
    frame
        The frame, from 0.
    object_id
        The object, from 1.

    Raises
    ------
    InputError
        If the points are not pairs of numbers, or the labels don't fit them.
    """
    coordinates = _numbers(xy, "points", "(x, y) pairs")
    if coordinates.ndim == 0:
        raise InputError(f"points(...) takes (x, y) pairs: write points(({_short(xy)}, y)).")
    if coordinates.size == 0 or coordinates.shape[-1] != 2 or coordinates.ndim > 2:
        raise InputError(f"points(...) takes (x, y) pairs, not an array of shape {coordinates.shape}.")
    coordinates = coordinates.reshape(-1, 2)
    signs = _numbers(labels, "labels", "1 or 0 for each point")
    if signs.ndim > 1 or signs.size not in (1, len(coordinates)):
        raise InputError(f"{len(coordinates)} points but {signs.size} labels: give one label, or one for each point.")
    if not np.isin(signs, (0, 1)).all():
        raise InputError("A label is 1 for a point on the object, 0 for one that is not on it.")
    signs = np.broadcast_to(signs.reshape(-1), len(coordinates))
    return Prompt.from_points(whole(frame, "frame"), whole(object_id, "object_id"), coordinates, signs)


def box(xyxy: ArrayLike, *, frame: int = 0, object_id: int = 1) -> Prompt:
    """Draw a box around an object.

    Parameters
    ----------
    xyxy
        (4,) x0, y0, x1, y1 in pixels of the video: the left, top, right and bottom edge.
    frame, object_id
        As in `points`.

    Raises
    ------
    InputError
        If these are not four numbers.
    """
    edges = _numbers(xyxy, "box", "x0, y0, x1, y1").reshape(-1)
    if edges.size != 4:
        raise InputError(f"box(...) takes the four numbers x0, y0, x1, y1, not {edges.size}.")
    return Prompt.from_points(whole(frame, "frame"), whole(object_id, "object_id"), box=edges)


def mask(
    array: ArrayLike | str | Path, *, frame: int = 0, object_id: int = 1, threshold: float | None = None
) -> Prompt:
    """Mark an object with a mask.

    Parameters
    ----------
    array
        (H, W) bool, or a label image of which the pixels with `object_id` are taken; an image of 0 and 255 is one
        object. Also the path of a mask PNG.
    frame, object_id
        As in `points`.
    threshold
        For the path of a mask with a soft edge or of probabilities: the share of full brightness from which on a pixel
        belongs to the object.

    Raises
    ------
    InputError
        If it is no image of labels, or doesn't hold the object.
    """
    number, at = whole(object_id, "object_id"), whole(frame, "frame")
    labels: NDArray[Any] = _labels(array) if threshold is None else _cut(array, threshold)
    if labels.dtype == bool:
        return Prompt.from_mask(at, number, labels)
    if set(np.unique(labels)) in ({0, 255}, {255}):
        return Prompt.from_mask(at, number, labels == 255)
    return prompts_from_labels(at, labels.astype(np.int64, copy=False), [number])[0]


def masks(array: ArrayLike | str | Path, *, frame: int = 0) -> list[Prompt]:
    """Mark every object of a label image, each with its own mask.

    Parameters
    ----------
    array
        (H, W) integers, 0 for the background and k for object k; or the path of a mask PNG.
    frame
        As in `points`.

    Raises
    ------
    InputError
        If it is no image of labels, or holds no object.
    """
    labels = _labels(array)
    return prompts_from_labels(whole(frame, "frame"), labels.astype(np.uint8) if labels.dtype == bool else labels)


def as_prompts(given: Any) -> list[Prompt]:
    """Return the prompts in a prompt, a list of prompts, or a list of such lists.

    Raises
    ------
    InputError
        If there is anything else in it.
    """
    if isinstance(given, Prompt):
        return [given]
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        kind = type(given).__name__
        article = "an" if kind[0] in "aeiou" else "a"
        raise InputError(
            f"{_short(given)} is {article} {kind}, not a prompt: make one with points(...), box(...) or mask(...)."
        )
    if _is_pair(given):
        raise InputError(f"{_short(given)} is no prompt: write points({_short(given)}) for a click there.")
    return [prompt for one in given for prompt in as_prompts(one)]


def _is_pair(given: Iterable[Any]) -> bool:
    # A click without `points` around it is a mistake that everybody makes.
    return isinstance(given, tuple | list) and len(given) == 2 and all(isinstance(n, int | float) for n in given)


def combined(prompts: Iterable[Prompt]) -> list[Prompt]:
    """Join what is said of one object on one frame: points add up, a later box replaces an earlier one, a mask all."""
    joined: dict[tuple[int, int], Prompt] = {}
    for prompt in prompts:
        key = (prompt.frame_idx, prompt.obj_id)
        joined[key] = join(joined[key], prompt) if key in joined else prompt
    return list(joined.values())


def join(before: Prompt, after: Prompt) -> Prompt:
    """Return two prompts for one object on one frame as one."""
    if before.mask is not None or after.mask is not None:
        return after
    points = np.concatenate([before.points, after.points])
    labels = np.concatenate([before.labels, after.labels])
    box = before.box if after.box is None else after.box
    return Prompt.from_points(after.frame_idx, after.obj_id, points, labels, box)


def _cut(array: ArrayLike | str | Path, threshold: float) -> NDArray[np.bool_]:
    from napari_sam2_probe.video.masks import read_mask

    if not isinstance(array, str | Path):
        raise InputError("A threshold is for the file of a mask: of an array, give array >= threshold.")
    cut: NDArray[np.bool_] = read_mask(array, threshold=threshold) == 1
    return cut


def _labels(array: ArrayLike | str | Path) -> NDArray[Any]:
    from napari_sam2_probe.video.masks import read_mask

    if isinstance(array, str | Path):
        return read_mask(array)
    labels = np.asarray(array)
    if labels.ndim != 2 or labels.dtype.kind not in "bui":
        raise InputError(
            f"A mask is an array (H, W) of bool or whole numbers, not one of shape {labels.shape} and {labels.dtype}."
        )
    return labels


def _numbers(values: ArrayLike, what: str, form: str) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"The {what} {_short(values)} can't be read: give {form}.") from error
    if not np.isfinite(numbers).all():
        raise InputError(f"The {what} {_short(values)} hold a number that is not finite: give {form}.")
    return numbers


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
