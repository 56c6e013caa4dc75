"""The observer that records: channel statistics, pointers and features of every frame and object.

Only small arrays leave the device. Embeddings are kept as long as they serve as references; those of prompted
frames, which arise before a propagation reaches them and may be reached again, wait on disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_sam2_probe.common.feature_names import CANDIDATE_DISAGREEMENT, FEATURE_COLUMNS, RUN_COLUMNS
from napari_sam2_probe.probe.attention_table import AttentionTable
from napari_sam2_probe.probe.bank_table import BankTable
from napari_sam2_probe.probe.distance import FeatureOptions
from napari_sam2_probe.probe.features import FeatureSeries
from napari_sam2_probe.probe.positions import recorded_positions, taps_of
from napari_sam2_probe.probe.references import counts_as_reference
from napari_sam2_probe.probe.statistics import candidate_disagreement, channel_statistics, check_shape
from napari_sam2_probe.tracking.engine import ATTENTION_SHARES
from napari_sam2_probe.tracking.observer import CANDIDATE_MASKS, PROMPTED_KINDS, FramePass, PassKind
from napari_sam2_probe.tracking.spill import SpillFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam2_probe.probe.positions import ShowsPositions


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """What was seen of one object on one frame, as small arrays on the CPU.

    Attributes
    ----------
    frame_idx, obj_id, kind
        The frame, the object, and the kind of pass.
    maps
        By key of a map position, (2, h, w) float32: channel mean and variance.
    vectors
        By key of a vector position, (C,) float32.
    numbers
        By the name that they bear in a run, () float32: so far ``candidate_disagreement``.
    tokens
        Keys of positions with tokens without a place, of which only features are kept.
    """

    frame_idx: int
    obj_id: int
    kind: PassKind
    maps: Mapping[str, NDArray[np.float32]]
    vectors: Mapping[str, NDArray[np.float32]]
    numbers: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    tokens: tuple[str, ...] = ()


@dataclass
class _Shown:
    """What one pass has shown so far."""

    embeddings: dict[str, Tensor] = field(default_factory=dict)
    maps: dict[str, Tensor] = field(default_factory=dict)
    parked: dict[str, Path] = field(default_factory=dict)
    numbers: dict[str, Tensor] = field(default_factory=dict)


class ProbeRecorder:
    """Records everything that a session shows; an `Observer`.

    Parameters
    ----------
    num_frames
        Frames of the video.
    options
        How features are computed.
    object_present
        By object, (T,) bool: whether it is in the frame, where a recipe tells. For other objects SAM 2's own
        object score decides.
    unblanked
        Whether position 5u is recorded too; the session must be asked to show it.
    model
        What is recorded, where its positions differ from SAM 2's.

    Attributes
    ----------
    banks
        What each frame read.
    attention
        Where memory attention looked, if the session was asked to show it.
    positions
        What is recorded, in the order of tables.
    taps
        Where the session finds those that the model doesn't show by itself.
    on_committed
        Called with every pass that a propagation has reached, and with its tensors by position.
    """

    def __init__(
        self,
        num_frames: int,
        options: FeatureOptions | None = None,
        object_present: Mapping[int, NDArray[np.bool_]] | None = None,
        *,
        unblanked: bool = False,
        model: ShowsPositions | None = None,
    ) -> None:
        self.options = options or FeatureOptions()
        self.positions = recorded_positions(unblanked=unblanked, model=model)
        self.taps = taps_of(self.positions)
        self._by_key = {p.key: p for p in self.positions}
        self._num_frames = num_frames
        self._known_present = dict(object_present or {})
        self._folder = SpillFolder()
        self._shown: dict[tuple[int, int, int], _Shown] = {}
        self._series: dict[int, FeatureSeries] = {}
        self._serials: dict[tuple[int, int], int] = {}
        self.on_committed: Callable[[FramePass, Mapping[str, Tensor]], None] | None = None
        self._done: list[
            tuple[FramePass, dict[str, Tensor], dict[str, Tensor], dict[str, Tensor], tuple[str, ...]]
        ] = []
        self.banks = BankTable()
        self.attention = AttentionTable()

    # What a session calls.

    def observe(self, at: FramePass, key: str, tensor: Tensor) -> None:
        """Take a tensor; see `Observer.observe`."""
        if key == ATTENTION_SHARES:
            self.attention.observe(at, tensor)
        elif key == CANDIDATE_MASKS:
            shown = self._shown.setdefault(_key(at), _Shown())
            shown.numbers[CANDIDATE_DISAGREEMENT] = candidate_disagreement(tensor)[0]
        position = self._by_key.get(key)
        if position is None:
            return
        check_shape(position, tensor)
        shown = self._shown.setdefault(_key(at), _Shown())
        # An untouched float32 tensor is kept as it is: SAM 2 doesn't edit what it shows.
        shown.embeddings[key] = tensor[0].float()
        if position.is_map:
            shown.maps[key] = channel_statistics(tensor)[0]
        if at.kind in PROMPTED_KINDS:
            shown.parked[key] = self._park(at, key, shown.embeddings.pop(key))

    def pass_copied(self, source: FramePass, target: FramePass) -> None:
        """Let a pass start with what another has shown; see `Observer.pass_copied`."""
        old = self._shown.get(_key(source), _Shown())
        self._shown[_key(target)] = _Shown(dict(old.embeddings), dict(old.maps), dict(old.parked), dict(old.numbers))

    def frame_committed(self, at: FramePass, object_score: float, *, reverse: bool) -> None:
        """Take what a pass showed as the frame's value; see `Observer.frame_committed`."""
        series = self._series_of(at.obj_id)
        numbers = dict(self._shown.get(_key(at), _Shown()).numbers)
        embeddings, maps = self._take_shown(at)
        if self.on_committed is not None:
            self.on_committed(at, embeddings)
        is_new = self._serials.get((at.obj_id, at.frame_idx)) != at.serial
        if is_new:
            self.banks.put(at)
            self.attention.put(at)
            self._serials[at.obj_id, at.frame_idx] = at.serial
            vectors = {key: embeddings[key] for key in embeddings if self._by_key[key].is_vector}
            tokens = tuple(key for key in embeddings if key not in vectors and not self._by_key[key].is_map)
            self._done.append((at, maps, vectors, numbers, tokens))
            series.changed(at.frame_idx)
        else:
            self.attention.forget(at)
        is_reference = bool(
            counts_as_reference(
                self.is_present(at.obj_id, at.frame_idx, object_score),
                at.kind in PROMPTED_KINDS,
                prompted_references=self.options.prompted_references,
            )
        )
        if reverse:
            series.pass_out_of_order(at.frame_idx, is_reference=is_reference)
        else:
            series.pass_in_order(at.frame_idx, embeddings, is_reference=is_reference)

    def required_references(self, obj_id: int, start: int) -> list[int]:
        """Name the frames to show again before a pass from `start`; see `Observer.required_references`."""
        return self._series_of(obj_id).rewind(start)

    def reference_replayed(self, at: FramePass) -> None:
        """Take a frame shown again as a reference; see `Observer.reference_replayed`."""
        self.attention.forget(at)
        embeddings, _ = self._take_shown(at)
        if self._serials.get((at.obj_id, at.frame_idx)) != at.serial:
            # An output put back by an undo: the recorded values are those of the one it replaced.
            return
        self._series_of(at.obj_id).add_reference(at.frame_idx, embeddings)

    def removed(self, obj_id: int) -> None:
        """Forget an object; see `Observer.removed`."""
        self._series.pop(obj_id, None)
        self.banks.remove(obj_id)
        self.attention.remove(obj_id)
        for key, shown in self._shown.items():
            if key[0] == obj_id:
                for path in shown.parked.values():
                    path.unlink(missing_ok=True)
        self._shown = {key: shown for key, shown in self._shown.items() if key[0] != obj_id}
        self._serials = {key: serial for key, serial in self._serials.items() if key[0] != obj_id}
        self._done = [done for done in self._done if done[0].obj_id != obj_id]

    # What everybody else calls.

    def prompted_embeddings(self, at: FramePass) -> dict[str, Tensor]:
        """Return what the pass of a prompt has shown, by position; nothing for other passes, which are not kept."""
        return self._take_shown(at)[0] if at.kind in PROMPTED_KINDS else {}

    def is_present(self, obj_id: int, frame_idx: int, object_score: float) -> bool:
        """Return whether an object counts as being in a frame: by the recipe, else by SAM 2's own score."""
        known = self._known_present.get(obj_id)
        return object_score > 0 if known is None else bool(known[frame_idx])

    def take(self) -> list[FrameRecord]:
        """Return the records of frames passed since the last call, in order, moved to the CPU in one go."""
        done, self._done = self._done, []
        tensors = [t for _, *parts, _ in done for part in parts for t in part.values()]
        arrays = iter(_to_numpy(tensors))
        return [
            FrameRecord(
                at.frame_idx,
                at.obj_id,
                at.kind,
                {key: next(arrays) for key in maps},
                {key: next(arrays) for key in vectors},
                {key: next(arrays) for key in numbers},
                tokens,
            )
            for at, maps, vectors, numbers, tokens in done
        ]

    def features(self, obj_id: int) -> FeatureSeries:
        """Return the features of an object, as far as they are known."""
        series = self._series_of(obj_id)
        series.settle()
        return series

    def features_table(self) -> pd.DataFrame:
        """Return all features as a table, one row for each object, position and frame.

        Returns
        -------
        pandas.DataFrame
            Columns `napari_sam2_probe.common.feature_names.RUN_COLUMNS`; `position` as in the table of positions.
        """
        import pandas as pd

        parts = []
        for obj_id in self._series:
            series = self.features(obj_id)
            for index, position in enumerate(self.positions):
                columns = {"object_id": obj_id, "position": position.number, "frame": np.arange(self._num_frames)}
                columns |= {name: series.values[index, :, column] for column, name in enumerate(FEATURE_COLUMNS)}
                parts.append(pd.DataFrame(columns))
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(RUN_COLUMNS))

    def close(self) -> None:
        """Remove temporary files."""
        self._folder.close()

    def _series_of(self, obj_id: int) -> FeatureSeries:
        if obj_id not in self._series:
            self._series[obj_id] = FeatureSeries(self._num_frames, tuple(self._by_key), self.options)
        return self._series[obj_id]

    def _take_shown(self, at: FramePass) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        if at.kind not in PROMPTED_KINDS:
            shown = self._shown.pop(_key(at), _Shown())
            return shown.embeddings, shown.maps
        shown = self._shown.get(_key(at), _Shown())
        embeddings = {}
        for key, path in shown.parked.items():
            # Statistics stayed on the device, so they tell where the embeddings belong.
            device = next(iter(shown.maps.values())).device
            embeddings[key] = torch.from_numpy(np.load(path, allow_pickle=False)).to(device)
        return embeddings, shown.maps

    def _park(self, at: FramePass, key: str, embedding: Tensor) -> Path:
        path = self._folder.path / f"{at.obj_id}-{at.frame_idx}-{at.serial}-{key}.npy"
        np.save(path, embedding.cpu().numpy())
        return path


def _key(at: FramePass) -> tuple[int, int, int]:
    return at.obj_id, at.frame_idx, at.serial


def _to_numpy(tensors: Iterable[Tensor]) -> list[NDArray[np.float32]]:
    """Move tensors to the CPU with a single transfer."""
    tensors = list(tensors)
    if not tensors:
        return []
    flat = torch.cat([t.float().reshape(-1) for t in tensors]).cpu().numpy()
    ends = np.cumsum([t.numel() for t in tensors])
    return [part.reshape(t.shape) for part, t in zip(np.split(flat, ends[:-1]), tensors, strict=True)]
