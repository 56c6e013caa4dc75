"""A GPU that is not there: tensors that were sent to it are marked, and what a real one would refuse is refused.

All is computed on the CPU. What it finds is code that forgets where its tensors are: an operation on tensors of two
devices, NumPy's look at a tensor on the GPU, an index on the GPU into a tensor on the CPU, a copy that is read before
it has been waited for. It says nothing of speed, memory or numbers.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._pytree import tree_flatten

DEVICE = torch.device("cuda:0")

# These look at a tensor, or copy into one, wherever the other is.
_ANYWHERE = {"copy_", "__set__", "__get__", "__deepcopy__", "_has_compatible_shallow_copy_type"}


class PretendedGPU(TorchFunctionMode):
    """Refuses in the thread that entered it; marks travel from inputs to outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0
        self.copies: list[torch.Tensor] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if func == torch.Tensor.device.__get__:
            return DEVICE if is_marked(args[0]) else func(*args)
        if func == torch.Tensor.is_cuda.__get__:
            return is_marked(args[0])
        if name in ("numpy", "__array__") and is_marked(args[0]):
            raise TypeError("can't convert cuda:0 device type tensor to numpy; use Tensor.cpu() first")
        if name in ("numpy", "__array__") and getattr(args[0], "_under_way", None) is not None:
            assert args[0]._under_way.waited, "a copy from the GPU was read before it was there"
        if name == "pin_memory":
            assert not is_marked(args[0]), "only memory of the CPU is pinned"
            return args[0]
        if name in ("to", "cpu", "cuda"):
            return self._move(func, name, args, kwargs)
        target = self._target(func, args, kwargs)
        marked = self._check(func, name, args, kwargs)
        if "pin_memory" in kwargs:
            kwargs["pin_memory"] = False
        result = func(*args, **kwargs)
        if name == "__set__" and len(args) == 2 and isinstance(args[1], torch.Tensor):
            mark(args[0], is_marked(args[1]))
            return result
        if target is not None:
            marked = target.type == "cuda"
        if marked:
            for tensor in _tensors(result):
                mark(tensor)
        return result

    def _move(self, func, name, args, kwargs):
        tensor, *rest = args
        target, dtype, wait = _where_to(name, rest, kwargs)
        was = is_marked(tensor)
        on = was if target is None else target.type == "cuda"
        moved = tensor if dtype is None else torch.Tensor.to(tensor, dtype)
        if on != was and moved is tensor:
            moved = tensor.clone()
        if moved is not tensor:
            mark(moved, on)
        if was and not on and not wait:
            moved._under_way = SimpleNamespace(waited=False)
            self.copies.append(moved)
        return moved

    def _target(self, func, args, kwargs):
        """The device that a maker of tensors was asked for; the call then makes them here."""
        device = kwargs.get("device")
        if device is None:
            return None
        kwargs["device"] = torch.device("cpu")
        return torch.device(device)

    def _check(self, func, name, args, kwargs):
        tensors = list(_tensors((args, kwargs)))
        if not tensors:
            return False
        self.operations += 1
        marks = {is_marked(t) for t in tensors if t.dim() > 0}
        if len(marks) < 2:
            return any(is_marked(t) for t in tensors)
        if name in _ANYWHERE:
            return is_marked(args[0])
        if name in ("__getitem__", "__setitem__") and is_marked(args[0]):
            # An index on the CPU is taken anywhere, and what is copied into a slice.
            return True
        where = resolve_name(func) or name
        raise RuntimeError(f"Expected all tensors to be on the same device, but {where} got tensors on cuda:0 and cpu")

    def wait(self) -> None:
        for copy in self.copies:
            copy._under_way.waited = True
        self.copies.clear()


def _where_to(name, rest, kwargs):
    """Read the arguments of ``to``, ``cpu`` or ``cuda``: device, number format, whether to wait."""
    if name != "to":
        return (DEVICE if name == "cuda" else torch.device("cpu")), None, not kwargs.get("non_blocking", False)
    target, dtype, flags = kwargs.get("device"), kwargs.get("dtype"), []
    for value in rest:
        if isinstance(value, torch.Tensor):
            target, dtype = value.device, value.dtype
        elif isinstance(value, torch.dtype):
            dtype = value
        elif isinstance(value, bool):
            flags.append(value)
        elif value is not None:
            target = value
    non_blocking = kwargs.get("non_blocking", flags[0] if flags else False)
    return None if target is None else torch.device(target), dtype, not non_blocking


def mark(tensor: torch.Tensor, on: bool = True) -> torch.Tensor:
    tensor._pretended = on
    return tensor


def is_marked(tensor: torch.Tensor) -> bool:
    return getattr(tensor, "_pretended", False)


def _tensors(values):
    return (v for v in tree_flatten(values)[0] if isinstance(v, torch.Tensor))


@contextmanager
def pretended_gpu():
    """Give this thread a GPU, ``cuda:0``."""
    mode = PretendedGPU()

    class Event:
        def record(self, stream=None) -> None: ...

        def synchronize(self) -> None:
            mode.wait()

    size = 80 * 2**30
    there = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "get_device_capability": lambda device=None: (9, 0),
        "mem_get_info": lambda device=None: (size // 2, size),
        "memory_reserved": lambda device=None: 0,
        "memory_allocated": lambda device=None: 0,
        "max_memory_allocated": lambda device=None: 2**30,
        "reset_peak_memory_stats": lambda device=None: None,
        "get_device_properties": lambda device=None: SimpleNamespace(name="Pretended GPU", total_memory=size),
        "current_stream": lambda device=None: None,
        "synchronize": lambda device=None: mode.wait(),
        "empty_cache": lambda: None,
        "Event": Event,
    }
    with ExitStack() as stack:
        for name, value in there.items():
            stack.enter_context(patch.object(torch.cuda, name, value))
        # It only chooses formats, which are not what is pretended.
        stack.enter_context(patch.object(torch, "autocast", _no_autocast))
        stack.enter_context(mode)
        yield mode


@contextmanager
def _no_autocast(*_, **__):
    yield
