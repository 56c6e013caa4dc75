"""A session that others take memories, pointers and tensors from, tracked as far as they need it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.tracking.repeating import repeat_steps
from napari_sam2_probe.tracking.spill import SpillFolder
from napari_sam2_probe.tracking.steps import TrackStep, is_one_pass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

    from napari_sam2_probe.families.sam2 import ObservedSAM2
    from napari_sam2_probe.tracking.bank import EntryKind
    from napari_sam2_probe.tracking.observer import FramePass, Observer
    from napari_sam2_probe.tracking.outputs import FrameOutput
    from napari_sam2_probe.tracking.results import SessionOptions
    from napari_sam2_probe.tracking.steps import Step
    from napari_sam2_probe.video.source import FrameSource


class SessionDonor:
    """A `Donor` that tracks a video by itself, as somebody did before.

    Parameters
    ----------
    name
        What messages call it.
    model
        The model; of the interventions on it, only those of `options` count.
    source
        The video.
    options
        How it is tracked.
    steps
        What is said of the objects, and which frames are tracked in which direction, in order.
    keys
        The positions whose tensors are kept, on disk.
    is_present
        Whether an object is in a frame, by object, frame and object score; such frames are the reference frames.
    observer
        Who is shown the tensors instead, if they are not to be kept.
    close
        Called when the donor is closed.

    Attributes
    ----------
    is_one_pass
        Whether nothing that a frame read is replaced later; see `steps.is_one_pass`.
    """

    def __init__(
        self,
        name: str,
        model: ObservedSAM2,
        source: FrameSource,
        options: SessionOptions,
        steps: Sequence[Step],
        *,
        keys: Iterable[str] = (),
        is_present: Callable[[int, int, float], bool] = lambda _obj, _frame, score: score > 0,
        observer: Observer | None = None,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        from napari_sam2_probe.tracking.session import VideoSession

        self.name = name
        self._model = model
        self._keeper = _Keeper(frozenset(keys))
        self.session = VideoSession(model, source, options, observer or (self._keeper if keys else None))
        self._close = close
        passes = [step for step in steps if isinstance(step, TrackStep)]
        self._has_one_pass = len({step.number for step in passes}) < 2
        self.is_one_pass = is_one_pass(steps)
        # How often each frame is still going to be tracked.
        self._order = [frame_idx for step in passes for frame_idx in step.frames]
        self._left = Counter(self._order)
        self._running = repeat_steps(self.session, steps)
        self._is_present = is_present
        self._means: dict[tuple[str, int], tuple[Tensor, ...]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove temporary files."""
        self.session.close()
        self._keeper.close()
        self._close()

    def track_to(self, frame_idx: int) -> None:
        """Track until a frame is done; to the end if there are several passes, since a later one may do it again."""
        while not self._has_one_pass or self._left[frame_idx]:
            if self._track_one() is None:
                break

    def finish(self) -> None:
        """Track to the end."""
        while self._track_one() is not None:
            pass

    def tracking_to(self, frame_idx: int | None) -> Iterator[tuple[int, int]]:
        """Track until a frame has been tracked for the last time, or to the end; what is tracked already stays.

        Yields
        ------
        done, total
            After each frame: how many were tracked since the call, and how many will be at most.
        """
        total = sum(self._left.values())
        if frame_idx is not None and self._has_one_pass:
            ahead = [t for t in self._order if self._left[t]]
            total = ahead.index(frame_idx) + 1 if frame_idx in ahead else 0
        done = 0
        while frame_idx is None or self._left[frame_idx]:
            if self._track_one() is None:
                break
            done += 1
            yield done, total

    def settle(self, frames: Iterable[int]) -> Iterator[int]:
        """Track, and stop at each of some frames when it has been tracked for the last time.

        Whatever it read is there at that moment; frames that are never tracked come last.

        Yields
        ------
        int
            The frame.
        """
        wanted = set(frames)
        while wanted:
            frame_idx = self._track_one()
            if frame_idx is None:
                break
            if frame_idx in wanted and not self._left[frame_idx]:
                wanted.remove(frame_idx)
                yield frame_idx
        yield from sorted(wanted)

    def _track_one(self) -> int | None:
        # Whoever takes may be in the middle of a step of the same model.
        with self._model.by_another():
            result = next(self._running, None)
        if result is None:
            return None
        self._left[result.frame_idx] -= 1
        return result.frame_idx

    def output(self, frame_idx: int, obj_id: int) -> FrameOutput:
        """Return what is stored of a frame.

        Raises
        ------
        InputError
            If nothing is.
        """
        self.track_to(frame_idx)
        if obj_id in self.session.obj_ids:
            found = self.session.stored_output(frame_idx, obj_id)
            if found is not None:
                return found
        raise InputError(
            f"{self.name} has no frame {frame_idx} for object {obj_id}: take from a run that tracked it, or leave the "
            'frame out ("at").'
        )

    def entry(self, kind: EntryKind, frame_idx: int, obj_id: int) -> Tensor:
        """Return the memory or pointer that is stored of a frame; see `Donor.entry`."""
        output = self.output(frame_idx, obj_id)
        if kind == "pointer":
            return output.obj_ptr
        assert output.maskmem_features is not None
        return output.maskmem_features

    def tensor(self, key: str, frame_idx: int, obj_id: int) -> Tensor:
        """Return the tensor at a position; see `Donor.tensor`."""
        output = self.output(frame_idx, obj_id)
        found = self._keeper.get(key, output.serial)
        if found is None:
            raise InputError(f'{self.name} has nothing at {key} on frame {frame_idx}: leave the frame out ("at").')
        return found

    def image_features(self, frame_idx: int) -> tuple[Tensor, ...]:
        """Return the image features of a frame; see `Donor.image_features`."""
        return self.session.image_features(frame_idx)

    def mean_entry(self, kind: EntryKind, obj_id: int) -> Tensor:
        """Return the mean of what is stored of all frames, float32; see `Donor.mean_entry`."""
        return self._mean(kind, obj_id, self._tracked, lambda t: (self.entry(kind, t, obj_id),))[0]

    def mean_tensor(self, key: str, obj_id: int) -> Tensor:
        """Return the mean over the reference frames of a position, float32; see `Donor.mean_tensor`."""
        return self._mean(key, obj_id, self._references, lambda t: (self.tensor(key, t, obj_id),))[0]

    def mean_image_features(self, obj_id: int) -> tuple[Tensor, ...]:
        """Return the mean over the reference frames of the image features, float32."""
        return self._mean("image_embedding", obj_id, self._references, self.image_features)

    def _tracked(self, obj_id: int) -> list[int]:
        self.finish()
        return self.session.visited_frames(obj_id)

    def _references(self, obj_id: int) -> list[int]:
        frames = self._tracked(obj_id)
        scores = {t: float(self.output(t, obj_id).object_score_logits) for t in frames}
        found = [t for t in frames if self._is_present(obj_id, t, scores[t])]
        if not found:
            raise InputError(f"{self.name} has no frame with object {obj_id} that a mean could be made of.")
        return found

    def _mean(
        self,
        what: str,
        obj_id: int,
        frames_of: Callable[[int], Sequence[int]],
        get: Callable[[int], tuple[Tensor, ...]],
    ) -> tuple[Tensor, ...]:
        if (what, obj_id) not in self._means:
            frames = frames_of(obj_id)
            sums = [tensor.double() for tensor in get(frames[0])]
            for frame_idx in frames[1:]:
                for total, tensor in zip(sums, get(frame_idx), strict=True):
                    total += tensor
            self._means[what, obj_id] = tuple((total / len(frames)).float() for total in sums)
        return self._means[what, obj_id]


