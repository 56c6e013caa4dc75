"""Devices and number formats: choosing them, entering them, and saying in words when they don't suffice."""

from __future__ import annotations

import platform
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_sam2_probe.common.errors import InputError, ResourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

DEVICES = ("auto", "cuda", "mps", "cpu")
"""Names of devices; ``cuda:1`` names the second GPU."""

DTYPES = ("auto", "float32", "bfloat16", "float16")
"""Names of number formats."""

_OUT_OF_MEMORY = re.compile(r"out of memory|can't allocate memory|failed to allocate|alloc_failed", re.IGNORECASE)


def choose_device(name: str = "auto") -> torch.device:
    """Return the device that `name` means, after using it once.

    Parameters
    ----------
    name
        ``"auto"`` (a GPU if there is one: CUDA, then Apple's MPS; else the CPU), ``"cuda"``, ``"cuda:1"``,
        ``"mps"`` or ``"cpu"``.

    Raises
    ------
    InputError
        If `name` is none of these.
    ResourceError
        If the device is not there or doesn't work.
    """
    import torch

    if not isinstance(name, str) or not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise InputError(
            f"There is no device {name!r}; choose one of {', '.join(DEVICES)}, or cuda:1 for a second GPU."
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda":
        _require_cuda(device)
    elif device.type == "mps" and not torch.backends.mps.is_available():
        raise ResourceError("This machine has no Apple GPU that torch can use (mps): choose the CPU (--device cpu).")
    return device


def _require_cuda(device: torch.device) -> None:
    import torch

    if not torch.cuda.is_available():
        why = "this torch was built without CUDA" if torch.version.cuda is None else "torch finds no NVIDIA GPU"
        raise ResourceError(
            f"The device {device} is not there ({why}): choose the CPU (--device cpu), or see 'sam2-probe doctor'."
        )
    count = torch.cuda.device_count()
    if (device.index or 0) >= count:
        raise ResourceError(
            f"The device {device} is not there: this machine has {count} GPU(s), cuda:0 to cuda:{count - 1}."
        )
    try:
        # A GPU that is seen may still be too old for this torch, or taken by somebody else.
        torch.zeros(1, device=device).add_(1).item()
    except RuntimeError as error:
        raise ResourceError(
            f"The device {device} doesn't work ({_first_line(error)}): choose the CPU (--device cpu), or see "
            "'sam2-probe doctor'."
        ) from error


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """Return the number format that the network computes in.

    ``"auto"`` is float32 on every device: tables and figures are made from float32 runs unless another format is
    asked for, so that runs of different machines can be compared and are never mixed. ``"bfloat16"`` is about
    twice as fast on GPUs that have it. The weights stay float32; statistics are float32 always.

    Raises
    ------
    InputError
        If `name` is no format.
    ResourceError
        If the device can't compute in it.
    """
    import torch

    if name not in DTYPES:
        raise InputError(f"There is no number format {name!r}; choose one of {', '.join(DTYPES)}.")
    dtype = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(name, torch.float32)
    if dtype is torch.bfloat16 and device.type == "cuda" and torch.cuda.get_device_capability(device) < (8, 0):
        raise ResourceError(
            f"{describe_device(device)} doesn't compute in bfloat16: choose float32 or float16 (--dtype)."
        )
    return dtype


@contextmanager
def computing(device: torch.device, dtype: torch.dtype, *, fewer: str = "objects at a time") -> Iterator[None]:
    """Compute without gradients and in `dtype` while the block runs, and say in words if memory runs out.

    Enter it around one step of the model and leave it before handing anything to a caller: autocast and
    inference mode belong to the thread, so held across a ``yield`` they would leak into whatever else the thread
    does. A float32 block is float32 even inside somebody else's autocast.

    Parameters
    ----------
    device, dtype
        Where and in which number format.
    fewer
        What to choose fewer of if memory runs out.

    Raises
    ------
    ResourceError
        If the device's memory doesn't suffice.
    """
    import torch

    reduced = dtype is not torch.float32
    # Autocast refuses float32 as a format, so a float32 block only switches it off.
    with (
        oom_as_sentence(device, fewer=fewer),
        torch.inference_mode(),
        torch.autocast(device.type, dtype=dtype if reduced else None, enabled=reduced),
    ):
        yield


@contextmanager
def oom_as_sentence(device: torch.device, *, fewer: str = "objects at a time") -> Iterator[None]:
    """Turn "out of memory", in the forms torch and Python have for it, into a :class:`ResourceError`."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise out_of_memory(device, fewer=fewer) from error
        raise


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on any device."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and bool(_OUT_OF_MEMORY.search(str(error)))


def out_of_memory(device: torch.device, *, fewer: str = "objects at a time") -> ResourceError:
    """Return the error that says the memory of `device` doesn't suffice, and what to choose smaller."""
    free = free_memory(device)
    left = "" if free is None else f" ({free / 1e9:.1f} GB are free)"
    if device.type == "cpu":
        return ResourceError(
            f"The memory of this machine doesn't suffice{left}: close other programs, or choose a smaller checkpoint "
            f"or fewer {fewer}."
        )
    return ResourceError(
        f"The memory of {device} doesn't suffice{left}: choose a smaller checkpoint, fewer {fewer}, "
        "bfloat16 (--dtype bfloat16) or the CPU (--device cpu), or end other programs that use the GPU."
    )


def free_memory(device: torch.device) -> int | None:
    """Return the bytes that can still be allocated on `device`; None where the device doesn't say.

    On a CUDA device this includes what torch has reserved and doesn't use.
    """
    import psutil
    import torch

    if device.type == "cuda":
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + reserved
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return int(psutil.virtual_memory().available)


def describe_device(device: torch.device) -> str:
    """Return the device in words: its name, its size, and how torch calls it."""
    import torch

    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"{properties.name}, {properties.total_memory / 1e9:.0f} GB ({device})"
    if device.type == "mps":
        return "Apple GPU (mps)"
    processor = platform.processor() or platform.machine()
    return f"{processor} CPU, {torch.get_num_threads()} threads (cpu)"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
