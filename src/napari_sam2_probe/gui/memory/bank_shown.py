"""The bank of one frame as the Memory panel shows it; whatever reads files here is for a worker."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.causes.pairs import match_frames
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.figures.style import object_colour
from napari_sam2_probe.figures.thumbnails import thumbnail, thumbnail_size, with_heat
from napari_sam2_probe.gui.run_views import find_twin, find_video

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_sam2_probe.gui.state import RunEntry
    from napari_sam2_probe.runs import ProbeRun
    from napari_sam2_probe.tracking.bank import EntryKind
    from napari_sam2_probe.tracking.looking import FrameAttention
    from napari_sam2_probe.video import Video

PICTURE = (56, 96)
"""Height and width that a thumbnail fits."""


@dataclass(frozen=True)
class EntryShown:
    """One memory or pointer of a bank.

    Attributes
    ----------
    kind, frame, role, age
        As in `BankEntry`.
    share
        Its share of attention, mean over layers; NaN where none was recorded.
    picture
        (h, w, 3) uint8: its frame with the mask, for a memory.
    """

    kind: EntryKind
    frame: int
    role: str
    age: int
    share: float
    picture: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class TwinFrame:
    """A frame of the twin that can be put in a memory's place.

    Attributes
    ----------
    frame
        The twin's frame.
    picture
        (h, w, 3) uint8.
    """

    frame: int
    picture: NDArray[np.uint8]


@dataclass(frozen=True)
class BankShown:
    """What a frame of a run read.

    Attributes
    ----------
    entry, frame, obj_id
        Whose bank.
    object_ids
        Of the run.
    video_shape
        (T, H, W) of the run's video.
    entries
        In the order in which attention sees them; empty where nothing was read.
    twin
        Frames of the twin for the memories, where one was chosen.
    twin_frames
        The twin's frame that belongs to each entry's, where it was tracked.
    note
        What is missing, and what to do, in a sentence; empty if all is there.
    """

    entry: RunEntry
    frame: int
    obj_id: int
    object_ids: tuple[int, ...] = ()
    video_shape: tuple[int, int, int] = (1, 1, 1)
    entries: tuple[EntryShown, ...] = ()
    twin: tuple[TwinFrame, ...] = ()
    twin_frames: Mapping[int, int] = field(default_factory=dict)
    note: str = ""

    @property
    def video_size(self) -> tuple[int, int]:
        """(H, W) of the run's video."""
        return self.video_shape[1:]

    def of_kind(self, kind: EntryKind) -> tuple[EntryShown, ...]:
        """Return the entries of one kind."""
        return tuple(item for item in self.entries if item.kind == kind)


@dataclass(frozen=True)
class PixelLook:
    """Where a pixel of a frame looks in memory.

    Attributes
    ----------
    x, y
        The pixel of the video.
    shares
        Its attention by entry (kind, frame), mean over layers; they sum to 1.
    pictures
        Thumbnails with heat, by the frame of the memory.
    """

    x: float
    y: float
    shares: dict[tuple[str, int], float]
    pictures: dict[int, NDArray[np.uint8]]

    def sentence(self) -> str:
        """Say where it looks most."""
        (kind, frame), most = max(self.shares.items(), key=lambda item: item[1])
        pointers = sum(share for (of, _), share in self.shares.items() if of == "pointer")
        return (
            f"Pixel {self.x:.0f}, {self.y:.0f} looks most at {kind} {frame} ({100 * most:.0f} % of its attention); "
            f"all pointers get {100 * pointers:.0f} %."
        )


