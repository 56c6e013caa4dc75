"""Progress events as bars with time left."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam2_probe.common.progress import Progress, ProgressCallback


@contextmanager
def progress_bars() -> Iterator[ProgressCallback]:
    """Show progress events on stderr, one bar for each thing that is done, with the time left."""
    from tqdm import tqdm

    bar: tqdm[Any] | None = None

    def show(event: Progress) -> None:
        nonlocal bar
        if bar is None or bar.desc.removesuffix(": ") != event.what:
            if bar is not None:
                bar.close()
            is_bytes = event.unit == "byte"
            bar = tqdm(
                total=event.total or None,
                desc=event.what,
                unit="B" if is_bytes else f" {event.unit}",
                unit_scale=is_bytes,
                file=sys.stderr,
                dynamic_ncols=True,
            )
        bar.update(event.done - bar.n)

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()
