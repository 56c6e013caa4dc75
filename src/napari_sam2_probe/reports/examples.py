"""The clip of each kind that is shown as an example, chosen by a rule and not by eye."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from napari_sam2_probe.experiments.results import ExperimentResults

RULE = (
    "of the clips whose twin is tracked best (upper half by mean J) the one whose object is covered most evenly, some "
    "frames not at all and some by half"
)
"""How an example is chosen, in words."""

_HALF = 0.5


@dataclass(frozen=True)
class ClipFrames:
    """One clip of an experiment.

    Attributes
    ----------
    results
        The experiment.
    kind, clip
        Which.
    """

    results: ExperimentResults
    kind: str
    clip: str

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The clip's rows of the table of frames, by frame."""
        frames = self.results.frames
        return frames[(frames["kind"] == self.kind) & (frames["clip"] == self.clip)].set_index("frame").sort_index()

    @property
    def source_frames(self) -> list[tuple[str, int]]:
        """(T,) what a frame is matched with the twin's by."""
        return list(zip(self.rows["source_sequence"], self.rows["source_frame"].astype(int), strict=True))

    @property
    def obscured_fraction(self) -> NDArray[np.float64]:
        """(T,) NaN where the object is absent."""
        return self.rows["obscured_fraction"].to_numpy(dtype=np.float64)

    @property
    def object_present(self) -> NDArray[np.bool_]:
        """(T,) bool."""
        return self.rows["object_present"].to_numpy(dtype=np.bool_)


@dataclass(frozen=True)
class Example:
    """A clip and its clean twin, and the frame that is shown.

    Attributes
    ----------
    changed, clean
        The two clips.
    frame
        The frame, of both.
    """

    changed: ClipFrames
    clean: ClipFrames
    frame: int

    @property
    def twin_frame(self) -> int:
        """The twin's frame of the same source."""
        return self.clean.source_frames.index(self.changed.source_frames[self.frame])


def find_example(results: ExperimentResults, kind: str) -> Example | None:
    """Choose the example of a kind that covers its object (`RULE`); None if no such clip has its twin."""
    done = set(results.clips("clean"))
    frames = results.frames
    of_kind = frames[(frames["kind"] == kind) & frames["twin"].isin(done)]
    if not len(of_kind):
        return None
    quality = frames[frames["kind"] == "clean"].groupby("clip")["region"].mean()
    twins = of_kind.drop_duplicates("clip").set_index("clip")["twin"]
    of_twin = quality.reindex(twins.to_numpy()).fillna(0.0).to_numpy()
    good = twins.index[of_twin >= np.median(of_twin)]
    clip = str(max(good, key=lambda name: _evenness(of_kind[of_kind["clip"] == name])))
    changed, clean = ClipFrames(results, kind, clip), ClipFrames(results, "clean", str(twins[clip]))
    frame = _frame(changed, clean)
    return None if frame is None else Example(changed, clean, frame)


def _evenness(rows: pd.DataFrame) -> float:
    """Return 1 for a clip whose object is covered by every share from none to half alike, less for others."""
    fraction = np.sort(np.clip(rows["obscured_fraction"].fillna(0.0).to_numpy(dtype=np.float64), 0, _HALF))
    return float(1 - np.abs(fraction - np.linspace(0, _HALF, len(fraction))).mean() / _HALF)


def _frame(changed: ClipFrames, clean: ClipFrames) -> int | None:
    """Return the frame whose object is covered most, but at most by six tenths; not the first, and in the twin too."""
    there = set(clean.source_frames)
    fraction = changed.obscured_fraction
    possible = [t for t, source in enumerate(changed.source_frames) if t > 0 and source in there]
    seen = [t for t in possible if np.isfinite(fraction[t]) and fraction[t] <= 0.6]
    if not (seen or possible):
        return None
    return max(seen, key=lambda t: (float(fraction[t]), -t)) if seen else possible[0]
