"""The truth of a clip: what its recipe tells of every frame, the rows of a data set's ``frames.csv``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.paths import is_file
from napari_sam2_probe.common.reading import MOST_BYTES, file_sha256, load_json, parse_json, read_rows, read_text, why

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.video.source import FrameSource

FRAME_COLUMNS = (
    "clip",
    "frame",
    "source_sequence",
    "source_frame",
    "object_present",
    "context_present",
    "obscured_fraction",
)
"""Columns of ``frames.csv``, a row a frame."""

OBJECT_OF_INTEREST = 1
"""The id of the object of interest in every clip."""


@dataclass(frozen=True)
class ClipTruth:
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

    def __repr__(self) -> str:
        present = int(self.object_present.sum())
        return f"<ClipTruth of {self.clip}: the object is in {present} of {len(self.object_present)} frames>"

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

    def take(self, frame_indices: Sequence[int]) -> ClipTruth:
        """Return the truth of the clip that consists of these frames, in this order."""
        taken = list(frame_indices)
        return ClipTruth(
            self.clip,
            self.object_present[taken],
            self.context_present[taken],
            self.obscured_fraction[taken],
            tuple(self.source_sequence[t] for t in taken),
            self.source_frame[taken],
            self.recipe,
        )

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ClipTruth:
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


def is_twin(recipe: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
    """Whether a recipe is that of the clean twin of a transformed clip.

    Parameters
    ----------
    recipe
        Of the transformed clip.
    other
        Of what may be its twin.
    """
    if not recipe or not other or recipe.get("twin") is None or other.get("clip") != recipe["twin"]:
        return False
    return all(other.get(key) == recipe.get(key) for key in ("base", "lengths", "seed", "then"))


def read_truth(frames_csv: Path | str, clip: str, num_frames: int) -> ClipTruth:
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
    rows = [row for row in _rows(path) if row["clip"] == clip]
    return _truth(path, clip, rows, num_frames, read_recipes(path).get(clip))


def read_all_truth(frames_csv: Path | str) -> dict[str, ClipTruth]:
    """Read the rows of all clips, by clip, with their recipes if ``clips.jsonl`` lies beside.

    Raises
    ------
    InputError
        If the file is not a frames.csv.
    """
    path = Path(frames_csv)
    rows: dict[str, list[dict[str, str]]] = {}
    for row in _rows(path):
        rows.setdefault(row["clip"], []).append(row)
    recipes = read_recipes(path)
    return {clip: _truth(path, clip, own, len(own), recipes.get(clip)) for clip, own in rows.items()}


def _truth(
    path: Path, clip: str, rows: list[dict[str, str]], num_frames: int, recipe: dict[str, Any] | None
) -> ClipTruth:
    try:
        rows.sort(key=lambda row: int(row["frame"]))
        if [int(row["frame"]) for row in rows] != list(range(num_frames)):
            raise InputError(
                f"{path}: it has {len(rows)} rows for the clip {clip}, whose video has {num_frames} frames; "
                "give the frames.csv of the data set that the clip belongs to."
            )
        return ClipTruth(
            clip,
            np.array([_flag(row["object_present"]) for row in rows], bool),
            np.array([_flag(row["context_present"]) for row in rows], bool),
            np.array([float(row["obscured_fraction"] or "nan") for row in rows]),
            tuple(row["source_sequence"] for row in rows),
            np.array([int(row["source_frame"]) for row in rows], np.int64),
            recipe,
        )
    except (ValueError, KeyError, OverflowError) as error:
        raise InputError(
            f"{path}: a row of the clip {clip} holds no number or flag where one is needed; give the file as it was "
            "written."
        ) from error


def find_truth(source: FrameSource) -> ClipTruth | None:
    """Read what the data set that a video lies in tells of it; None if the video is not a clip of one.

    Parameters
    ----------
    source
        A video. Only a folder of frames in a data set that holds ``frames.csv`` and ``clips.jsonl`` is a clip of one.

    Raises
    ------
    InputError
        As `read_truth`.
    """
    if source.path is None:
        return None
    folder = Path(source.path)
    for root in folder.parents[1:3]:
        table = root / "frames.csv"
        if is_file(table) and (is_file(root / "clips.jsonl") or is_file(root / "dataset.json")):
            return read_truth(table, folder.name, source.num_frames) if folder.name in _clips(table) else None
    return None


def _clips(path: Path) -> set[str]:
    return {row["clip"] for row in _rows(path)}


def _check_written(path: Path) -> None:
    """Make sure that a table is as it was written, where the data set says what that was.

    Raises
    ------
    ValueError
        If it isn't.
    """
    stated = _stated(path)
    if stated is not None and stated != file_sha256(path, MOST_BYTES):
        raise ValueError("it is not as it was written")


def _stated(path: Path) -> str | None:
    """Return the hash that a finished data set states of one of its tables."""
    about = path.with_name("dataset.json")
    if not is_file(about):
        return None
    content = load_json(about)
    files = content.get("files") if isinstance(content, dict) and content.get("finished") is True else None
    stated = files.get(path.name) if isinstance(files, dict) else None
    return stated if isinstance(stated, str) else None


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        _check_written(path)
        return read_rows(path, FRAME_COLUMNS)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: the file can't be read as a frames.csv ({why(error)}); give the one of the data set."
        ) from error


def _flag(text: str) -> bool:
    return {"true": True, "false": False, "1": True, "0": False}[text.lower()]


def read_recipes(frames_csv: Path) -> dict[str, dict[str, Any]]:
    """Return the lines of the ``clips.jsonl`` beside a ``frames.csv``, by clip; none where there is no such file.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    path = frames_csv.with_name("clips.jsonl")
    try:
        if not is_file(path) and _stated(path) is None:
            return {}
        # Not splitlines: a name may hold a character that only Unicode takes for the end of a line.
        _check_written(path)
        entries = [parse_json(line) for line in read_text(path).split("\n") if line.strip()]
        return {entry["clip"]: entry for entry in entries}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: the file is damaged; give the data set as it was written.") from error
