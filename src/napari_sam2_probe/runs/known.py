"""What is known of a clip's frames: the rows of a data set's ``frames.csv`` (SPEC 3)."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.transforms.store import FRAME_COLUMNS

if TYPE_CHECKING:
    from numpy.typing import NDArray

OBJECT_OF_INTEREST = 1
"""The id of the object of interest in every clip."""


@dataclass(frozen=True)
class KnownFrames:
    """What a recipe tells of every frame of one clip.

    Attributes
    ----------
    clip
        The clip's name.
    object_present, context_present
        (T,) bool.
    obscured_fraction
        (T,) float64, NaN where the object is absent.
    source_sequence, source_frame
        (T,) where each frame comes from.
    recipe
        The clip's line of ``clips.jsonl``, or None without that file.
    """

    clip: str
    object_present: NDArray[np.bool_]
    context_present: NDArray[np.bool_]
    obscured_fraction: NDArray[np.float64]
    source_sequence: tuple[str, ...]
    source_frame: NDArray[np.int64]
    recipe: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return a dictionary for ``run.json``; absent numbers become None."""
        return {
            "clip": self.clip,
            "object_present": self.object_present.tolist(),
            "context_present": self.context_present.tolist(),
            "obscured_fraction": [None if np.isnan(v) else float(v) for v in self.obscured_fraction],
            "source_sequence": list(self.source_sequence),
            "source_frame": self.source_frame.tolist(),
            "recipe": self.recipe,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> KnownFrames:
        """Read back what `as_json` gave."""
        return cls(
            data["clip"],
            np.array(data["object_present"], bool),
            np.array(data["context_present"], bool),
            np.array([np.nan if v is None else v for v in data["obscured_fraction"]], float),
            tuple(data["source_sequence"]),
            np.array(data["source_frame"], int),
            data["recipe"],
        )


def read_known_frames(frames_csv: Path | str, clip: str, num_frames: int) -> KnownFrames:
    """Read the rows of one clip, and its recipe if ``clips.jsonl`` lies beside.

    Parameters
    ----------
    frames_csv
        The file.
    clip
        The clip's name, which is its folder's.
    num_frames
        How many frames the clip has.

    Raises
    ------
    InputError
        If the file is not a frames.csv, or its rows of this clip don't fit the video.
    """
    path = Path(frames_csv)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: the file can't be read as a frames.csv; give the one of the data set.") from error
    missing = [c for c in FRAME_COLUMNS if rows and c not in rows[0]]
    if not rows or missing:
        raise InputError(f"{path}: this is not a frames.csv (no {', '.join(missing) or 'rows'}); give the data set's.")
    mine = sorted((row for row in rows if row["clip"] == clip), key=lambda row: int(row["frame"]))
    if [int(row["frame"]) for row in mine] != list(range(num_frames)):
        raise InputError(
            f"{path}: it has {len(mine)} rows for the clip {clip}, whose video has {num_frames} frames; "
            "give the frames.csv of the data set that the clip belongs to."
        )
    return KnownFrames(
        clip,
        np.array([_flag(row["object_present"], path) for row in mine], bool),
        np.array([_flag(row["context_present"], path) for row in mine], bool),
        np.array([float(row["obscured_fraction"] or "nan") for row in mine]),
        tuple(row["source_sequence"] for row in mine),
        np.array([int(row["source_frame"]) for row in mine]),
        _recipe(path.with_name("clips.jsonl"), clip),
    )


def _flag(text: str, path: Path) -> bool:
    values = {"true": True, "false": False, "1": True, "0": False}
    if text.lower() not in values:
        raise InputError(f"{path}: {text!r} is neither true nor false; give the frames.csv as it was written.")
    return values[text.lower()]


def _recipe(path: Path, clip: str) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    for line in path.read_text(encoding="utf-8").splitlines():
        entry: dict[str, Any] = json.loads(line)
        if clip in (entry.get("clip"), entry.get("name")):
            return entry
    return None
