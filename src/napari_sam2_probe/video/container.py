"""How long a video file says it is: a copy or download that broke off lacks its end.

FFmpeg plays what is there without a word. But a container is made of parts that begin with their size, so whether
bytes are missing can be counted without decoding anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

# Writers count the header of the last part, or the byte that makes its length even, in or out.
_SLACK = 8

# FFmpeg would look for frames in all that follows.
_MOST_BEHIND = 1 << 24

# Parts of an mp4 that nothing is lost with.
_PADDING = (b"free", b"skip", b"wide", b"uuid")

# The parts of a Matroska file down to its blocks, by their ids. Between them is nothing: a reader that loses the
# thread leaves out whatever it can't read, and with it frames.
_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_TOP = frozenset({0x1A45DFA3, _SEGMENT})
_IN_SEGMENT = _TOP | {
    *(0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1043A770, _CLUSTER, 0x1C53BB6B, 0x1941A469, 0x1254C367),
}
_IN_CLUSTER = frozenset({0xE7, 0x5854, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF})
_ANYWHERE = frozenset({0xEC, 0xBF})  # Void, and a checksum.


class DamagedContainerError(Exception):
    """The parts of a file don't follow one another; the message says where."""


def missing_bytes(path: Path) -> int:
    """Return how many bytes an mp4, mov, avi, mkv or webm file lacks at its end; 0 if it is complete or doesn't tell.

    Raises
    ------
    DamagedContainerError
        If the parts of a file don't follow one another, or much that is no video follows.
    OSError
        If the file can't be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        file.seek(0)
        if head[:4] == b"RIFF":
            end = _end_of_riff(file, size)
        elif head[:4] == b"\x1aE\xdf\xa3":
            end = _end_of_matroska(file, size)
        elif head[4:8].isalnum() or head[4:8] in _PADDING:
            end = _end_of_mp4(file, size)
        else:
            return 0
    return end - size if end > size + _SLACK else 0


def _end_of_mp4(file: BinaryIO, size: int) -> int:
    at = 0
    while at + 8 <= size:
        file.seek(at)
        length, kind = int.from_bytes(file.read(4)), file.read(4)
        if length == 1:
            length = int.from_bytes(file.read(8))
        if length < 8:
            # 0: to the end of the file. Anything else is no part.
            return size
        at += length
        if at > size:
            return size if kind in _PADDING else at
    return at


def _end_of_riff(file: BinaryIO, size: int) -> int:
    at = 0
    while at + 12 <= size:
        file.seek(at)
        kind, length = file.read(4), int.from_bytes(file.read(4), "little")
        if kind != b"RIFF" and at and size - at > _MOST_BEHIND:
            raise DamagedContainerError(f"{size - at} bytes that are no video follow its end")
        if kind != b"RIFF" or length in (0, 0xFFFFFFFF):
            # Something small behind it, or a recorder that never came back to write the length.
            return size
        at += 8 + length + length % 2
    return at


def _end_of_matroska(file: BinaryIO, size: int) -> int:
    at, allowed = 0, _TOP
    while True:
        file.seek(at)
        name, length = _number(file, keep_marker=True), _number(file)
        if name is None or length is None:
            # What is left is shorter than the head of a part, or no part at all.
            if at + 12 <= size:
                raise DamagedContainerError(f"there is nothing that can be read at byte {at}")
            return max(at, size)
        if name not in allowed and name not in _ANYWHERE:
            raise DamagedContainerError(f"there is nothing that can be read at byte {at}")
        start = file.tell()
        if name in (_SEGMENT, _CLUSTER):
            allowed = _IN_SEGMENT if name == _SEGMENT else _IN_CLUSTER | _IN_SEGMENT
            if length > 0 and start + length > size + _SLACK:
                return start + length
            at = start
            continue
        if length < 0:
            # Recorded live; only the two above are written so.
            return size
        at = start + length
        if at >= size:
            return at


def _number(file: BinaryIO, *, keep_marker: bool = False) -> int | None:
    """Read a number as EBML writes it; -1 if it says "not known", None where the file ends or there is none."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    count = 8 - first[0].bit_length()
    rest = file.read(count)
    if len(rest) < count:
        return None
    value = int.from_bytes(first + rest)
    if keep_marker:
        return value
    value -= 1 << (7 * (count + 1))
    return -1 if value == (1 << (7 * (count + 1))) - 1 else value
