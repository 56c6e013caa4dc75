"""Features over time of one object: which frames are references, what is fresh and what is stale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_sam2_probe.common.feature_names import FEATURES, LONG_TERM, LONG_WINDOW, SHORT_TERM, SHORT_TERM_RATIO
from napari_sam2_probe.probe.distance import FeatureOptions, ReferenceRing
from napari_sam2_probe.probe.references import References

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

_SHORT, _LONG, _RATIO = map(FEATURES.index, (SHORT_TERM, LONG_TERM, SHORT_TERM_RATIO))

# Moving distances off the device waits for it, so they go together; not all at the end, so that few are held.
_SETTLE_AFTER = 64


class FeatureSeries:
    """The features of one object at several positions, computed as frames pass in time order.

    A feature is only as good as the frames before it. When one of these changes, or frames pass out of order, what
    depends on it becomes NaN and stale until a pass in time order computes it again.

    Parameters
    ----------
    num_frames
        Frames of the video, T.
    keys
        The positions, P.
    options
        How distances are computed.

    Attributes
    ----------
    values
        (P, T, 3) float64, the features in the order of `FEATURES`; NaN where there is none.
    stale
        (T,) bool: the frame has values at its positions but its features are not known any more.
    references
        (T,) bool: the frame counts as a reference for later ones.
    """

    def __init__(self, num_frames: int, keys: tuple[str, ...], options: FeatureOptions) -> None:
        self.keys = keys
        self.values: NDArray[np.float64] = np.full((len(keys), num_frames, len(FEATURES)), np.nan)
        self.stale: NDArray[np.bool_] = np.zeros(num_frames, bool)
        self.references: NDArray[np.bool_] = np.zeros(num_frames, bool)
        self._seen: NDArray[np.bool_] = np.zeros(num_frames, bool)
        # Whether the short-term distance, which a later frame's ratio divides by, is that of the current values.
        self._short_known: NDArray[np.bool_] = np.zeros(num_frames, bool)
        self._rings = {key: ReferenceRing(options) for key in keys}
        self._position = -1
        self._last_reference: int | None = None
        self._wanted = 0
        self._unknown_for = 0
        self._waiting: list[tuple[int, int, Tensor]] = []

    def rewind(self, start: int) -> list[int]:
        """Get ready for a pass in time order from frame `start`.

        Returns
        -------
        list of int
            Earlier reference frames, in time order, that must be given to `add_reference` first.
        """
        for ring in self._rings.values():
            ring.clear()
        wanted = References(self.references).frames(start)
        self._position = start - 1
        self._last_reference = None
        self._wanted = len(wanted)
        self._unknown_for = 0
        return wanted

    def add_reference(self, frame_idx: int, embeddings: Mapping[str, Tensor]) -> None:
        """Take the embeddings of an earlier reference frame."""
        self._push(frame_idx, _flattened(embeddings))
        self._wanted -= 1

    def changed(self, frame_idx: int) -> None:
        """Learn that a frame has new values: the features of later frames that look at it are not known any more."""
        if self._waiting and self._waiting[-1][0] > frame_idx:
            self.settle()
        window = References(self.references).reach(frame_idx)
        self.values[:, window] = np.nan
        self.stale[window] = self._seen[window]
        self._short_known[window] = False

    def pass_out_of_order(self, frame_idx: int, *, is_reference: bool) -> None:
        """Learn of a frame that has new values but did not come in time order."""
        self.settle()
        self.changed(frame_idx)
        self._take(frame_idx, is_reference)
        self.stale[frame_idx] = True
        self._unknown_for = LONG_WINDOW

    def pass_in_order(self, frame_idx: int, embeddings: Mapping[str, Tensor], *, is_reference: bool) -> None:
        """Compute the features of the next frame in time order, and let it be a reference for later ones."""
        if (self._waiting and self._waiting[-1][0] >= frame_idx) or len(self._waiting) >= _SETTLE_AFTER:
            self.settle()
        skipped = frame_idx <= self._position or bool(self.references[self._position + 1 : frame_idx].any())
        if skipped or self._wanted > 0:
            # A reference is missing, so features are wrong until the window holds only new ones.
            self._unknown_for, self._wanted = LONG_WINDOW, 0
        self._position = frame_idx
        self._take(frame_idx, is_reference)
        last = self._last_reference
        known = self._short_known[frame_idx] = self._unknown_for == 0
        self.stale[frame_idx] = not known or (last is not None and not self._short_known[last])
        flat = _flattened(embeddings)
        if known and last is not None and flat:
            self._waiting.append((frame_idx, last, self._distances(flat)))
        if is_reference:
            self._push(frame_idx, flat)
            self._unknown_for = max(0, self._unknown_for - 1)

    def settle(self) -> None:
        """Bring the distances computed so far from the device into `values`."""
        if not self._waiting:
            return
        distances = torch.stack([d for _, _, d in self._waiting]).double().cpu().numpy()
        for (frame_idx, reference, _), pairs in zip(self._waiting, distances, strict=True):
            self.values[:, frame_idx, _SHORT] = pairs[:, 0]
            self.values[:, frame_idx, _LONG] = pairs[:, 1]
            before = self.values[:, reference, _SHORT]
            ratio = np.full(len(self.keys), np.nan)
            np.divide(pairs[:, 0], before, out=ratio, where=before > 0)
            self.values[:, frame_idx, _RATIO] = ratio
        self._waiting.clear()

    def _distances(self, embeddings: Mapping[str, Tensor]) -> Tensor:
        """Return (P, 2) short-term and long-term distances, NaN where there is none."""
        unknown = torch.full((2,), float("nan"), device=next(iter(embeddings.values())).device)
        rows: list[Tensor] = []
        for key in self.keys:
            ring, embedding = self._rings[key], embeddings.get(key)
            rows.append(
                unknown if embedding is None else torch.cat([ring.short_term(embedding), ring.long_term(embedding)])
            )
        return torch.stack(rows)

    def _take(self, frame_idx: int, is_reference: bool) -> None:
        self._seen[frame_idx] = True
        self.references[frame_idx] = is_reference
        self.values[:, frame_idx] = np.nan
        self._short_known[frame_idx] = False

    def _push(self, frame_idx: int, embeddings: Mapping[str, Tensor]) -> None:
        for key in self.keys:
            self._rings[key].push(embeddings.get(key))
        self._last_reference = frame_idx


def _flattened(embeddings: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # Once for all uses: some embeddings arise with channels last, and to flatten these moves every element.
    return {key: embedding.reshape(1, -1) for key, embedding in embeddings.items()}
