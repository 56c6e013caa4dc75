"""One object over time, as a lane under the video shows it: what is tracked, what was said, what is doubtful."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.live.doubt import is_doubtful
from napari_sam2_probe.live.prompt_state import PromptState
from napari_sam2_probe.live.scores import Numbers, Standing
from napari_sam2_probe.runs.info import INFO
from napari_sam2_probe.runs.prompts_file import prompts_from_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_sam2_probe.live.prompt_state import Key
    from napari_sam2_probe.live.scores import ScoreTable
    from napari_sam2_probe.runs.run import ProbeRun


class Mark(Enum):
    """What was said of an object on a frame."""

    INCLUDED = "included point"
    EXCLUDED = "excluded point"
    BOX = "box"
    MASK = "mask"


@dataclass(frozen=True, eq=False)
class Lane:
    """One object over time.

    Attributes
    ----------
    obj_id
        The object.
    numbers
        What is known of it.
    marks
        What was said of it, by frame: each kind once.
    doubtful
        (T,) bool: frames that are worth a second look.
    """

    obj_id: int
    numbers: Numbers
    marks: Mapping[int, tuple[Mark, ...]]
    doubtful: NDArray[np.bool_]

    @property
    def num_frames(self) -> int:
        """Its length in frames, T."""
        return len(self.doubtful)

    def describe(self, frame_idx: int) -> list[str]:
        """Return what is known of a frame: short phrases."""
        numbers = self.numbers
        standing = Standing(int(numbers.standings[frame_idx]))
        words = {
            Standing.NOTHING: "not tracked",
            Standing.PROMPTED: "mask from the prompt",
            Standing.TRACKED: "tracked",
            Standing.STALE: "stale: track again",
        }
        known = [*(mark.value for mark in self.marks.get(frame_idx, ())), words[standing]]
        score, iou, jaccard = (
            float(values[frame_idx]) for values in (numbers.object_scores, numbers.predicted_iou, numbers.jaccard)
        )
        if np.isfinite(score):
            known.append(f"object score {score:.1f}" + (" (absent)" if score <= 0 else ""))
        if np.isfinite(iou):
            known.append(f"predicted IoU {iou:.2f}")
        if np.isfinite(jaccard):
            other = "" if numbers.true_id in (None, self.obj_id) else f" (true object {numbers.true_id})"
            known.append(f"J {jaccard:.2f}{other}")
        if self.doubtful[frame_idx]:
            known.append("doubtful")
        return known


def marks_of(states: Mapping[Key, PromptState], obj_id: int) -> dict[int, tuple[Mark, ...]]:
    """Return what was said of an object, by frame, in the order of `Mark`."""
    return {frame_idx: _marks(state) for (frame_idx, of), state in states.items() if of == obj_id}


def lane_of(table: ScoreTable, states: Mapping[Key, PromptState], obj_id: int) -> Lane:
    """Return the lane of an object that is being tracked.

    Parameters
    ----------
    table
        What is known of all frames.
    states
        What was said, by frame and object.
    obj_id
        The object.
    """
    marks = marks_of(states, obj_id)
    doubtful = np.zeros(table.num_frames, bool)
    doubtful[table.doubtful_frames(obj_id, marks)] = True
    return Lane(obj_id, table.numbers(obj_id), marks, doubtful)


def lane_of_run(run: ProbeRun, obj_id: int) -> Lane:
    """Return the lane of an object in a run on disk; its masks are not read, so there is no J.

    Raises
    ------
    InputError
        If the prompts of the run can't be read.
    ValueError
        If the run has no such object.
    """
    row = run.object_ids.tolist().index(obj_id)
    unknown = np.full(run.num_frames, np.nan, np.float32)
    standings = np.where(run.tracked[row], Standing.TRACKED, Standing.NOTHING).astype(np.int8)
    numbers = Numbers(run.object_scores[row], run.predicted_iou[row], unknown, standings)
    prompts = prompts_from_json(run.info.get("prompts", []), run.path / INFO, enclosed=True)
    states = {(prompt.frame_idx, prompt.obj_id): PromptState.of(prompt) for prompt in prompts}
    marks = marks_of(states, obj_id)
    doubtful = is_doubtful(numbers.object_scores, numbers.predicted_iou) & ~run.prompted[row]
    return Lane(obj_id, numbers, marks, doubtful)


def _marks(state: PromptState) -> tuple[Mark, ...]:
    signs = {bool(positive) for *_, positive in state.points}
    said = {
        Mark.INCLUDED: True in signs,
        Mark.EXCLUDED: False in signs,
        Mark.BOX: state.box is not None,
        Mark.MASK: state.mask is not None,
    }
    return tuple(mark for mark, is_said in said.items() if is_said)
