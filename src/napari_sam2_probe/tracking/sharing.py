"""Sharing the machine with others: how many threads torch uses, and memory given back."""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def leave_a_core() -> int:
    """Let torch use one core less than there are, and return how many threads it used before.

    With all cores busy a window that is drawn in software waits for the model, and the model for the window.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, (os.cpu_count() or 2) - 1)))
    return before


def use_threads(count: int) -> None:
    """Let torch use this many threads, as `leave_a_core` returned it."""
    import torch

    torch.set_num_threads(count)


@contextmanager
def processor_threads(count: int) -> Iterator[None]:
    """Let torch use so many processor threads while the block runs: their number moves float32 results."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def give_memory_back() -> None:
    """Hand memory that torch holds on GPUs and no longer needs to other programs."""
    import torch

    # Sessions and their tensors may still wait for the collector in reference cycles, also in what was set aside for
    # it not to look at.
    gc.unfreeze()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
