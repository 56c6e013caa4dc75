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

# Encoders of these give a packet for every picture; where pictures are fewer, the decoder has dropped some, and all
# later frames would move up. What is not larger stands for a picture that is not there.
_A_PACKET_A_PICTURE = frozenset({"h264", "hevc", "mpeg4", "mjpeg"})
_NO_PICTURE = 8


class TruncatedVideoError(Exception):
    """The file lists more frames than it holds; the message says how many."""


class DamagedFramesError(Exception):
    """Frames that had to be decoded are damaged; the message says which."""


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
        Opens the file again: a context manager that gives an ``av`` container and its video stream.

    Raises
    ------
    TruncatedVideoError
        If an mp4, mov or avi file lists more frames than it holds.
    DamagedFramesError
        If all frames had to be decoded, and the decoder tells that some are damaged.
    av.FFmpegError
        If the file can't be read or decoded.
    """
    with open_stream() as (container, stream):
        # Only numbers are kept: the packets themselves are the whole file.
        # An index of the file's own; that of other formats grows as packets are read.
        has_index = not {"mp4", "avi"}.isdisjoint(container.format.name.split(","))
        listed = len(getattr(stream, "index_entries", ())) if has_index else 0
        packets, sizes = [], []
        for packet in container.demux(stream):
            if packet.size:
                packets.append((packet.pts, packet.is_keyframe, packet.is_discard))
                sizes.append(packet.size)
        # Not the count of the header: an edit list may hide whole groups of pictures, which the index leaves out as
        # players do, and AVI headers may state thousands of frames too many.
        if len(packets) < listed:
            raise TruncatedVideoError(f"lists {listed} frames but holds {len(packets)}")
    shown = [(pts, is_key) for pts, is_key, is_discard in packets if not is_discard]
    index = _index(sorted(shown)) if all(pts is not None for pts, _ in shown) else None
    if index is not None and _both_ends_agree(index, open_stream):
        return index
    with open_stream() as (container, stream):
        frames, damaged = [], []
        for index_in_file, frame in enumerate(container.decode(stream)):
            frames.append((frame.pts, bool(frame.key_frame)))
            if getattr(frame, "is_corrupt", False):
                damaged.append(index_in_file)
        codec = stream.codec_context.name
    if damaged:
        raise DamagedFramesError(f"the decoder had to guess frames {some_numbers(damaged)}")
    pictures = sum(size > _NO_PICTURE for size in sizes)
    # Not where a picture is two packets, one for every other line.
    if codec in _A_PACKET_A_PICTURE and len(frames) < pictures < 2 * len(frames) - 2:
        raise DamagedFramesError(f"{pictures - len(frames)} of its {pictures} frames can't be decoded")
    return _index(frames) or FrameIndex(None, (0,), len(frames))


def some_numbers(numbers: list[int]) -> str:
    """Return the first few numbers as a person lists them: ``3, 4, 5 and 12 more``."""
    few = ", ".join(map(str, numbers[:5]))
    return few if len(numbers) <= 5 else f"{few} and {len(numbers) - 5} more"


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
