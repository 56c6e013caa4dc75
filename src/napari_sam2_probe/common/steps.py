"""Jobs as generators: they yield steps, may be closed in between, and return a result."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_Step = TypeVar("_Step")
_Result = TypeVar("_Result")


def result_of(steps: Generator[_Step, None, _Result], each: Callable[[_Step], object] | None = None) -> _Result:
    """Run a job to its end and return what it returns; it is closed also if `each` raises.

    Parameters
    ----------
    steps
        The job.
    each
        Called with every step.
    """
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                result: _Result = end.value
                return result
            if each is not None:
                each(step)
