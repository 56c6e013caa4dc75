"""Progress events as bars with time left."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam2_probe.common.progress import Progress, ProgressCallback

LOG_SECONDS = 10.0
"""How often a line is written where stderr is no terminal: a log wants few lines, and none of a short job."""


@contextmanager
def progress_bars() -> Iterator[ProgressCallback]:
    """Show progress events on stderr with the time left: a bar in a terminal, now and then a line in a log."""
    shown: _Bar | _Lines = _Bar() if sys.stderr.isatty() else _Lines()
    try:
        yield shown.show
    finally:
        shown.close()


class _Bar:
    """A bar for each thing that is done."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._what = ""

    def show(self, event: Progress) -> None:
        if self._bar is None or self._what != event.what:
            self.close()
            self._bar, self._what = self._new_bar(event), event.what
        self._bar.update(event.done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    @staticmethod
    def _new_bar(event: Progress) -> Any:
        from tqdm import tqdm

        is_bytes = event.unit == "byte"
        return tqdm(
            total=event.total or None,
            desc=event.what,
            unit="B" if is_bytes else f" {event.unit}",
            unit_scale=is_bytes,
            file=sys.stderr,
            dynamic_ncols=True,
        )


class _Lines:
    """A line every ten seconds."""

    def __init__(self) -> None:
        self._what = ""
        self._began = self._last = 0.0

    def show(self, event: Progress) -> None:
        from tqdm import tqdm

        now = time.monotonic()
        if self._what != event.what:
            self._what, self._began, self._last = event.what, now, now
        if now - self._last >= LOG_SECONDS:
            self._last = now
            is_bytes = event.unit == "byte"
            line = tqdm.format_meter(
                event.done,
                event.total,
                now - self._began,
                ncols=0,
                prefix=event.what,
                unit="B" if is_bytes else f" {event.unit}",
                unit_scale=is_bytes,
            )
            print(line, file=sys.stderr, flush=True)  # noqa: T201

    def close(self) -> None:
        """Do nothing: every line is whole."""
