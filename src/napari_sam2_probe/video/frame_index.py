"""Which frames a video file holds, and where decoding can begin.

Frame counts in containers are missing or wrong too often, and frame rates may vary, so frames are told apart by
their timestamps. Those of the packets are taken, which needs no decoding, once both ends of the video have been
decoded and found to agree; where they don't (timestamps in AVI are often in decoding order, some codecs have
packets that show nothing) every frame is decoded once to learn the truth.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    OpenStream = Callable[[], AbstractContextManager[tuple[Any, Any]]]

# Longer than the look-ahead of encoders that write packets without a picture of their own.
_HEAD_FRAMES = 32


class TruncatedVideoError(Exception):
    """The file states more frames than it holds; the message says how many."""


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """The frames of a video file in the order in which they are shown.

    Attributes
    ----------
    timestamps
        The timestamp of each frame, in the stream's time base; None where they are missing or not unique, so that
        frames can only be counted from the start.
    seek_points
        The indices of frames at which decoding can begin, rising, the first one 0.
    num_frames
        The number of frames.
    """

    timestamps: tuple[int, ...] | None
    seek_points: tuple[int, ...]
    num_frames: int

    def seek_point(self, frame_idx: int) -> int:
        """Return the last frame at or before `frame_idx` at which decoding can begin."""
        return self.seek_points[bisect_right(self.seek_points, frame_idx) - 1]


def build_frame_index(open_stream: OpenStream) -> FrameIndex:
    """Find the frames of a video file.

    Parameters
    ----------
    open_stream
        Opens the file anew: a context manager that gives an ``av`` container and its video stream.

    Raises
    ------
    TruncatedVideoError
        If an mp4 or mov file states more frames than it holds.
    av.FFmpegError
        If the file can't be read or decoded.
    """
    with open_stream() as (container, stream):
        # Only numbers are kept: the packets themselves are the whole file.
        packets = [(p.pts, p.is_keyframe, p.is_discard) for p in container.demux(stream) if p.size]
        # AVI headers may state thousands of frames too many; the sample table of mp4 is the file's own index.
        if "mp4" in container.format.name and len(packets) < stream.frames:
            raise TruncatedVideoError(f"states {stream.frames} frames but holds {len(packets)}")
    shown = [(pts, is_key) for pts, is_key, is_discard in packets if not is_discard]
    index = _index(sorted(shown)) if all(pts is not None for pts, _ in shown) else None
    if index is not None and _both_ends_agree(index, open_stream):
        return index
    with open_stream() as (container, stream):
        frames = [(frame.pts, bool(frame.key_frame)) for frame in container.decode(stream)]
    return _index(frames) or FrameIndex(None, (0,), len(frames))


def _index(frames: list[tuple[int | None, bool]]) -> FrameIndex | None:
    timestamps = tuple(pts for pts, _ in frames if pts is not None)
    if not timestamps or len(set(timestamps)) < len(frames):
        return None
    keyframes = {i for i, (_, is_key) in enumerate(frames) if is_key}
    return FrameIndex(timestamps, tuple(sorted(keyframes | {0})), len(frames))


def _both_ends_agree(index: FrameIndex, open_stream: OpenStream) -> bool:
    assert index.timestamps is not None
    with open_stream() as (container, stream):
        head = [frame.pts for frame in islice(container.decode(stream), _HEAD_FRAMES)]
    if tuple(head) != index.timestamps[:_HEAD_FRAMES]:
        return False
    last = index.seek_points[-1]
    expected = index.timestamps[last:]
    with open_stream() as (container, stream):
        if last:
            container.seek(expected[0], stream=stream)
        decoded = [frame.pts for frame in container.decode(stream)]
    # Pictures before the keyframe that are stored after it can't be decoded from there, and needn't be.
    return tuple(pts for pts in decoded if pts is not None and pts >= expected[0]) == expected
