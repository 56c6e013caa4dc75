"""What a data set holds: how large every object is and where, in every frame. Plans are drawn from it."""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2_probe.video.masks import VOID, bounding_box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sam2_probe.video.video import Video

MINIMUM_VISIBLE_SHARE = 0.002
"""The visible object of interest must cover this share of a clip's first frame."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The first frames of those windows of some length that an object is in.

    Attributes
    ----------
    base
        Windows that can be a base.
    present
        Windows in all of whose frames the object is.
    whole
        Those of `present` in which it never touches the border of the frame.
    whole_areas
        For each of `whole`, the object's mean area in pixels.
    """

    base: NDArray[np.int64]
    present: NDArray[np.int64]
    whole: NDArray[np.int64]
    whole_areas: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ObjectTrack:
    """One object of a sequence over time.

    Attributes
    ----------
    sequence, object_id
        Whose it is.
    height, width
        Size of the sequence's frames.
    areas
        (T,) int64 pixels; 0 where it is absent or the frame is not annotated.
    boxes
        (T, 4) int64 ``x0, y0, x1, y1``, ends excluded; zeros where it is absent.
    packed
        (T,) its pixels within the box, compressed; see `pixels`. To unpack them takes a tenth of the time of reading
        a mask file, and a sequence's take less memory than one of its frames.
    """

    sequence: str
    object_id: int
    height: int
    width: int
    areas: NDArray[np.int64]
    boxes: NDArray[np.int64]
    packed: tuple[bytes, ...] = field(repr=False)
    _windows: dict[int, Windows] = field(default_factory=dict, init=False, repr=False, compare=False)

    def pixels(self, frame_idx: int) -> NDArray[np.bool_]:
        """Return the mask (h, w) of the object's box in a frame; (0, 0) where it is absent."""
        x0, y0, x1, y1 = self.boxes[frame_idx].tolist()
        bits = np.frombuffer(zlib.decompress(self.packed[frame_idx]), np.uint8)
        return np.unpackbits(bits, count=(y1 - y0) * (x1 - x0)).reshape(y1 - y0, x1 - x0).view(np.bool_)

    def base_starts(self, length: int) -> NDArray[np.int64]:
        """Return the first frames of windows of `length` frames that can be a base."""
        return self.windows(length).base

    def windows(self, length: int) -> Windows:
        """Return the windows of `length` frames that draws choose from; they are looked for once."""
        if length not in self._windows:
            self._windows[length] = self._find_windows(length)
        return self._windows[length]

    def _find_windows(self, length: int) -> Windows:
        present = _runs(self.areas > 0, length)
        x0, y0, x1, y1 = self.boxes.T
        inside = (x0 > 0) & (y0 > 0) & (x1 < self.width) & (y1 < self.height)
        whole = _runs((self.areas > 0) & inside, length)
        total = np.concatenate([[0], np.cumsum(self.areas)])
        return Windows(
            base=present[self.areas[present] >= MINIMUM_VISIBLE_SHARE * self.height * self.width],
            present=present,
            whole=whole,
            whole_areas=(total[whole + length] - total[whole]) / length,
        )

    def size(self, start: int, length: int) -> float:
        """Return the square root of the object's mean area in a window, in pixels."""
        return float(np.sqrt(self.areas[start : start + length].mean()))


