"""The observer that records whole batches of clips: features over time, pointers, and maps where they are wanted.

Used with `napari_sam2_probe.tracking.batch.BatchTracker`; what it gives is what a `ProbeRecorder` gives of each clip.

    recorder = BatchRecorder(28, object_present, options)     # object_present (B, 28) bool, from the recipes
    with BatchTracker(model, sources, masks, session_options, recorder) as tracker:
        for frame in tracker.track():
            ...
    recorder.values()                  # (B, P, T, 3), in the order of recorder.positions and FEATURES
    recorder.pointers()                # (B, T, C); pointers(raw=True) before the gate
    recorder.vectors(key)              # (B, T, C) of any vector position
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_sam2_probe.analysis.attention import share_entropy
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.feature_names import ATTENTION_ENTROPY, CANDIDATE_DISAGREEMENT
from napari_sam2_probe.probe.distance import FeatureOptions, ReferenceRing
from napari_sam2_probe.probe.positions import OBJECT_POINTER, OBJECT_POINTER_RAW, recorded_positions, taps_of
from napari_sam2_probe.probe.references import References
from napari_sam2_probe.probe.statistics import candidate_disagreement, channel_statistics, check_shape
from napari_sam2_probe.tracking.engine import ATTENTION_SHARES
from napari_sam2_probe.tracking.host_copy import HostCopy
from napari_sam2_probe.tracking.observer import CANDIDATE_MASKS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam2_probe.probe.positions import ShowsPositions


class BatchRecorder:
    """Records what a `BatchTracker` shows; a `BatchObserver`.

    Distances and vectors stay on the device, a few kilobytes a frame and clip, until they are asked for; a `Tensor`
    of an embedding stays for as long as it serves as a reference.

    Parameters
    ----------
    num_frames
        Frames of the clips, T.
    object_present
        (B, T) bool: whether each clip's object is in the frame, from its recipe.
    options
        How features are computed.
    keep_maps
        Whether channel statistics are recorded; whoever tracks must then call `take_maps` as it goes.
    also_present
        (B, T) bool: a second answer to where the object is, under which features are computed too; see `values`.
    unblanked
        Whether position 5u is recorded too; the tracker must be asked to show it.

    Attributes
    ----------
    positions
        What is recorded, in the order of tables.
    taps
        Where the tracker finds those that the model doesn't show by itself.
    on_committed
        Called with every frame that is done, and with its tensors by position.

    Raises
    ------
    InputError
        If `object_present` has not T columns.
    """

    def __init__(
        self,
        num_frames: int,
        object_present: NDArray[np.bool_],
        options: FeatureOptions | None = None,
        *,
        keep_maps: bool = False,
        also_present: NDArray[np.bool_] | None = None,
        unblanked: bool = False,
        model: ShowsPositions | None = None,
    ) -> None:
        if object_present.ndim != 2 or object_present.shape[1] != num_frames:
            raise InputError(
                f"Presence is given as {object_present.shape} but the clips have {num_frames} frames: give one row a "
                "clip and one column a frame."
            )
        self.options = options or FeatureOptions()
        self.positions = recorded_positions(unblanked=unblanked, model=model)
        self.taps = taps_of(self.positions)
        self._by_key = {p.key: p for p in self.positions}
        # All clips are prompted on their first frame.
        self._references, self._other = (
            References.of(present, np.arange(num_frames) == 0, prompted_references=self.options.prompted_references)
            for present in (object_present, object_present if also_present is None else also_present)
        )
        self._has_other = also_present is not None
        # Where both rules look back to the same frames, one distance is both.
        self._differs = (self._references.as_frames() != self._other.as_frames()).any(axis=(0, 2))
        self._num_clips, self._num_frames = object_present.shape
        self._keep_maps = keep_maps
        self._rings = [ReferenceRing(self.options, self._num_clips) for _ in self.positions]
        self._other_rings: list[ReferenceRing] = []
        self._shown: dict[str, Tensor] = {}
        self._distances: Tensor | None = None
        self._vectors: dict[str, list[Tensor | None]] = {p.key: [] for p in self.positions if p.is_vector}
        self._maps: list[tuple[int, list[str], HostCopy]] = []
        self._disagreement: dict[int, Tensor] = {}
        self._shares: dict[int, Tensor] = {}
        self.on_committed: Callable[[int, Mapping[str, Tensor]], None] | None = None

    # What a tracker calls.

    def observe(self, frame_idx: int, key: str, tensor: Tensor) -> None:
        """Take a tensor; see `BatchObserver.observe`."""
        if key == CANDIDATE_MASKS:
            self._disagreement[frame_idx] = candidate_disagreement(tensor)
        elif key == ATTENTION_SHARES:
            # Of all queries: the first group.
            self._shares[frame_idx] = tensor[:, :, 0]
        elif key in self._by_key:
            check_shape(self._by_key[key], tensor)
            self._shown[key] = tensor

    def frame_committed(self, frame_idx: int) -> None:
        """Take what was shown of a frame as its values; see `BatchObserver.frame_committed`."""
        shown, self._shown = self._shown, {}
        if self.on_committed is not None:
            self.on_committed(frame_idx, shown)
        for key, vectors in self._vectors.items():
            vectors.append(shown[key].float() if key in shown else None)
        if self._keep_maps:
            maps = {p.key: channel_statistics(shown[p.key]) for p in self.positions if p.is_map and p.key in shown}
            self._maps.append((frame_idx, list(maps), HostCopy(list(maps.values()))))
        embeddings = {}
        for position in self.positions:
            tensor = shown.pop(position.key, None)
            if tensor is not None:
                # Once for all uses: some embeddings arise with channels last, and to flatten these moves every element.
                embeddings[position.key] = tensor.flatten(1)
        self._measure(frame_idx, embeddings, 0, self._rings)
        self._measure(frame_idx, embeddings, 1, self._other_rings or self._rings)
        self._remember(frame_idx, embeddings)

    def _measure(
        self, frame_idx: int, embeddings: dict[str, Tensor], rule: int, rings: Sequence[ReferenceRing]
    ) -> None:
        """Compute the distances of a frame under one of the two rules; the second only where it differs."""
        if rule and not self._has_other:
            return
        for index, (position, ring) in enumerate(zip(self.positions, rings, strict=True)):
            embedding = embeddings.get(position.key)
            if embedding is not None:
                distances = self._distances_at(frame_idx, embedding.device)
                if rule and not self._differs[frame_idx]:
                    distances[rule, index] = distances[0, index]
                else:
                    distances[rule, index, 0] = ring.short_term(embedding)
                    distances[rule, index, 1] = ring.long_term(embedding)

    def _remember(self, frame_idx: int, embeddings: dict[str, Tensor]) -> None:
        """Make the frame a reference of whom it is one, under both rules."""
        later = slice(frame_idx + 1, None)
        if not self._differs[later].any():
            self._other_rings = []
        elif self._differs[frame_idx + 1] and not self._other_rings:
            self._other_rings = [ring.fork() for ring in self._rings]
        for rings, references in ((self._rings, self._references), (self._other_rings, self._other)):
            if rings:
                for position, ring in zip(self.positions, rings, strict=True):
                    ring.push(embeddings.get(position.key), references.is_reference[:, frame_idx])

    # What everybody else calls.

    def values(self, *, other: bool = False) -> NDArray[np.float64]:
        """Return the features (B, P, T, 3) of all frames so far, NaN elsewhere; it waits for the device.

        Parameters
        ----------
        other
            Under the second answer to where the object is, which must have been given.
        """
        if other and not self._has_other:
            raise ValueError("no second answer to where the object is was given")
        values = np.full((self._num_clips, len(self.positions), self._num_frames, 3), np.nan)
        if self._distances is None:
            return values
        # (rule, T, P, 2, B) on the device.
        values[..., :2] = self._distances[int(other)].double().cpu().numpy().transpose(3, 1, 0, 2)
        last = (self._other if other else self._references).last[:, None, :]
        before = np.take_along_axis(values[..., 0], np.maximum(last, 0), axis=2)
        known = (last >= 0) & (before > 0)
        np.divide(values[..., 0], before, out=values[..., 2], where=known)
        return values

    def pointers(self, *, raw: bool = False) -> NDArray[np.float32]:
        """Return the object pointers (B, T, C) of all frames so far, NaN elsewhere; `raw` is before the gate."""
        return self.vectors(OBJECT_POINTER_RAW.key if raw else OBJECT_POINTER.key)

    def vectors(self, key: str) -> NDArray[np.float32]:
        """Return the vectors (B, T, C) of a position of all frames so far, NaN elsewhere."""
        known = {t: vectors for t, vectors in enumerate(self._vectors[key]) if vectors is not None}
        channels = next(iter(known.values())).shape[1] if known else 0
        values = np.full((self._num_clips, self._num_frames, channels), np.nan, np.float32)
        if known:
            values[:, list(known)] = torch.stack(list(known.values()), dim=1).cpu().numpy()
        return values

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return the vectors of all positions that have any, by the name that they bear in a store.

        Beside them (B, T), where the tracker showed them: disagreement of candidates and entropy of attention.
        """
        shown = [key for key, frames in self._vectors.items() if any(vectors is not None for vectors in frames)]
        return {self._by_key[key].array: self.vectors(key) for key in shown} | self._numbers()

    def _numbers(self) -> dict[str, NDArray[np.float32]]:
        numbers: dict[str, NDArray[np.float32]] = {}
        if self._disagreement:
            numbers[CANDIDATE_DISAGREEMENT] = self._over_time(
                {t: d.cpu().numpy() for t, d in self._disagreement.items()}
            )
        if self._shares:
            entropies = {t: share_entropy(s.cpu().numpy()).mean(axis=1) for t, s in self._shares.items()}
            numbers[ATTENTION_ENTROPY] = self._over_time(entropies)
        return numbers

    def _over_time(self, by_frame: Mapping[int, NDArray[np.floating]]) -> NDArray[np.float32]:
        values = np.full((self._num_clips, self._num_frames), np.nan, np.float32)
        for frame_idx, numbers in by_frame.items():
            values[:, frame_idx] = numbers
        return values

    def take_maps(self, until: int | None = None) -> list[tuple[int, dict[str, NDArray[np.float32]]]]:
        """Return frame and channel statistics, by position key (B, 2, h, w), of frames since the last call.

        Parameters
        ----------
        until
            The last frame wanted; all if None. On a GPU the tracker is a frame ahead of what it yields: with the index
            of the frame that it yielded, nobody waits for that one.
        """
        last = self._num_frames if until is None else until
        taken = [entry for entry in self._maps if entry[0] <= last]
        self._maps = self._maps[len(taken) :]
        return [(frame_idx, dict(zip(keys, copy.arrays(), strict=True))) for frame_idx, keys, copy in taken]

    def _distances_at(self, frame_idx: int, device: torch.device) -> Tensor:
        if self._distances is None:
            rules = 2 if self._has_other else 1
            size = (rules, self._num_frames, len(self.positions), 2, self._num_clips)
            self._distances = torch.full(size, float("nan"), device=device)
        return self._distances[:, frame_idx]
