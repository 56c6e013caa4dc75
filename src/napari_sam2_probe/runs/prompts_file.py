"""Prompts as JSON: the file that ``--prompts`` reads, and what a run keeps of its own.

A file is a list of objects such as ``{"frame": 0, "object_id": 1, "points": [[120, 80]], "labels": [1]}``, with
``"box": [x0, y0, x1, y1]`` instead of or beside points, or with ``"mask": "mask.png"`` alone (a path beside the file,
whose pixels with the object's id, or any pixel but 0 in a mask of one object, are the mask). Labels are 1 where left
out.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.names import inside
from napari_sam2_probe.common.reading import load_json
from napari_sam2_probe.tracking.prompts import Prompt, prompts_from_labels
from napari_sam2_probe.video.masks import read_mask, write_mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_KEYS = {"frame", "object_id", "points", "labels", "box", "mask"}
_LARGEST = 2**31
_EXAMPLE = '{"frame": 0, "object_id": 1, "points": [[120, 80]], "labels": [1]}'


def read_prompts(path: Path | str) -> list[Prompt]:
    """Read a file of prompts.

    Raises
    ------
    InputError
        If it is not such a file.
    """
    path = Path(path)
    try:
        entries = load_json(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the file can't be read as JSON; give a list of prompts such as [{_EXAMPLE}].") from (
            error
        )
    if not isinstance(entries, list):
        raise InputError(f"{path}: this is no list; give a list of prompts such as [{_EXAMPLE}].")
    return prompts_from_json(entries, path)


def prompts_from_json(entries: Sequence[Any], path: Path, *, enclosed: bool = False) -> list[Prompt]:
    """Return the prompts that a list from the JSON file `path` says; masks lie beside the file.

    Parameters
    ----------
    entries
        The list.
    path
        The file that it is from.
    enclosed
        Whether masks must lie in the folder of the file, as those of a run do, which may come from elsewhere. A file
        that a user gives may name masks anywhere.

    Raises
    ------
    InputError
        If an entry is no prompt.
    """
    said = [f"{path}: prompt {number}" for number, _ in enumerate(entries, 1)]
    return [prompt_from_json(entry, path, where, enclosed=enclosed) for entry, where in zip(entries, said, strict=True)]


class PromptFiles:
    """Prompts as a file in `folder` says them; masks are written once, into ``folder/prompts``.

    Parameters
    ----------
    folder
        A run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._entries: dict[Prompt, dict[str, Any]] = {}
        self._number = 0

    def entry(self, prompt: Prompt) -> dict[str, Any]:
        """Return a prompt as `read_prompts` reads it."""
        if prompt not in self._entries:
            self._number += 1
            self._entries[prompt] = _entry(prompt, self._number, self._folder)
        return dict(self._entries[prompt])

    def forget_others(self, prompts: Iterable[Prompt]) -> None:
        """Remove the masks of all prompts but these."""
        kept = set(prompts)
        for prompt in [prompt for prompt in self._entries if prompt not in kept]:
            name = self._entries.pop(prompt).get("mask")
            if name is not None:
                (self._folder / name).unlink(missing_ok=True)


def prompt_from_json(entry: Any, path: Path, where: str, *, enclosed: bool = False) -> Prompt:
    """Return the prompt that an entry of the JSON file `path` says; `where` names it in errors.

    With `enclosed`, as in a run, files it names lie in the folder of `path`.

    Raises
    ------
    InputError
        If it is no prompt.
    """
    if not isinstance(entry, dict) or not entry.keys() <= _KEYS:
        raise InputError(f"{where} is not like {_EXAMPLE}; its keys may be {', '.join(sorted(_KEYS))}.")
    frame_idx = _whole_number(entry.get("frame", 0), f"{where}: 'frame'")
    obj_id = _whole_number(entry.get("object_id", 1), f"{where}: 'object_id'")
    if "mask" in entry:
        if entry.keys() & {"points", "labels", "box"}:
            raise InputError(f"{where} has a mask beside points or a box; a mask stands alone.")
        if not isinstance(entry["mask"], str):
            raise InputError(f"{where}: 'mask' is not the path of a PNG beside the file.")
        folder, name = path.parent, entry["mask"]
        return _mask_prompt(inside(folder, *name.split("/")) if enclosed else folder / name, frame_idx, obj_id)
    points = [_numbers(point, 2, f"{where}: a point") for point in _list(entry.get("points", []), f"{where}: 'points'")]
    given = _list(entry.get("labels", [1] * len(points)), f"{where}: 'labels'")
    labels = [_whole_number(label, f"{where}: a label") for label in given]
    if len(labels) != len(points):
        raise InputError(f"{where} has {len(points)} points but {len(labels)} labels: give one a point.")
    box = _numbers(entry["box"], 4, f"{where}: 'box'") if entry.get("box") is not None else None
    return Prompt.from_points(frame_idx, obj_id, points, labels, box)


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(f"{what} is no list; compare {_EXAMPLE}.")
    return value


def _numbers(value: Any, count: int, what: str) -> list[float]:
    if not isinstance(value, list) or len(value) != count or not all(map(_is_number, value)):
        raise InputError(f"{what} is not a list of {count} numbers that can be used; compare {_EXAMPLE}.")
    return value


def _is_number(value: Any) -> bool:
    # NaN, infinity and what float32 can't hold are numbers to JSON, but no place in an image.
    return type(value) in (int, float) and abs(value) < _LARGEST


def _whole_number(value: Any, what: str) -> int:
    # A bool is an int in Python, and a number too large for an array can't be a frame, an id or a label.
    if type(value) is not int or abs(value) >= _LARGEST:
        raise InputError(f"{what} is not a whole number that can be used; compare {_EXAMPLE}.")
    return value


def _mask_prompt(path: Path, frame_idx: int, obj_id: int) -> Prompt:
    labels = read_mask(path)
    found = prompts_from_labels(frame_idx, labels)
    if len(found) != 1:
        return prompts_from_labels(frame_idx, labels, [obj_id])[0]
    assert found[0].mask is not None
    return Prompt.from_mask(frame_idx, obj_id, found[0].mask)


def _entry(prompt: Prompt, number: int, folder: Path) -> dict[str, Any]:
    entry: dict[str, Any] = {"frame": prompt.frame_idx, "object_id": prompt.obj_id}
    if prompt.mask is not None:
        name = f"prompts/{number:03d}-frame-{prompt.frame_idx:05d}-object-{prompt.obj_id}.png"
        write_mask(folder / name, prompt.mask)
        return entry | {"mask": name}
    if len(prompt.points):
        entry |= {"points": prompt.points.tolist(), "labels": prompt.labels.tolist()}
    return entry if prompt.box is None else entry | {"box": prompt.box.tolist()}