@dataclass(frozen=True, slots=True)
class SequenceEntry:
    """A sequence of a data set.

    Attributes
    ----------
    name, num_frames
        What it is called, and its length.
    tracks
        Its objects.
    num_masks
        How many of its frames have a mask.
    contents
        The hash of its frames' pixels, where it was asked for; see `fingerprint_contents`.
    """

    name: str
    num_frames: int
    tracks: tuple[ObjectTrack, ...]
    num_masks: int
    contents: str = ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All sequences of a data set, in the order of its list.

    Attributes
    ----------
    entries
        The sequences.
    all_unrelated
        Whether they have nothing to do with each other, whatever they are called: somebody chose them.
    """

    entries: tuple[SequenceEntry, ...]
    all_unrelated: bool = False

    def track(self, sequence: str, object_id: int) -> ObjectTrack:
        """Return one object of one sequence."""
        for entry in self.entries:
            if entry.name == sequence:
                for track in entry.tracks:
                    if track.object_id == object_id:
                        return track
        raise KeyError((sequence, object_id))

    def unrelated(self, sequence: str) -> tuple[SequenceEntry, ...]:
        """Return the sequences that have nothing to do with this one; see `are_related`."""
        if self.all_unrelated:
            return tuple(entry for entry in self.entries if entry.name != sequence)
        return tuple(entry for entry in self.entries if not are_related(entry.name, sequence))

    def why_no_window(self, length: int) -> str:
        """Say in a sentence why no sequence shows an object in `length` frames in a row, and what to do."""
        if any(0 < entry.num_masks < entry.num_frames for entry in self.entries):
            return (
                f"No sequence of the data set has masks of an object on {length} frames in a row, since not every "
                "frame has a mask: clips can only be made where all frames have one, so take another data set or split."
            )
        tracks = [track for entry in self.entries for track in entry.tracks]
        if len(tracks) == 1:
            return (
                f"Object {tracks[0].object_id} of {tracks[0].sequence} is not seen, and large enough, in {length} "
                "frames in a row: choose shorter lengths, or another object."
            )
        return (
            f"No sequence of the data set shows an object in {length} frames in a row: choose shorter lengths, or add "
            "longer sequences."
        )

    def fingerprint(self) -> str:
        """Return a hash (hex SHA-256) that changes with names, lengths, sizes, every pixel of masks, and of frames.

        Of frames only where their contents were read.
        """
        digest = hashlib.sha256(self.fingerprint_of_areas().encode())
        for entry in self.entries:
            digest.update(f"{entry.contents}\0".encode())
            for track in entry.tracks:
                for t in range(entry.num_frames):
                    # Unpacked: another zlib may pack alike pixels into other bytes.
                    digest.update(track.pixels(t).tobytes())
        return digest.hexdigest()

    def fingerprint_of_areas(self) -> str:
        """Return the hash that earlier versions noted: of names, lengths, sizes, and areas and boxes of masks."""
        digest = hashlib.sha256()
        for entry in self.entries:
            digest.update(f"{entry.name}\0{entry.num_frames}\0".encode())
            for track in entry.tracks:
                digest.update(f"{track.object_id}\0{track.height}\0{track.width}\0".encode())
                digest.update(track.areas.astype("<i8").tobytes())
                digest.update(track.boxes.astype("<i8").tobytes())
        return digest.hexdigest()


def are_related(one: str, other: str) -> bool:
    """Tell whether two sequence names speak of the same footage or subject.

    In DAVIS, names that share their first word (``bmx-bumps`` and ``bmx-trees``, ``dog`` and ``dogs-jump``) show
    the same kind of object, often in the same place. A name whose second part is a number (``clip-003``) is
    one of a numbered list and related to itself only.
    """
    return _subject(one) == _subject(other)


def measure_sequence(name: str, sequence: Video) -> SequenceEntry:
    """Read every mask of a sequence once and note areas and boxes of its objects."""
    num_frames = sequence.num_frames
    areas: dict[int, NDArray[np.int64]] = {}
    boxes: dict[int, NDArray[np.int64]] = {}
    packed: dict[int, list[bytes]] = {}
    nothing = _pack(np.zeros((0, 0), np.bool_))
    shape = (0, 0)
    num_masks = 0
    for frame_idx in range(num_frames):
        labels = sequence.mask(frame_idx)
        if labels is None:
            continue
        num_masks += 1
        shape = labels.shape
        counts = np.bincount(labels.ravel())
        for object_id in (int(label) for label in np.flatnonzero(counts) if label not in (0, VOID)):
            if object_id not in areas:
                areas[object_id] = np.zeros(num_frames, np.int64)
                boxes[object_id] = np.zeros((num_frames, 4), np.int64)
                packed[object_id] = [nothing] * num_frames
            mask = labels == object_id
            x0, y0, x1, y1 = bounding_box(mask)
            areas[object_id][frame_idx] = counts[object_id]
            boxes[object_id][frame_idx] = x0, y0, x1, y1
            packed[object_id][frame_idx] = _pack(mask[y0:y1, x0:x1])
    tracks = tuple(
        ObjectTrack(name, object_id, *shape, areas[object_id], boxes[object_id], tuple(packed[object_id]))
        for object_id in sorted(areas)
    )
    return SequenceEntry(name, num_frames, tracks, num_masks)


def _pack(mask: NDArray[np.bool_]) -> bytes:
    return zlib.compress(np.packbits(mask).tobytes(), 1)


def _runs(good: NDArray[np.bool_], length: int) -> NDArray[np.int64]:
    """Return every index from which `length` values in a row are true."""
    if len(good) < length:
        return np.empty(0, np.int64)
    count = np.concatenate([[0], np.cumsum(good)])
    return np.flatnonzero(count[length:] - count[:-length] == length)


@cache
def _subject(name: str) -> str:
    first, _, rest = name.lower().partition("-")
    return name.lower() if re.fullmatch(r"\d+", rest) else first.removesuffix("s")
