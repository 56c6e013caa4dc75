"""What the Look panel shows of a run: the cells of a frame, and a map's values over time; for a worker, without Qt."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_sam2_probe.analysis.map_series import cell_over_time, means_by_mask
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.export.clip_view import unusual_status
from napari_sam2_probe.export.overlay import draw_masks
from napari_sam2_probe.figures.composite import MapPair, frame_variance
from napari_sam2_probe.figures.map_charts import MapSeries
from napari_sam2_probe.figures.map_difference import subtract_maps
from napari_sam2_probe.figures.maps import (
    COLOUR_MAPS,
    DIFFERENCE_COLOURS,
    coloured,
    display_limits,
    symmetric_limits,
)
from napari_sam2_probe.figures.style import object_colour
from napari_sam2_probe.gui.layers import maps_of, recorded_maps
from napari_sam2_probe.gui.lazy import DifferenceStack, RunStack
from napari_sam2_probe.gui.map_layers import MapOf, share_limits
from napari_sam2_probe.gui.run_views import find_pair, find_video, open_views
from napari_sam2_probe.probe.positions import BY_KEY, BY_NUMBER, STATISTICS, Statistic, title_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.export.clip_view import ClipView
    from napari_sam2_probe.gui.map_layers import Limits, Sharing
    from napari_sam2_probe.gui.state import RunEntry
    from napari_sam2_probe.video import Video
    from napari_sam2_probe.video.frame_stack import FrameStack

Of = Literal["maps", "difference"]
"""What cells show: the maps of a run, or how they differ from those of the run it is compared with."""

FRAME = "0"
"""The number of the position that is the frame itself."""

LARGEST = 640
"""Pixels of a frame's side beyond which only every second, third … is shown in a cell."""


@dataclass(frozen=True, eq=False)
class LookCell:
    """One cell of the composite.

    Attributes
    ----------
    number, statistic
        The number of the position, and which row the cell stands in.
    title
        What is written above it.
    values
        (h, w) float; None for a picture, and where there is nothing to show.
    picture
        (h, w, 3 or 4) uint8; None where there is nothing to show.
    limits
        The values at the ends of the colour bar; None for a picture.
    colours
        The colour map of matplotlib.
    note
        Why there is nothing, or what is out of the ordinary.
    """

    number: str
    statistic: Statistic
    title: str
    values: NDArray[np.floating] | None = None
    picture: NDArray[np.uint8] | None = None
    limits: Limits | None = None
    colours: str = ""
    note: str = ""


@dataclass(frozen=True)
class LookFrame:
    """The composite of one frame.

    Attributes
    ----------
    frame_idx
        The frame.
    cells
        Columns of positions, each the mean above the variance.
    size
        (H, W) of the video.
    """

    frame_idx: int
    cells: tuple[tuple[LookCell, LookCell], ...]
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class MapsOfRun:
    """All maps of one object in a run, read without asking zarr, which a run that grows keeps busy.

    Attributes
    ----------
    view
        The object of the run.
    keys
        Of the positions that the run holds.
    stacks
        (T, h, w) by key and statistic.
    status
        (T,) by key.
    """

    view: ClipView
    keys: tuple[str, ...]
    stacks: dict[tuple[str, Statistic], RunStack]
    status: dict[str, NDArray[np.uint8]]

    @classmethod
    def open(cls, view: ClipView) -> MapsOfRun:
        """Look what a run holds."""
        positions = recorded_maps(view.run)
        stacks = {(p.key, s): maps_of(view.run, view.obj_id, p, s) for p in positions for s in STATISTICS}
        status = {p.key: view.run.status(p.key)[view.obj_index] for p in positions}
        return cls(view, tuple(p.key for p in positions), stacks, status)

    def pairs(self, frame_idx: int) -> tuple[MapPair, ...]:
        """Return the maps of a frame."""
        return tuple(
            MapPair(
                BY_KEY[key].number,
                self.stacks[key, "mean"].read(frame_idx),
                self.stacks[key, "variance"].read(frame_idx),
                unusual_status(key, int(self.status[key][frame_idx])),
            )
            for key in self.keys
        )


