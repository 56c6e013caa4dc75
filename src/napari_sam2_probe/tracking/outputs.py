"""What stays of a frame after tracking, in memory up to a budget and on disk beyond it.

SAM 2 may need the output of any earlier frame again: a backward pass, a second propagation and a click read it.
Outputs may therefore leave memory but are never lost.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from napari_sam2_probe.tracking.spill import SpillFile

if TYPE_CHECKING:
    from torch import Tensor

    from napari_sam2_probe.tracking.bank import EntryKind
    from napari_sam2_probe.tracking.memory_view import MemoryProvenance
    from napari_sam2_probe.tracking.observer import PassKind
    from napari_sam2_probe.tracking.seen_masks import SeenMasks
    from napari_sam2_probe.tracking.spill import SpillFolder


@dataclass(frozen=True, slots=True)
class FrameOutput:
    """One frame's output for one object. It is never edited, so references may be shared.

    Attributes
    ----------
    serial
        Counts up over the session; of two outputs of one frame the later has the higher one.
    kind
        The pass that made it.
    reverse
        Whether it was made going backward in time.
    maskmem_features
        (1, C_mem, h, w) bfloat16, or whatever the model stores; None until the memory encoder has run.
    pred_masks
        (1, 1, 4h, 4w) float32 mask logits.
    obj_ptr
        (1, C).
    object_score_logits
        (1, 1).
    predicted_iou
        SAM 2's own estimate of the mask's IoU; NaN on mask prompts.
    not_stored
        What edits have kept from being stored: nobody reads it, whatever the tensors are.
    provenance
        What the pass read, so that it can be repeated exactly; None for prompts that read no memory.
    seen
        The candidate masks, where the memory policy looks at them.
    """

    serial: int
    kind: PassKind
    reverse: bool
    maskmem_features: Tensor | None
    pred_masks: Tensor
    obj_ptr: Tensor
    object_score_logits: Tensor
    predicted_iou: float
    not_stored: frozenset[EntryKind] = frozenset()
    provenance: MemoryProvenance | None = None
    seen: SeenMasks | None = None

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors that take memory, in a fixed order."""
        assert self.maskmem_features is not None
        return (self.maskmem_features, self.pred_masks, self.obj_ptr, self.object_score_logits)

    @property
    def num_bytes(self) -> int:
        """Bytes held by the tensors."""
        return sum(t.numel() * t.element_size() for t in self.tensors)


class OutputStore(MutableMapping[int, FrameOutput]):
    """Outputs of tracked frames by frame index: recent ones in memory, the rest in a file.

    Every tensor comes back with the bits it left with.

    Parameters
    ----------
    budget_bytes
        Tensors beyond this many bytes leave memory, the least recently used first; the last one used stays.
    folder
        Where the spill file lies.
    """

    def __init__(self, budget_bytes: int, folder: SpillFolder) -> None:
        self._budget = budget_bytes
        self._folder = folder
        self._file: SpillFile | None = None
        self._hot: OrderedDict[int, FrameOutput] = OrderedDict()
        self._hot_bytes = 0
        # An output never changes, so one that came back from disk stays there too and needs no second writing.
        self._cold: dict[int, tuple[FrameOutput, int]] = {}
        self._shells: dict[tuple[torch.Size, torch.dtype, torch.device], Tensor] = {}

    def __getitem__(self, frame_idx: int) -> FrameOutput:
        if frame_idx in self._hot:
            self._hot.move_to_end(frame_idx)
            return self._hot[frame_idx]
        output = self._load(frame_idx)
        self._insert(frame_idx, output)
        return output

    def __setitem__(self, frame_idx: int, output: FrameOutput) -> None:
        self.discard(frame_idx)
        self._insert(frame_idx, output)

    def __delitem__(self, frame_idx: int) -> None:
        if frame_idx not in self:
            raise KeyError(frame_idx)
        self.discard(frame_idx)

    def __contains__(self, frame_idx: object) -> bool:
        return frame_idx in self._hot or frame_idx in self._cold

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._hot.keys() | self._cold.keys()))

    def __len__(self) -> int:
        return len(self._hot.keys() | self._cold.keys())

    @property
    def bytes_in_memory(self) -> int:
        """Bytes of the tensors held in memory."""
        return self._hot_bytes

    def discard(self, frame_idx: int) -> None:
        """Let a frame's output go, if there is one, without reading it back."""
        hot = self._hot.pop(frame_idx, None)
        if hot is not None:
            self._hot_bytes -= hot.num_bytes
        cold = self._cold.pop(frame_idx, None)
        if cold is not None:
            assert self._file is not None
            shell, offset = cold
            self._file.release(offset, shell.num_bytes)

    def serial(self, frame_idx: int) -> int:
        """Return the serial number of a frame's output without reading its tensors."""
        return self.without_tensors(frame_idx).serial

    def without_tensors(self, frame_idx: int) -> FrameOutput:
        """Return a frame's output whose tensors may be empty shells: nothing is read back."""
        return self._hot.get(frame_idx) or self._cold[frame_idx][0]

    def close(self) -> None:
        """Forget everything and close the spill file."""
        self._hot.clear()
        self._hot_bytes = 0
        self._cold.clear()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _insert(self, frame_idx: int, output: FrameOutput) -> None:
        self._hot[frame_idx] = output
        self._hot_bytes += output.num_bytes
        while self._hot_bytes > self._budget and len(self._hot) > 1:
            oldest = next(iter(self._hot))
            if oldest not in self._cold:
                self._spill(oldest)
            self._hot_bytes -= self._hot.pop(oldest).num_bytes

    def _spill(self, frame_idx: int) -> None:
        output = self._hot[frame_idx]
        if self._file is None:
            self._file = SpillFile(self._folder)
        offset = self._file.write(b"".join(_to_bytes(t) for t in output.tensors))
        # The shell keeps shapes and devices; its tensors hold no memory and are shared by all frames.
        shell = _with_tensors(output, {name: self._shell(getattr(output, name)) for name in _TENSOR_FIELDS})
        self._cold[frame_idx] = (shell, offset)

    def _load(self, frame_idx: int) -> FrameOutput:
        shell, offset = self._cold[frame_idx]
        assert self._file is not None
        record = self._file.read(offset, shell.num_bytes)
        tensors: dict[str, Tensor] = {}
        position = 0
        for name, like in zip(_TENSOR_FIELDS, shell.tensors, strict=True):
            length = like.numel() * like.element_size()
            tensors[name] = _from_bytes(record[position : position + length], like)
            position += length
        return _with_tensors(shell, tensors)

    def _shell(self, tensor: Tensor) -> Tensor:
        key = (tensor.shape, tensor.dtype, tensor.device)
        if key not in self._shells:
            self._shells[key] = torch.empty(1, dtype=tensor.dtype, device=tensor.device).expand(tensor.shape)
        return self._shells[key]


_TENSOR_FIELDS = ("maskmem_features", "pred_masks", "obj_ptr", "object_score_logits")


def _to_bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()


def _from_bytes(data: bytes, like: Tensor) -> Tensor:
    flat = torch.frombuffer(bytearray(data), dtype=like.dtype)
    return flat.reshape(like.shape).to(like.device)


def _with_tensors(output: FrameOutput, tensors: dict[str, Tensor]) -> FrameOutput:
    changes: dict[str, Any] = dict(tensors)
    return replace(output, **changes)
