"""What is asked of a session that is busy: of several requests for one thing only the latest counts."""

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
    """Requests in the order in which the latest of each was made; put in by one thread, taken out by another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[Key, PromptState] = {}
        self._removals: list[Removal] = []

    def __bool__(self) -> bool:
        with self._lock:
            return bool(self._requests or self._removals)

    def __contains__(self, key: object) -> bool:
        with self._lock:
            return key in self._requests

    def put(self, requests: Mapping[Key, PromptState]) -> None:
        """Ask for these prompts; earlier requests for the same frame and object are dropped."""
        with self._lock:
            for key, state in requests.items():
                self._requests.pop(key, None)
                self._requests[key] = state

    def remove(self, obj_id: int) -> None:
        """Ask that an object is forgotten; what was asked for it before is dropped."""
        with self._lock:
            self._requests = {key: state for key, state in self._requests.items() if key[1] != obj_id}
            self._removals.append(Removal(obj_id))

    def take(self) -> tuple[Key, PromptState] | Removal | None:
        """Take out the next request; None if there is none."""
        with self._lock:
            if self._removals:
                return self._removals.pop(0)
            if not self._requests:
                return None
            key = next(iter(self._requests))
            return key, self._requests.pop(key)