class BankReader:
    """Reads banks with their thumbnails, and keeps the videos open that it had to open; for one worker thread."""

    def __init__(self) -> None:
        self._opened: dict[str, Video] = {}

    def close(self) -> None:
        """Let the videos go; calling it twice is harmless."""
        while self._opened:
            self._opened.popitem()[1].close()

    def read(
        self, entry: RunEntry, frame: int, obj_id: int, videos: Sequence[Video], twin: RunEntry | None = None
    ) -> BankShown:
        """Return the bank of a frame and object; of the run's first object if it has not this one."""
        try:
            run = entry.open()
        except InputError as error:
            return BankShown(entry, frame, obj_id, note=str(error))
        ids = tuple(run.object_ids.tolist())
        obj_id = obj_id if obj_id in ids else ids[0]
        shown = BankShown(entry, frame, obj_id, ids, tuple(run.masks.shape))
        try:
            shown = replace(shown, **self._entries(run, frame, obj_id, videos))
            if shown.entries and twin is not None:
                shown = replace(shown, **self._twin(run, twin, shown, videos))
        except InputError as error:
            shown = replace(shown, note=shown.note or str(error))
        return shown

    def _entries(self, run: ProbeRun, frame: int, obj_id: int, videos: Sequence[Video]) -> dict[str, Any]:
        # It brings torch along.
        from napari_sam2_probe.runs.banks import attention_shares

        row = run.object_ids.tolist().index(obj_id)
        if not 0 <= frame < run.num_frames or not run.tracked[row, frame]:
            return {"note": f"Frame {frame} was not tracked for object {obj_id}: go to a frame that was."}
        bank = run.bank(frame, obj_id)
        if bank.empty:
            if run.prompted[row, frame]:
                return {"note": f"Frame {frame} was prompted and read no memory: go to a frame that was tracked."}
            return {"note": f"What frame {frame} read is not on disk yet, or nothing was left to read."}
        shares = attention_shares(run, frame, obj_id)
        video, note = self._video(run, videos)
        if not shares:
            note = note or "This run recorded no attention: record it again to see the shares."
        found = []
        for kind, of, role, age in zip(bank["kind"], bank["frame"], bank["role"], bank["age"], strict=True):
            picture = self._picture(run, video, row, int(of)) if kind == "memory" else None
            found.append(
                EntryShown(kind, int(of), str(role), int(age), shares.get((str(kind), int(of)), float("nan")), picture)
            )
        return {"entries": tuple(found), "note": note}

    def _twin(self, run: ProbeRun, twin: RunEntry, shown: BankShown, videos: Sequence[Video]) -> dict[str, Any]:
        other = twin.open()
        if shown.obj_id not in other.object_ids:
            raise InputError(
                f"{twin.title} has no object {shown.obj_id}: choose the run of the twin with the same object."
            )
        match: Sequence[int] = range(run.num_frames)
        if run.truth is not None and other.truth is not None:
            match = match_frames(run.truth, other.truth)
        row = other.object_ids.tolist().index(shown.obj_id)
        tracked = np.flatnonzero(other.tracked[row])
        frames = {item.frame: match[item.frame] for item in shown.entries if match[item.frame] in tracked}
        video, _ = self._video(other, videos)
        memories = [item.frame for item in shown.of_kind("memory") if item.frame in frames]
        pictures = (TwinFrame(frames[of], self._picture(other, video, row, frames[of])) for of in memories)
        return {"twin": tuple(pictures), "twin_frames": frames}

    def _picture(self, run: ProbeRun, video: Video | None, row: int, frame: int) -> NDArray[np.uint8]:
        size = thumbnail_size((run.masks.shape[1], run.masks.shape[2]), PICTURE)
        colour = object_colour(int(run.object_ids[row]))
        image = None if video is None else video.read(frame)
        return thumbnail(image, np.asarray(run.masks_per_object[row, frame]), colour, size)

    def _video(self, run: ProbeRun, videos: Sequence[Video]) -> tuple[Video | None, str]:
        key = str(run.path)
        if key in self._opened:
            return self._opened[key], ""
        try:
            video = find_video(run, videos)
        except InputError as error:
            return None, f"Thumbnails show masks alone. {error}"
        if not any(video is other for other in videos):
            self._opened[key] = video
        return video, ""


def likely_twin(entry: RunEntry, others: Sequence[RunEntry]) -> RunEntry | None:
    """Return the run of the clean twin of a run's clip, by their recipes; None if none of the others is."""
    opened = []
    for other in (entry, *others):
        try:
            opened.append((other, other.open()))
        except InputError:
            continue
    if not opened or opened[0][0] is not entry:
        return None
    index = find_twin(opened[0][1], [run for _, run in opened[1:]])
    return None if index is None else opened[1 + index][0]


def look_from_pixel(shown: BankShown, seen: FrameAttention, x: float, y: float) -> PixelLook:
    """Return where a pixel of the frame looks: its share of each entry, and heat over the thumbnails.

    Raises
    ------
    InputError
        If the pixel is not in the frame, or the frame read no memory.
    """
    parts = seen.from_token(seen.token_at(x, y, shown.video_size))
    found = {(e.kind, e.frame): part.mean(axis=0) for e, part in zip(seen.entries, parts, strict=True)}
    maps = [heat for (kind, _), heat in found.items() if kind == "memory"]
    highest = max((float(heat.max()) for heat in maps), default=0.0)
    pictures = {
        item.frame: with_heat(item.picture, found["memory", item.frame], highest)
        for item in shown.of_kind("memory")
        if item.picture is not None and ("memory", item.frame) in found
    }
    return PixelLook(x, y, {key: float(heat.sum()) for key, heat in found.items()}, pictures)


def readers_of(shown: BankShown, seen: FrameAttention, memory: int, across: float, down: float) -> NDArray[np.float32]:
    """Return which pixels (h, w) of the frame read a place of a memory, mean over layers.

    Parameters
    ----------
    shown, seen
        The frame.
    memory
        The frame whose memory it is.
    across, down
        The place, from 0 (left, top) to 1.

    Raises
    ------
    InputError
        If the frame read no such memory.
    """
    height, width = shown.video_size
    token = seen.token_at(across * (width - 1), down * (height - 1), shown.video_size)
    tokens = np.zeros(seen.side**2, bool)
    tokens[token] = True
    heat: NDArray[np.float32] = seen.readers(memory, tokens).mean(axis=0)
    return heat
