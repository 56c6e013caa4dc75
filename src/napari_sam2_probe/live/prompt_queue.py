"""What the window wants of a session that is busy: of several wishes for one thing only the latest counts."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam2_probe.live.prompt_state import Key, PromptState


@dataclass(frozen=True, slots=True)
class Removal:
    """An object is to be forgotten."""

    obj_id: int


class PromptQueue:
    """Wishes in the order in which the latest of each was made; put in by one thread, taken out by another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wishes: dict[Key, PromptState] = {}
        self._removals: list[Removal] = []

    def __bool__(self) -> bool:
        with self._lock:
            return bool(self._wishes or self._removals)

    def put(self, wishes: Mapping[Key, PromptState]) -> None:
        """Wish that this is said; earlier wishes for the same frame and object are dropped."""
        with self._lock:
            for key, state in wishes.items():
                self._wishes.pop(key, None)
                self._wishes[key] = state

    def remove(self, obj_id: int) -> None:
        """Wish that an object is forgotten, and whatever was wished for it."""
        with self._lock:
            self._wishes = {key: state for key, state in self._wishes.items() if key[1] != obj_id}
            self._removals.append(Removal(obj_id))

    def take(self) -> tuple[Key, PromptState] | Removal | None:
        """Take out the next wish; None if there is none."""
        with self._lock:
            if self._removals:
                return self._removals.pop(0)
            if not self._wishes:
                return None
            key = next(iter(self._wishes))
            return key, self._wishes.pop(key)
