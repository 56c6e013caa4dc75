"""Processes that work on a list of things: stopped in an orderly way, and never left behind."""

from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process, resource_tracker
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from napari_sam2_probe.common.errors import ResourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

# So often each process takes something on, at least: else one would work alone at the end.
_LEAST_TURNS = 4

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def default_workers() -> int:
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def map_unordered(
    make: Callable[..., Callable[[_Item], _Result]],
    arguments: tuple[Any, ...],
    items: Sequence[_Item],
    workers: int,
    most_together: int = 1,
) -> Generator[tuple[_Item, _Result], None, None]:
    """Call ``make(*arguments)`` once in each process, and what it returns on every item; give results as they come.

    With one worker, or one item, all happens in this process. An exception, ``KeyboardInterrupt`` included, and
    closing the generator let the items in progress end and drop the others.

    Parameters
    ----------
    make
        Makes the function that works on an item; what it keeps, it keeps for all items of its process.
    arguments
        What `make` is called with.
    items
        The items, in the order in which they are begun.
    workers
        The largest number of processes.
    most_together
        How many neighbours in `items` one process takes on at once, at most: more where neighbours share what a
        process keeps. Fewer where there are few, so that all processes have something to do.

    Raises
    ------
    ResourceError
        If a process dies.
    """
    workers = min(workers, len(items))
    if workers <= 1:
        work = make(*arguments)
        for item in items:
            yield item, work(item)
        return
    # Fresh processes: a fork of a process with threads (a window, torch) can hang.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start, (make, arguments))
    try:
        together = max(1, min(most_together, len(items) // (workers * _LEAST_TURNS)))
        groups = [items[first : first + together] for first in range(0, len(items), together)]
        with _ctrl_c_held_back(), _script_left_out():
            futures = {pool.submit(_work, group): group for group in groups}
        for future in as_completed(futures):
            yield from zip(futures[future], future.result(), strict=True)
    except BrokenProcessPool as error:
        raise ResourceError(
            "A worker process died, most likely for lack of memory: use fewer workers, then run the command again."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _ctrl_c_held_back() -> Generator[None, None, None]:
    """Let processes that begin here never hear of Ctrl-C; this one hears of it afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # It is begun with the first process, and would let the signal through again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _script_left_out() -> Generator[None, None, None]:
    """Let processes that begin here not run the user's script again, as Python has them do: they need nothing of it.

    So a script needs no ``if __name__ == "__main__"``.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


# What a worker process does with an item; set once when the process starts, unused in any other.
_worker: dict[str, Callable[[Any], Any]] = {}


def _start(make: Callable[..., Callable[[Any], Any]], arguments: tuple[Any, ...]) -> None:
    # Ctrl-C reaches all processes of a terminal; the parent decides what is done about it. Windows can't hold it back.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    _worker["work"] = make(*arguments)


def _work(group: Sequence[Any]) -> list[Any]:
    return [_worker["work"](item) for item in group]


def _exit_with_parent() -> None:
    """End this process when its parent is gone; else it would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
