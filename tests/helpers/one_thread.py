"""One thread for torch: the number of threads moves float32 results, so whatever is compared must have the same."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def one_thread_of_torch() -> Iterator[None]:
    """Have torch use one thread while a block runs, whatever comes of it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
