"""``run.json``, read in one place: whatever it says, there is either a dictionary of known types or one sentence.

Runs come from elsewhere too, and files are cut off and edited. So nobody else reads this file, and nobody who is given
its contents has to ask whether a part is of the type that it should be.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.names import is_plain_name
from napari_sam2_probe.common.reading import load_json, why
from napari_sam2_probe.runs.video_path import found_path

if TYPE_CHECKING:
    from collections.abc import Callable

    Check = Callable[[Any, str], None]

INFO = "run.json"

_LARGEST = 2**31
"""Of ids, frames and process numbers; larger ones fit no array and no widget."""


def load_info(folder: Path | str) -> dict[str, Any]:
    """Return ``run.json`` of a run as it is, to be written again with something changed; nothing in it is checked.

    Raises
    ------
    InputError
        If the file can't be read, or is no JSON object.
    """
    path = Path(folder) / INFO
    try:
        info = load_json(path)
    except OSError as error:
        raise InputError(f"{path}: the file can't be read ({why(error)}).") from error
    except ValueError as error:
        raise InputError(f"{path}: the file is damaged ({why(error)}); make the run again.") from error
    if not isinstance(info, dict):
        raise InputError(f"{path}: the file is damaged; make the run again.")
    return info


def read_info(folder: Path | str) -> dict[str, Any]:
    """Return ``run.json`` of a run; every part that is there is of the type that it should be, at any depth.

    ``video.path`` is where the video lies now, if it lies where the run says. Parts may be missing, as in runs of
    other programs. What is not known here is left as it is.

    Raises
    ------
    InputError
        If the file is damaged; it says which part.
    """
    info = load_info(folder)
    try:
        _RUN(info, "")
    except ValueError as error:
        raise InputError(f"{Path(folder) / INFO}: the file is damaged ({error}); make the run again.") from error
    if "path" in info.get("video", {}):
        info["video"]["path"] = found_path(info["video"], Path(folder))
    return info


def read_sound_parts(folder: Path | str) -> dict[str, Any]:
    """Return what is sound in ``run.json`` of a run, for a list: top parts that are not as they should be are left out.

    Raises
    ------
    InputError
        If the file can't be read, or is no JSON object.
    """
    sound = {}
    for name, value in load_info(folder).items():
        try:
            _RUN({name: value}, "")
        except ValueError:
            continue
        sound[name] = value
    return sound


def _wrong(at: str, expected: str) -> ValueError:
    return ValueError(f"{at or 'all of it'} is not {expected}")


def _anything(_: Any, __: str) -> None:
    pass


def _text(value: Any, at: str) -> None:
    try:
        # Half a character of UTF-16, which JSON can say, can be neither shown nor written.
        sound = isinstance(value, str) and bool(value.encode() or True)
    except UnicodeEncodeError:
        sound = False
    if not sound:
        raise _wrong(at, "a text")


def _path(value: Any, at: str) -> None:
    """Take what a file can be called, which on Linux need not be UTF-8."""
    try:
        sound = isinstance(value, str) and bool(os.fsencode(value) or True)
    except UnicodeEncodeError:
        sound = False
    if not sound:
        raise _wrong(at, "a text")


def _flag(value: Any, at: str) -> None:
    if not isinstance(value, bool):
        raise _wrong(at, "true or false")


def _number(value: Any, at: str) -> None:
    # JSON as Python reads it knows NaN, infinity and whole numbers that no float holds.
    if type(value) not in (int, float) or not abs(value) < 1e300 or not math.isfinite(value):
        raise _wrong(at, "a number")


def _whole(value: Any, at: str) -> None:
    if type(value) is not int or not 0 <= value < _LARGEST:
        raise _wrong(at, "a whole number that can be used")


def _maybe(check: Check) -> Check:
    def checked(value: Any, at: str) -> None:
        if value is not None:
            check(value, at)

    return checked


def _list(check: Check) -> Check:
    def checked(value: Any, at: str) -> None:
        if not isinstance(value, list):
            raise _wrong(at, "a list")
        for index, item in enumerate(value):
            check(item, f"{at}[{index}]")

    return checked


def _parts(required: dict[str, Check] | None = None, /, **optional: Check) -> Check:
    """Check a JSON object: parts that must be there, and parts that may; others are ignored."""
    must = required or {}

    def checked(value: Any, at: str) -> None:
        if not isinstance(value, dict):
            raise _wrong(at, "an object with names")
        for name in must.keys() - value.keys():
            raise ValueError(f"{_below(at, name)} is missing")
        for name, check in (must | optional).items():
            if name in value:
                check(value[name], _below(at, name))

    return checked


def _named(check: Check, name_check: Callable[[str], bool] = lambda _: True) -> Check:
    """Check a JSON object whose names are not known before."""

    def checked(value: Any, at: str) -> None:
        if not isinstance(value, dict):
            raise _wrong(at, "an object with names")
        for name, item in value.items():
            if not name_check(name):
                raise _wrong(_below(at, name), "a name that can stand there")
            check(item, _below(at, name))

    return checked


def _below(at: str, name: str) -> str:
    name = ascii(name)[1:-1][:40]
    return f"{at}.{name}" if at else name


def _frame_names(value: Any, at: str) -> None:
    _list(_text)(value, at)
    # Exports name files by them.
    for index, name in enumerate(value):
        if not is_plain_name(name):
            raise _wrong(f"{at}[{index}]", "a name of a file")
    if len(set(value)) < len(value):
        raise ValueError(f"{at} holds a name twice")


def _known(value: Any, at: str) -> None:
    _KNOWN(value, at)
    if len({len(value[name]) for name in _A_FRAME if name in value}) > 1:
        raise ValueError(f"{at} holds lists of other lengths")


_A_FRAME: dict[str, Check] = {
    "object_present": _list(_flag),
    "context_present": _list(_flag),
    "obscured_fraction": _list(_maybe(_number)),
    "source_sequence": _list(_text),
    "source_frame": _list(_whole),
}
_KNOWN = _parts(clip=_text, **_A_FRAME, recipe=_maybe(_parts({"kind": _text})))
_AT_A_FRAME: dict[str, Check] = {"frame": _whole, "object_id": _whole, "candidate": _maybe(_whole)}

_RUN = _parts(
    format=_anything,
    finished=_flag,
    stopped=_text,
    title=_maybe(_text),
    software=_named(_text),
    model=_parts(
        checkpoint=_maybe(_path),
        sha256=_maybe(_text),
        trained=_flag,
        config=_maybe(_path),
        device=_text,
        device_name=_text,
        dtype=_text,
        flags=_named(_anything),
    ),
    video=_parts(
        path=_maybe(_path),
        absolute_path=_maybe(_path),
        kept_sha256=_maybe(_text),
        name=_text,
        num_frames=_whole,
        height=_whole,
        width=_whole,
        fps=_maybe(_number),
        sha256=_maybe(_text),
        scaling=_maybe(_named(_anything)),
        frame_names=_maybe(_frame_names),
        frame_times=_maybe(_list(_number)),
    ),
    parameters=_parts(features=_parts(prompted_references=_flag)),
    known=_maybe(_known),
    times=_parts(started=_text, finished=_maybe(_text), seconds=_number),
    objects=_list(_whole),
    written=_maybe(_parts({"tracked": _named(_whole), "files": _named(_text)})),
    prompts=_list(_named(_anything)),
    chosen_candidates=_list(_parts(_AT_A_FRAME)),
    object_names=_named(_text, lambda name: name.isascii() and name.isdecimal() and int(name[:20]) < _LARGEST),
    live=_maybe(_parts({"pid": _whole, "created": _number})),
    continues=_maybe(_text),
    continued_in=_text,
)
