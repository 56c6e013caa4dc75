"""Bring a session to what the window wants it to have been told, taking back rather than adding where possible."""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam2_probe.live.prompt_state import NOTHING, Key, PromptState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam2_probe.tracking.session import VideoSession

_DEPTH = 100
"""Steps that a session remembers (`tracking.objects.History`)."""


@dataclass(frozen=True, slots=True)
class _Step:
    key: Key
    before: PromptState
    after: PromptState


class PromptSynchronizer:
    """Says things to a session, and knows what it has been told.

    SAM 2 refines the earlier mask of a frame with every further click, so a click that is taken back must be undone
    in the session: to tell it the earlier clicks again would keep the wrong mask as a start.

    Parameters
    ----------
    session
        The session; nobody else changes its prompts.
    """

    def __init__(self, session: VideoSession) -> None:
        self._session = session
        self._told: dict[Key, PromptState] = {}
        self._done: deque[_Step] = deque(maxlen=_DEPTH)
        self._undone: list[_Step] = []

    @property
    def told(self) -> dict[Key, PromptState]:
        """What the session has been told by frame and object, in the order in which it was told first."""
        return dict(self._told)

    def reach(self, key: Key, wanted: PromptState) -> None:
        """Let the session know just `wanted` about a frame and an object.

        Raises
        ------
        InputError
            If the prompt doesn't fit the video, or there is no such candidate.
        """
        now = self._told.get(key, NOTHING)
        if wanted == now:
            return
        back = _steps_to(wanted, [step.before for step in _trailing(self._done, key)])
        on = _steps_to(wanted, [step.after for step in _trailing(self._undone, key)])
        if back:
            for _ in range(back):
                self._session.undo()
                self._undone.append(self._done.pop())
        elif on:
            for _ in range(on):
                self._session.redo()
                self._done.append(self._undone.pop())
        else:
            self._say(key, now, wanted)
            return
        self._note(key, wanted)

    def forget(self, obj_id: int) -> None:
        """Let the session forget an object, with all that was tracked of it."""
        if obj_id in self._session.obj_ids:
            self._session.remove_object(obj_id)
        self._told = {key: state for key, state in self._told.items() if key[1] != obj_id}
        self._done = deque((step for step in self._done if step.key[1] != obj_id), maxlen=_DEPTH)
        self._undone = [step for step in self._undone if step.key[1] != obj_id]

    def _say(self, key: Key, now: PromptState, wanted: PromptState) -> None:
        frame_idx, obj_id = key
        if wanted.is_empty:
            self._session.clear_prompt(frame_idx, obj_id)
            self._step(key, now, wanted)
            return
        if wanted.without_candidate != now.without_candidate or (
            wanted.candidate is None and now.candidate is not None
        ):
            self._session.add_prompt(wanted.prompt(key))
            self._step(key, now, wanted.without_candidate)
            now = wanted.without_candidate
        if wanted.candidate is not None:
            self._session.choose_candidate(frame_idx, obj_id, wanted.candidate)
            self._step(key, now, wanted)

    def _step(self, key: Key, before: PromptState, after: PromptState) -> None:
        self._done.append(_Step(key, before, after))
        self._undone.clear()
        self._note(key, after)

    def _note(self, key: Key, state: PromptState) -> None:
        if state.is_empty:
            self._told.pop(key, None)
        else:
            self._told[key] = state


def _trailing(steps: Sequence[_Step], key: Key) -> list[_Step]:
    """Return the last steps, the very last first, as long as they are of this frame and object."""
    return list(itertools.takewhile(lambda step: step.key == key, reversed(steps)))


def _steps_to(wanted: PromptState, states: Sequence[PromptState]) -> int:
    """Return how many steps lead to a state, 0 if none do."""
    return states.index(wanted) + 1 if wanted in states else 0
