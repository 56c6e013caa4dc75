"""Progress events as bars with time left."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.progress import TimeLeft, duration_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam2_probe.common.progress import Progress, ProgressCallback

LOG_SECONDS = 10.0
"""How often a line is written where stderr is no terminal: a log wants few lines, and none of a short job."""

_KNOWN_TOTAL = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]{postfix}"
_UNKNOWN_TOTAL = "{desc}: {n_fmt} [{elapsed}]"


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
        self._what = self._beside = ""

    def show(self, event: Progress) -> None:
        if self._bar is None or self._what != event.what:
            self.close()
            self._bar, self._what = self._new_bar(event), event.what
        is_news = event.beside != self._beside
        self._beside = event.beside
        self._bar.set_postfix_str(event.beside, refresh=False)
        # A bar that doesn't move is drawn again only when `refresh` is called.
        if not self._bar.update(event.done - self._bar.n) and is_news:
            self._bar.refresh()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    @staticmethod
    def _new_bar(event: Progress) -> Any:
        from tqdm import tqdm

        size = shutil.get_terminal_size()
        return tqdm(
            total=event.total or None,
            # What an earlier call has done says nothing about the pace of this one.
            initial=event.done,
            desc=event.what,
            unit_scale=event.unit == "byte",
            bar_format=_KNOWN_TOTAL if event.total else _UNKNOWN_TOTAL,
            file=sys.stderr,
            # tqdm would show nothing in a terminal that doesn't know its size, as some containers' don't.
            ncols=size.columns,
            nrows=size.lines,
        )


class _Lines:
    """A line every ten seconds."""

    def __init__(self) -> None:
        self._what = ""
        self._last = 0.0
        self._time_left = TimeLeft()

    def show(self, event: Progress) -> None:
        now = time.monotonic()
        left = self._time_left.take(event)
        if self._what != event.what:
            self._what, self._last = event.what, now
        if now - self._last >= LOG_SECONDS:
            self._last = now
            print(_line(event, left), file=sys.stderr, flush=True)  # noqa: T201

    def close(self) -> None:
        """Do nothing: every line is complete."""


def _line(event: Progress, left: float | None) -> str:
    """Return how far a job is that takes `left` seconds more, if that is known."""

    def amount(count: int) -> str:
        return f"{count / 1e6:.0f} MB" if event.unit == "byte" else f"{count}"

    of = f" of {amount(event.total)}" if event.total else ""
    time_left = "" if left is None else f", about {duration_text(left)} left"
    beside = f"; {event.beside}" if event.beside else ""
    return f"{event.what}: {amount(event.done)}{of}{time_left}{beside}"
