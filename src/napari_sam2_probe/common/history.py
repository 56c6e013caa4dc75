"""Steps that can be undone and redone: the one history that the session, the run and the window's prompts use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Step = TypeVar("Step")


class History(Generic[Step]):
    """The last `depth` steps, and those of them that were undone.

    Parameters
    ----------
    depth
        How many steps are kept.
    """

    def __init__(self, depth: int = 100) -> None:
        self._depth = depth
        self._done: list[Step] = []
        self._undone: list[Step] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to redo."""
        return bool(self._undone)

    @property
    def done(self) -> tuple[Step, ...]:
        """The steps that can be undone, the latest last."""
        return tuple(self._done)

    @property
    def undone(self) -> tuple[Step, ...]:
        """The steps that can be redone, the next one last."""
        return tuple(self._undone)

    def add(self, step: Step) -> None:
        """Note a step; what was undone before can't be redone after it."""
        self._done.append(step)
        del self._done[: -self._depth]
        self._undone.clear()

    def undo(self) -> Step | None:
        """Return the step to undo, if there is one."""
        if not self._done:
            return None
        self._undone.append(self._done.pop())
        return self._undone[-1]

    def redo(self) -> Step | None:
        """Return the step to redo, if there is one."""
        if not self._undone:
            return None
        self._done.append(self._undone.pop())
        return self._done[-1]

    def forget_undone(self) -> None:
        """Drop the steps that could be redone."""
        self._undone.clear()

    def change(self, change: Callable[[Step], Step | None]) -> None:
        """Replace every step by what `change` makes of it; where that is None, the step is dropped."""
        self._done = [new for step in self._done if (new := change(step)) is not None]
        self._undone = [new for step in self._undone if (new := change(step)) is not None]

    def clear(self) -> None:
        """Drop all steps."""
        self._done.clear()
        self._undone.clear()
