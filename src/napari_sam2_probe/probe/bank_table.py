"""What the frames of a run read of memory, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from napari_sam2_probe.tracking.bank import Bank
    from napari_sam2_probe.tracking.observer import FramePass

COLUMNS = ("object_id", "frame", "order", "kind", "entry_frame", "role", "temporal_position", "age")
"""The columns of a run's ``bank.parquet``; `order` counts the entries as attention sees them."""


class BankTable:
    """The banks of all frames; of a frame that is tracked again, the last one."""

    def __init__(self) -> None:
        self._banks: dict[tuple[int, int], Bank] = {}

    def put(self, at: FramePass) -> None:
        """Take what a pass read, if it read anything."""
        self._banks.pop((at.obj_id, at.frame_idx), None)
        if at.bank is not None:
            self._banks[at.obj_id, at.frame_idx] = at.bank

    def remove(self, obj_id: int) -> None:
        """Forget an object."""
        self._banks = {key: bank for key, bank in self._banks.items() if key[0] != obj_id}

    def table(self) -> pd.DataFrame:
        """Return all banks, one row for each entry; see `COLUMNS`."""
        import pandas as pd

        rows = [
            (obj_id, frame, order, entry.kind, entry.frame, entry.role, entry.temporal_position, entry.age)
            for (obj_id, frame), bank in sorted(self._banks.items())
            for order, entry in enumerate(bank.entries)
        ]
        # Types even where there is no row.
        types = {name: "str" if name in ("kind", "role") else "int64" for name in COLUMNS}
        return pd.DataFrame(rows, columns=list(COLUMNS)).astype(types)
