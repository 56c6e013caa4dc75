"""Short work of a panel beside the window: reading a run, drawing a figure. Long work is a `jobs.Job`."""

from __future__ import annotations

import gc
import logging
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from qtpy.QtCore import QObject, Signal

from napari_sam2_probe.common.errors import ProbeError
from napari_sam2_probe.gui.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


class Background(QObject):
    """One thread that does what is asked in order; of requests with one key only the latest counts.

    Where requests come faster than they can be done, that would be none of them. So for what is only shown, one that
    was begun is delivered before a later one.

    It runs beside the queue of jobs, so plots move while an object is tracked.
    """

    _ended = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sam2-probe panel")
        self._latest: dict[str, Future[Any]] = {}
        self._begun: dict[Future[Any], str] = {}
        self._turns = Turns()
        self._closed = False
        self._ended.connect(self._turns.add)

    @property
    def busy(self) -> bool:
        """Whether something is asked for and not yet delivered."""
        return bool(self._latest)

    def submit(
        self,
        key: str,
        work: Callable[[], Result],
        on_result: Callable[[Result], None],
        *,
        show_older: bool = False,
    ) -> None:
        """Do `work` in the thread and give its result to `on_result` in the GUI thread.

        Parameters
        ----------
        key
            Where this one is not begun yet, a later request with the same key replaces it.
        work
            Touches no widget and no layer.
        on_result
            Not called if `work` raises; the user is told instead.
        show_older
            Whether the result of a request with the same key that is begun already is still wanted, before this one.
        """
        if self._closed:
            return
        earlier = self._latest.get(key)
        if earlier is not None and not earlier.cancel() and show_older:
            self._begun[earlier] = key
        future = self._latest[key] = self._thread.submit(_with_collector_at_rest, work)
        future.add_done_callback(partial(self._announce, key, on_result))

    def forget(self, key: str) -> None:
        """Deliver nothing that was asked for with this key."""
        self._begun = {begun: of for begun, of in self._begun.items() if of != key}
        future = self._latest.pop(key, None)
        if future is not None:
            future.cancel()

    def close(self) -> None:
        """Begin nothing more and deliver nothing more; the thread ends with what it is doing now."""
        self._closed = True
        self._latest.clear()
        self._begun.clear()
        self._turns.close()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _announce(self, key: str, on_result: Callable[[Any], None], future: Future[Any]) -> None:
        # Called in the worker thread, or for a cancelled request in the GUI thread.
        if not (self._closed or future.cancelled()):
            self._ended.emit(partial(self._deliver, key, on_result, future))

    def _deliver(self, key: str, on_result: Callable[[Any], None], future: Future[Any]) -> None:
        is_latest = self._latest.get(key) is future
        if self._begun.pop(future, None) is None and not is_latest:
            return
        if is_latest:
            del self._latest[key]
        error = future.exception()
        if error is None:
            on_result(future.result())
        elif is_latest:
            _show(error)


def _with_collector_at_rest(work: Callable[[], Result]) -> Result:
    """Work without Python's garbage collector, then collect only what is young.

    A figure makes a hundred thousand objects. With so many the collector begins to search all that napari and torch
    have made, for half a second in which the window stands still.
    """
    at_work = gc.isenabled()
    gc.disable()
    try:
        return work()
    finally:
        gc.collect(0)
        if at_work:
            gc.enable()


def _show(error: BaseException) -> None:
    from napari.utils.notifications import show_error

    logger.info("a panel's work failed", exc_info=error)
    if isinstance(error, ProbeError):
        show_error(str(error))
    else:
        show_error(f"A panel can't show its run ({type(error).__name__}: {error}); the log has the details.")