class _Keeper:
    """The observer that keeps whole tensors of some positions, on disk."""

    def __init__(self, keys: frozenset[str]) -> None:
        self._keys = keys
        self._folder: SpillFolder | None = None
        self._files: dict[tuple[str, int], tuple[Path, torch.device]] = {}

    def observe(self, at: FramePass, key: str, tensor: Tensor) -> None:
        """Keep a tensor."""
        if key not in self._keys:
            return
        if self._folder is None:
            self._folder = SpillFolder()
        path = self._folder.path / f"{at.serial}-{key}.npy"
        np.save(path, tensor.float().cpu().numpy())
        self._files[key, at.serial] = (path, tensor.device)

    def get(self, key: str, serial: int) -> Tensor | None:
        """Return a tensor of the pass with this serial number, in float32."""
        if (key, serial) not in self._files:
            return None
        path, device = self._files[key, serial]
        return torch.from_numpy(np.load(path, allow_pickle=False)).to(device)

    def pass_copied(self, source: FramePass, target: FramePass) -> None:
        """Let a pass start with what another showed."""
        for key in self._keys:
            if (key, source.serial) in self._files:
                self._files[key, target.serial] = self._files[key, source.serial]

    def frame_committed(self, at: FramePass, object_score: float, *, reverse: bool) -> None:
        """Do nothing: tensors are kept by pass."""

    def required_references(self, obj_id: int, start: int) -> Iterable[int]:
        """Want none."""
        return ()

    def reference_replayed(self, at: FramePass) -> None:
        """Do nothing: none was wanted."""

    def removed(self, obj_id: int) -> None:
        """Do nothing: passes of other objects have other serials."""

    def close(self) -> None:
        """Remove the files."""
        if self._folder is not None:
            self._folder.close()
