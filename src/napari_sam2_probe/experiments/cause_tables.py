"""Where the causes of an experiment's clips lie: three tables with a row an entry, a patch or an edited frame.

``causes/blame.parquet``, ``causes/patches.parquet`` and ``causes/suffix.parquet``; each clip's rows are files of their
own until all are there. Neither SAM 2 nor torch is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam2_probe.causes.tables import BLAME_COLUMNS, PATCH_COLUMNS, SUFFIX_COLUMNS
from napari_sam2_probe.experiments.tables import read_tables
from napari_sam2_probe.transforms.registry import KINDS, kept_kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from napari_sam2_probe.experiments.folder import ExperimentFolder

_CLIP = dict.fromkeys(("kind", "clip", "base_sequence", "distractor_sequences"), "string")
_WORDS = dict.fromkeys(("role", "entry", "edit", "position", "measure"), "string")
_WHOLE = dict.fromkeys(("object_id", "frame", "measured_frame", "twin_frame"), "int64")


def _columns(names: Sequence[str]) -> dict[str, str]:
    # `kind` is the clip's; that of an entry of the bank is called `entry` here.
    own = ["entry" if name == "kind" else name for name in names]
    typed = {name: _WORDS.get(name) or _WHOLE.get(name) or "double" for name in own}
    return {**_CLIP, **typed, "stage": "string"}


CAUSE_TABLES = {
    "blame": _columns(BLAME_COLUMNS),
    "patches": _columns(PATCH_COLUMNS),
    "suffix": _columns(SUFFIX_COLUMNS),
}
"""Columns of each table with their types. ``stage`` is that of the frame on which an effect is seen."""


@dataclass(frozen=True)
class CausesFolder:
    """Where the causes of an experiment lie.

    Attributes
    ----------
    experiment
        The experiment.
    """

    experiment: ExperimentFolder

    def table(self, name: str) -> Path:
        """Return one of `CAUSE_TABLES`, there when all clips are done."""
        return self.experiment.path / "causes" / f"{name}.parquet"

    def part(self, name: str, clip: str) -> Path:
        """Return a clip's rows of a table; those of the last table are written last."""
        return self.experiment.path / "parts" / "causes" / f"{clip}.{name}.parquet"

    def is_complete(self, clip: str) -> bool:
        """Tell whether a clip is done."""
        return self.part([*CAUSE_TABLES][-1], clip).is_file()

    @property
    def complete(self) -> bool:
        """Whether all clips are done."""
        return all(self.table(name).is_file() for name in CAUSE_TABLES)

    def read(self, name: str) -> pd.DataFrame:
        """Return a table as far as it goes.

        Raises
        ------
        InputError
            If a file is damaged.
        """
        whole = self.table(name)
        parts = [whole] if whole.is_file() else sorted(self.part(name, "").parent.glob(f"*.{name}.parquet"))
        return read_tables(CAUSE_TABLES[name], parts)


def twin_kind(kind: str) -> str:
    """Return the kind whose clip of the same number has the same object and no change; empty if there is none.

    What a kind itself is compared with (`kept_kind`), and where footage is laid over the object in all of a clip, the
    clean one.
    """
    return kept_kind(kind) or ("clean" if kind in KINDS and KINDS[kind].overlays else "")


def changes_interjection(kind: str) -> bool:
    """Say whether the clips of a kind are changed in their interjection, and as their twins elsewhere."""
    return bool(kept_kind(kind))
