"""Where memory attention looked in the frames of a run, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.tracking.attention import GROUPS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sam2_probe.tracking.bank import Bank
    from napari_sam2_probe.tracking.observer import FramePass

COLUMNS = ("object_id", "frame", "layer", "queries", "kind", "entry_frame", "share")
"""The columns of a run's ``attention.parquet``."""


class AttentionTable:
    """The shares of attention of all frames; of a frame that is tracked again, the last ones."""

    def __init__(self) -> None:
        self._shown: dict[tuple[int, int, int], NDArray[np.float32]] = {}
        self._frames: dict[tuple[int, int], tuple[Bank, NDArray[np.float32]]] = {}

    def observe(self, at: FramePass, shares: Tensor) -> None:
        """Take the shares (1, layers, groups, entries) of a pass."""
        self._shown[at.obj_id, at.frame_idx, at.serial] = shares[0].cpu().numpy()

    def put(self, at: FramePass) -> None:
        """Take what a pass showed as the frame's value."""
        self._frames.pop((at.obj_id, at.frame_idx), None)
        shares = self._shown.pop((at.obj_id, at.frame_idx, at.serial), None)
        if shares is not None and at.bank is not None:
            self._frames[at.obj_id, at.frame_idx] = (at.bank, shares)

    def forget(self, at: FramePass) -> None:
        """Leave out what a pass showed that was only repeated."""
        self._shown.pop((at.obj_id, at.frame_idx, at.serial), None)

    def remove(self, obj_id: int) -> None:
        """Forget an object."""
        self._shown = {key: value for key, value in self._shown.items() if key[0] != obj_id}
        self._frames = {key: value for key, value in self._frames.items() if key[0] != obj_id}

    def table(self) -> pd.DataFrame:
        """Return all shares, one row for each layer, group and entry; groups without a token are left out."""
        import pandas as pd

        parts = [_rows(*key, bank, shares) for key, (bank, shares) in sorted(self._frames.items(), key=lambda i: i[0])]
        columns: dict[str, Any] = {
            name: np.concatenate([part[name] for part in parts]) if parts else [] for name in COLUMNS
        }
        whole = dict.fromkeys(("object_id", "frame", "layer", "entry_frame"), "int64")
        words = {"queries": pd.CategoricalDtype(list(GROUPS)), "kind": pd.CategoricalDtype(["memory", "pointer"])}
        return pd.DataFrame(columns).astype({**whole, **words, "share": "float32"})


def _rows(obj_id: int, frame_idx: int, bank: Bank, shares: NDArray[np.float32]) -> dict[str, NDArray[np.generic]]:
    layers, groups, entries = shares.shape
    index = np.indices(shares.shape).reshape(3, -1)
    there = ~np.isnan(shares.ravel())
    columns: dict[str, NDArray[np.generic]] = {
        "object_id": np.full(layers * groups * entries, obj_id),
        "frame": np.full(layers * groups * entries, frame_idx),
        "layer": index[0],
        "queries": np.array(GROUPS)[index[1]],
        "kind": np.array([entry.kind for entry in bank.entries])[index[2]],
        "entry_frame": np.array([entry.frame for entry in bank.entries])[index[2]],
        "share": shares.ravel(),
    }
    return {name: values[there] for name, values in columns.items()}
