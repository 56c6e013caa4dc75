"""Moving results off the device without making the device wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor


class HostCopy:
    """Copies of tensors on their way to the CPU, which are waited for only when somebody looks.

    Until then the program goes on giving the device work. On a CPU nothing is copied.

    Parameters
    ----------
    tensors
        All on one device; not edited afterwards.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._event: torch.cuda.Event | None = None
        on_cuda = bool(tensors) and tensors[0].device.type == "cuda"
        # Without blocking, torch copies from CUDA into page-locked memory, and elsewhere might return before the end.
        self._copies = [t.to("cpu", non_blocking=on_cuda) for t in tensors]
        if on_cuda:
            self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._event.record(torch.cuda.current_stream(tensors[0].device))

    def arrays(self) -> list[NDArray[Any]]:
        """Wait until the copies are there, and return them."""
        if self._event is not None:
            self._event.synchronize()
            self._event = None
        return [t.numpy() for t in self._copies]
