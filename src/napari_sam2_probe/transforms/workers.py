"""Processes that work on a list of things: stopped in an orderly way, and never left behind."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import TYPE_CHECKING, Any, TypeVar

from napari_sam2_probe.common.errors import ResourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def default_workers() -> int:
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def map_unordered(
    make: Callable[..., Callable[[_Item], _Result]], arguments: tuple[Any, ...], items: Sequence[_Item], workers: int
) -> Generator[tuple[_Item, _Result], None, None]:
    """Call ``make(*arguments)`` once in each process, and what it returns on every item; give results as they come.

    With one worker, or one item, all happens in this process. An exception, ``KeyboardInterrupt`` included, and
    closing the generator let the items that are being worked on end and drop the others.

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
        futures = {pool.submit(_work, item): item for item in items}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise ResourceError(
            "A worker process died, most likely for lack of memory: use fewer workers, then run the command again."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


# What a worker process does with an item; set once when the process starts, unused in any other.
_worker: dict[str, Callable[[Any], Any]] = {}


def _start(make: Callable[..., Callable[[Any], Any]], arguments: tuple[Any, ...]) -> None:
    # Ctrl-C reaches all processes of a terminal; the parent decides what is done about it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    _worker["work"] = make(*arguments)


def _work(item: Any) -> Any:
    return _worker["work"](item)


def _exit_with_parent() -> None:
    """End this process when its parent is gone; else it would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
