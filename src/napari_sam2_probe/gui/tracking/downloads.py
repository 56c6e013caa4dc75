"""Work that reports by callback, as a generator that a job can pause and cancel."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.progress import Progress
from napari_sam2_probe.models.download import DownloadCancelled, download

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from napari_sam2_probe.models.checkpoints import OfficialCheckpoint

_TICK = 0.1


def downloading(
    checkpoint: OfficialCheckpoint, folder: Path | None = None, base_url: str | None = None
) -> Generator[Progress, None, None]:
    """Download and verify a checkpoint; closing the generator stops, and what arrived is kept for the next time.

    Parameters
    ----------
    checkpoint, folder, base_url
        As in `tracking.download.download`.

    Yields
    ------
    Progress
        The latest, ten times a second, also while nothing arrives.

    Raises
    ------
    ResourceError
        As `tracking.download.download`.
    """
    told: queue.SimpleQueue[Progress | BaseException | None] = queue.SimpleQueue()
    cancelled = threading.Event()

    def work() -> None:
        end: BaseException | None = None
        try:
            download(checkpoint, folder, progress=told.put, cancelled=cancelled.is_set, base_url=base_url)
        except DownloadCancelled:
            pass
        except BaseException as error:
            end = error
        told.put(end)

    thread = threading.Thread(target=work, name="sam2-probe download", daemon=True)
    thread.start()
    latest = Progress(0, checkpoint.num_bytes or 0, f"downloading {checkpoint.filename}", "byte")
    try:
        while True:
            news = _news(told)
            steps = [step for step in news if isinstance(step, Progress)]
            latest = steps[-1] if steps else latest
            yield latest
            if len(steps) < len(news):
                error = next(step for step in news if not isinstance(step, Progress))
                if isinstance(error, BaseException):
                    raise error
                return
    finally:
        cancelled.set()


def _news(told: queue.SimpleQueue[Any]) -> list[Any]:
    """Return what has been told, waiting a little for the first."""
    news: list[Any] = []
    try:
        news.append(told.get(timeout=_TICK))
        while True:
            news.append(told.get_nowait())
    except queue.Empty:
        return news
