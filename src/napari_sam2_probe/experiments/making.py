"""Clips of one kind after the other are made beside the tracking of those kinds whose clips are there."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from napari_sam2_probe.common.progress import Progress
    from napari_sam2_probe.experiments.plan import Batch

_PAUSE = 0.2
"""Seconds to wait for clips before saying that there is nothing to track yet."""


class MakingAhead:
    """Makes the clips of kinds in turn, in a thread that mostly waits for processes; a context that ends it.

    Leaving the context lets the clips that are under way come to their end and drops the others.

    Parameters
    ----------
    make
        Gives the steps of making the clips of a kind.
    kinds
        What to make, in this order; every other kind is there.
    samples
        Clips of each kind.
    """

    def __init__(
        self, make: Callable[[str], Generator[Progress, None, None]], kinds: Sequence[str], samples: int
    ) -> None:
        self._make = make
        self._samples = samples
        self._is_ending = threading.Event()
        self._missing = dict.fromkeys(kinds, samples)
        self._futures: dict[str, Future[None]] = {}
        self._thread = ThreadPoolExecutor(1, "sam2-probe-making")

    def __enter__(self) -> MakingAhead:
        self._futures = {kind: self._thread.submit(self._run, kind) for kind in self._missing}
        # Kinds that were made before are known by then, and not told to be missing.
        wait(self._futures.values(), _PAUSE)
        return self

    def __exit__(self, *_: object) -> None:
        self._is_ending.set()
        self._thread.shutdown(wait=True, cancel_futures=True)

    @property
    def missing(self) -> int:
        """How many clips are not made yet."""
        return sum(self._missing.values())

    def trackable(self, batches: Sequence[Batch]) -> Iterator[Batch | None]:
        """Give each batch once, in this order but for those whose clips are not made yet.

        Yields
        ------
        Batch or None
            None, after a moment, where the clips of none are made.

        Raises
        ------
        InputError, ResourceError
            What the making of clips has met.
        """
        waiting = list(batches)
        while waiting:
            batch = next((batch for batch in waiting if self._is_made(batch.kind)), None)
            if batch is None:
                wait([future for future in self._futures.values() if not future.done()], _PAUSE, FIRST_COMPLETED)
            else:
                waiting.remove(batch)
            yield batch

    def _is_made(self, kind: str) -> bool:
        for future in self._futures.values():
            if future.done():
                # Raises what stopped it, whatever kind is asked for.
                future.result()
        return kind not in self._futures or self._futures[kind].done()

    def _run(self, kind: str) -> None:
        with closing(self._make(kind)) as steps:
            for step in steps:
                self._missing[kind] = self._samples - step.done
                if self._is_ending.is_set():
                    return
        self._missing[kind] = 0
