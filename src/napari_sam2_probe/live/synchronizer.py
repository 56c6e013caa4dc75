"""Bring a session to the prompts that are wanted, undoing and redoing rather than adding where possible."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.live.prompt_state import Key, PromptState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam2_probe.tracking.objects import Edit, FrameState
    from napari_sam2_probe.tracking.prompts import Prompt
    from napari_sam2_probe.tracking.session import VideoSession

_Applied = tuple["Prompt | None", int | None]
"""A prompt and the candidate that was chosen."""

_NOTHING: _Applied = (None, None)


class PromptSynchronizer:
    """Gives a session prompts as values; all that it knows, it asks the session.

    SAM 2 refines the earlier mask of a frame with every further click, so a click that is taken back must be undone
    in the session: to give it the earlier clicks again would keep the wrong mask as a start.

    Parameters
    ----------
    session
        The session.
    """

    def __init__(self, session: VideoSession) -> None:
        self._session = session

    @property
    def applied(self) -> dict[Key, PromptState]:
        """The prompts that the session has, by frame and object."""
        session = self._session
        return {
            (frame_idx, obj_id): PromptState.of(prompt, session.chosen(obj_id).get(frame_idx))
            for obj_id in session.obj_ids
            for frame_idx, prompt in session.prompts(obj_id).items()
        }

    def sync(self, key: Key, wanted: PromptState) -> None:
        """Let the session have just the prompt `wanted` for an object on a frame.

        Raises
        ------
        InputError
            If the prompt doesn't fit the video, or there is no such candidate; then nothing has changed.
        """
        target = (None if wanted.is_empty else wanted.prompt(key), wanted.candidate)
        now = self._now(key)
        if _is_same(now, target):
            return
        history = self._session.history
        back = _steps_to(target, [_applied(edit.before) for edit in _trailing(history.done, key)])
        on = _steps_to(target, [_applied(edit.after) for edit in _trailing(history.undone, key)])
        if back:
            for _ in range(back):
                self._session.undo()
        elif on:
            for _ in range(on):
                self._session.redo()
        else:
            self._give(key, now, target)

    def _give(self, key: Key, now: _Applied, target: _Applied) -> None:
        frame_idx, obj_id = key
        prompt, candidate = target
        if prompt is None:
            self._session.clear_prompt(frame_idx, obj_id)
            return
        is_new = not _is_same_prompt(now[0], prompt) or (candidate is None and now[1] is not None)
        if is_new:
            self._session.add_prompt(prompt)
        if candidate is not None:
            try:
                self._session.choose_candidate(frame_idx, obj_id, candidate)
            except InputError:
                if is_new:
                    self._session.take_back()
                raise

    def _now(self, key: Key) -> _Applied:
        frame_idx, obj_id = key
        if obj_id not in self._session.obj_ids:
            return _NOTHING
        return self._session.prompts(obj_id).get(frame_idx), self._session.chosen(obj_id).get(frame_idx)


def _trailing(edits: Sequence[Edit], key: Key) -> list[Edit]:
    """Return the last edits, the very last first, as long as they are of this frame and object."""
    return list(itertools.takewhile(lambda edit: (edit.frame_idx, edit.obj_id) == key, reversed(edits)))


def _applied(state: FrameState | None) -> _Applied:
    return _NOTHING if state is None else (state.prompt, state.chosen)


def _steps_to(target: _Applied, states: Sequence[_Applied]) -> int:
    """Return how many steps lead to a state, 0 if none do."""
    return next((number for number, state in enumerate(states, 1) if _is_same(state, target)), 0)


def _is_same(one: _Applied, other: _Applied) -> bool:
    return one[1] == other[1] and _is_same_prompt(one[0], other[0])


def _is_same_prompt(one: Prompt | None, other: Prompt | None) -> bool:
    if one is None or other is None:
        return one is other
    pairs = ((one.points, other.points), (one.labels, other.labels), (one.box, other.box), (one.mask, other.mask))
    return all(a is b or (a is not None and b is not None and np.array_equal(a, b)) for a, b in pairs)
