"""A process that draws figures.

Matplotlib draws in Python, half a second a figure, and a thread that does so keeps Python's lock from the window and
from the model that tracks beside it: the window then stood still for a quarter of a second. A process has a lock of its
own.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from napari_sam2_probe.gui.drawing import draw_plot

if TYPE_CHECKING:
    from collections.abc import Callable

    from loky import ProcessPoolExecutor
    from matplotlib.figure import Figure

    from napari_sam2_probe.gui.drawing import DrawnPlot, PlotTheme

logger = logging.getLogger(__name__)

IDLE_SECONDS = 600
"""After so long without a figure the process ends; the next figure begins another."""


class DrawingProcess:
    """Draws for the panels of one viewer; it begins with the first figure."""

    def __init__(self) -> None:
        self._executor: ProcessPoolExecutor | None = None
        self._lock = threading.Lock()

    def draw(
        self, make: Callable[[float, float], Figure], size: tuple[int, int], pixel_ratio: float, theme: PlotTheme
    ) -> DrawnPlot:
        """Draw a figure as `draw_plot` does, and wait for it; for any thread but the window's.

        Where the process dies, and while the window closes, the calling thread draws.

        Parameters
        ----------
        make, size, pixel_ratio, theme
            As for `draw_plot`. `make` is sent to the process, with whatever it holds.
        """
        executor = self._begin()
        try:
            return executor.submit(draw_plot, make, size, pixel_ratio, theme).result()
        except RuntimeError:
            # A broken pool, and one that is shut down, are RuntimeErrors.
            logger.info("the process that draws is gone", exc_info=True)
            self._forget(executor)
        return draw_plot(make, size, pixel_ratio, theme)

    def close(self) -> None:
        """End the process, also amid a figure; calling it twice is harmless."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=True, kill_workers=True)

    def _begin(self) -> ProcessPoolExecutor:
        # Unlike the standard library's pool it never runs the user's script again in the new process.
        from loky import ProcessPoolExecutor

        with self._lock:
            if self._executor is None:
                self._executor = ProcessPoolExecutor(1, timeout=IDLE_SECONDS, initializer=_begin_in_process)
            return self._executor

    def _forget(self, executor: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._executor is executor:
                self._executor = None
        executor.shutdown(wait=False, kill_workers=True)


def _begin_in_process() -> None:
    """Let the window and the model go first where processors are few, and end with them however they end."""
    import psutil

    threading.Thread(target=_exit_with_parent, daemon=True).start()
    process = psutil.Process()
    if sys.platform == "win32":
        process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        process.nice(5)


def _exit_with_parent() -> None:
    import psutil

    parent = os.getppid()
    # Killed, it says nothing. A process that loses its parent gets another one, but on Windows.
    while os.getppid() == parent and psutil.pid_exists(parent):
        time.sleep(1)
    os._exit(1)