@dataclass(frozen=True, eq=False)
class OpenedLook:
    """A run, and the one that it is compared with.

    Attributes
    ----------
    maps
        Of one object of the run, whose view has the video where it was found.
    without_video
        Why frames can't be shown; empty where they can.
    other
        Maps of the run that is subtracted, or that this one is subtracted from; None without another run.
    frames
        The twin's frame by the run's.
    is_twin
        Whether the run is the clean twin of the other one, so that it is what is subtracted.
    """

    maps: MapsOfRun
    without_video: str = ""
    other: MapsOfRun | None = None
    frames: Mapping[int, int] = field(default_factory=dict)
    is_twin: bool = False

    @property
    def view(self) -> ClipView:
        """The object of the run."""
        return self.maps.view

    @property
    def twin(self) -> ClipView | None:
        """The object of the other run."""
        return None if self.other is None else self.other.view

    @property
    def difference_title(self) -> str:
        """What is subtracted from what; empty without another run."""
        if self.twin is None:
            return ""
        first, second = (self.twin, self.view) if self.is_twin else (self.view, self.twin)
        return f"{first.label} − {second.label}"

    def frame(
        self,
        frame_idx: int,
        of: Of = "maps",
        *,
        sharing: Sharing = "own",
        colours: Mapping[Statistic, str] = COLOUR_MAPS,
    ) -> LookFrame:
        """Return the composite of a frame.

        Parameters
        ----------
        frame_idx
            The frame.
        of
            The maps, or their difference to the twin's.
        sharing
            Which cells share limits, as in `share_limits`.
        colours
            The colour maps of means and variances; differences have their own.
        """
        view, run = self.view, self.view.run
        height, width = run.masks.shape[1:]
        if not frame_idx < run.num_frames:
            return LookFrame(frame_idx, (), (height, width))
        columns = [self._frame_cells(frame_idx, colours["variance"])]
        pairs, there = self.maps.pairs(frame_idx), self.frames.get(frame_idx)
        if of == "difference" and (self.other is None or there is None):
            columns += [_both(pair.position, "not in the other run") for pair in pairs]
            return LookFrame(frame_idx, tuple(columns), (height, width))
        if of == "difference" and self.other is not None and there is not None:
            others = self.other.pairs(there)
            pairs = subtract_maps(others, pairs) if self.is_twin else subtract_maps(pairs, others)
        limits_of = symmetric_limits if of == "difference" else display_limits
        found = [(pair, s, getattr(pair, s)) for pair in pairs for s in STATISTICS]
        own = [limits_of([values]) for _, _, values in found]
        known = [k for k, limits in enumerate(own) if limits is not None]
        maps = [MapOf(BY_NUMBER[found[k][0].position].key, found[k][1], view.obj_id) for k in known]
        shared = dict(zip(known, share_limits(maps, [own[k] or (0.0, 1.0) for k in known], sharing), strict=True))
        cells = []
        for k, (pair, statistic, values) in enumerate(found):
            name = DIFFERENCE_COLOURS if of == "difference" else colours[statistic]
            title = f"{pair.position} {title_of(pair.position)}"
            if k in shared:
                picture = coloured(values, shared[k], name)
                cell = LookCell(pair.position, statistic, title, values, picture, shared[k], name, pair.status)
            else:
                cell = LookCell(pair.position, statistic, title, note=pair.status or "no values")
            cells.append(cell)
        columns += list(zip(cells[::2], cells[1::2], strict=True))
        return LookFrame(frame_idx, tuple(columns), (height, width))

    def stack(self, key: str, statistic: Statistic, of: Of = "maps") -> FrameStack:
        """Return a map, or its difference to the twin's, over time: (T, h, w).

        Raises
        ------
        KeyError, ValueError
            If a run does not hold it.
        """
        mine = self.maps.stacks[key, statistic]
        if of != "difference":
            return mine
        if self.other is None:
            raise KeyError("there is no other run to subtract")
        theirs = self.other.stacks[key, statistic]
        if theirs.shape[1:] != mine.shape[1:]:
            raise ValueError("maps of two sizes have no difference")
        return DifferenceStack(mine, theirs, self.frames, negative=self.is_twin)

    def series(
        self, key: str, statistic: Statistic, place: tuple[float, float] | None = None, of: Of = "maps"
    ) -> MapSeries:
        """Return the values of a map over time.

        Parameters
        ----------
        key, statistic
            Which map.
        place
            Shares of the height and width of the frame, the top left corner at 0: the value of that cell is returned.
            None: the means inside and outside the predicted mask.
        of
            The map, or its difference to the twin's.

        Raises
        ------
        KeyError, ValueError
            If a run does not hold it.
        """
        view, run, k = self.view, self.view.run, self.view.obj_index
        maps, frames = self.stack(key, statistic, of), np.flatnonzero(run.tracked[k]).tolist()
        if place is not None:
            row, column = (min(int(at * n), n - 1) for at, n in zip(place, maps.shape[1:], strict=True))
            values = {"this pixel": cell_over_time(maps, row, column, frames)}
        else:
            inside, outside = means_by_mask(maps, RunStack(run.masks_per_object, k), frames)
            values = {"inside the mask": inside, "outside": outside}
        return MapSeries(values, view.object_present, run.prompted[k], view.interjection)

    def _frame_cells(self, frame_idx: int, colours: str) -> tuple[LookCell, LookCell]:
        title = f"{FRAME} Frame {frame_idx}"
        if self.without_video:
            return _both(FRAME, "no video", title)
        frame = self.view.sequence.frames.read(frame_idx)
        mask = self.view.run.masks_per_object[self.view.obj_index, frame_idx]
        step = -(-max(frame.shape[:2]) // LARGEST)
        frame, mask = frame[::step, ::step], mask[::step, ::step]
        variance = frame_variance(frame)
        limits = display_limits([variance]) or (0.0, 1.0)
        colour = np.array([int(object_colour(self.view.obj_id)[i : i + 2], 16) for i in (1, 3, 5)], float)
        above = LookCell(FRAME, "mean", title, picture=draw_masks(frame, mask.astype(np.uint8), {1: colour}))
        picture = coloured(variance, limits, colours)
        return above, LookCell(FRAME, "variance", title, variance, picture, limits, colours)


def open_look(entries: Sequence[RunEntry], obj_id: int, videos: Sequence[Video]) -> OpenedLook | None:
    """Open the first of some runs, and the one it is compared with: its pair among the others, else the next.

    Parameters
    ----------
    entries
        The runs.
    obj_id
        The object; where the run doesn't hold it, its first.
    videos
        Videos that are open, as in `find_video`.

    Returns
    -------
    OpenedLook or None
        None where the run has no object yet.

    Raises
    ------
    InputError
        If the run can't be read.
    """
    views, _ = open_views(entries[:1], obj_id)
    if not views:
        return None
    view, reason = views[0], ""
    try:
        view = replace(view, sequence=find_video(view.run, videos))
    except InputError as error:
        reason = str(error)
    other, is_twin = _other(entries)
    others = [] if other is None else open_views([other], view.obj_id)[0]
    if not others:
        return OpenedLook(MapsOfRun.open(view), reason)
    frames = view.frames_of_twin(others[0])
    return OpenedLook(MapsOfRun.open(view), reason, MapsOfRun.open(others[0]), frames, is_twin)


def _other(entries: Sequence[RunEntry]) -> tuple[RunEntry | None, bool]:
    """Return what the first run is compared with, and whether the first is that one's clean twin."""
    for other in entries[1:]:
        pair = find_pair([entries[0], other])
        if pair is not None:
            return other, pair == (1, 0)
    return (entries[1] if len(entries) > 1 else None), False


def _both(number: str, note: str, title: str = "") -> tuple[LookCell, LookCell]:
    title = title or f"{number} {title_of(number)}"
    return LookCell(number, "mean", title, note=note), LookCell(number, "variance", title, note=note)
