"""The simulated user at work in a session: prompts one object on one frame, looking at SAM 2's answer in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam2_probe.evaluation.clicks import box_of, next_click
from napari_sam2_probe.tracking.prompts import Prompt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_sam2_probe.evaluation.protocols.truth import ObjectTruth
    from napari_sam2_probe.tracking.results import FrameResult
    from napari_sam2_probe.tracking.session import VideoSession

Said = dict[str, Any]
"""What was said about an object on a frame, as it is stored: see `JobResult`."""


def object_mask(result: FrameResult, object_id: int) -> NDArray[np.bool_]:
    """Return the mask (H, W) of one object, whatever else claims its pixels."""
    mask: NDArray[np.bool_] = (result.mask_logits[result.obj_ids.index(object_id), 0] > 0).cpu().numpy()
    return mask


def give_mask(session: VideoSession, truth: ObjectTruth) -> Said:
    """Prompt with the true mask on the object's first frame."""
    mask = truth.mask(truth.first)
    session.add_prompt(Prompt.from_mask(truth.first, truth.object_id, mask))
    return {"object_id": truth.object_id, "frame": truth.first, "mask": int(mask.sum())}


def give_box(session: VideoSession, truth: ObjectTruth) -> Said:
    """Prompt with the box around the true mask on the object's first frame."""
    box = box_of(truth.mask(truth.first))
    session.add_prompt(Prompt.from_points(truth.first, truth.object_id, box=box))
    return {"object_id": truth.object_id, "frame": truth.first, "box": box.tolist()}


def give_clicks(
    session: VideoSession,
    truth: ObjectTruth,
    frame_idx: int,
    number: int,
    prediction: NDArray[np.bool_] | None = None,
) -> Said:
    """Click up to `number` times on a frame, each time in the middle of what is wrong by then.

    Parameters
    ----------
    session, truth, frame_idx
        What to click on; the frame is annotated.
    number
        How often. A user who sees nothing wrong stops earlier.
    prediction
        What SAM 2 predicted there so far; None for nothing, so that the first click goes to the object's middle.
    """
    true_mask = truth.mask(frame_idx)
    points: list[tuple[int, int]] = []
    labels: list[int] = []
    for _ in range(number):
        click = next_click(true_mask, prediction)
        if click is None:
            break
        points.append((click.x, click.y))
        labels.append(int(click.positive))
        result = session.add_prompt(Prompt.from_points(frame_idx, truth.object_id, points, labels))
        prediction = object_mask(result, truth.object_id)
    return {
        "object_id": truth.object_id,
        "frame": frame_idx,
        "points": [list(point) for point in points],
        "labels": labels,
    }
