"""Prompts as JSON: the file that ``--prompts`` reads, and what a run keeps of its own.

A file is a list of objects such as ``{"frame": 0, "object_id": 1, "points": [[120, 80]], "labels": [1]}``, with
``"box": [x0, y0, x1, y1]`` instead of or beside points, or ``"mask": "mask.png"`` (a path beside the file, whose
pixels with the object's id, or any pixel but 0 in a mask of one object, are the mask).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.tracking.prompts import Prompt, prompts_from_labels
from napari_sam2_probe.video.masks import read_mask, write_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEYS = {"frame", "object_id", "points", "labels", "box", "mask"}


def read_prompts(path: Path | str) -> list[Prompt]:
    """Read a file of prompts.

    Raises
    ------
    InputError
        If it is not such a file.
    """
    path = Path(path)
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: the file can't be read as JSON; give a list of prompts.") from error
    if not isinstance(entries, list):
        raise InputError(f"{path}: this is no list; give a list of prompts such as {_EXAMPLE}.")
    return [_prompt(entry, path, number) for number, entry in enumerate(entries, 1)]


def prompts_as_json(prompts: Sequence[Prompt], folder: Path) -> list[dict[str, Any]]:
    """Return prompts for ``run.json``, their masks written as PNG files into ``folder/prompts``."""
    return [_entry(prompt, folder) for prompt in prompts]


_EXAMPLE = '{"frame": 0, "object_id": 1, "points": [[120, 80]], "labels": [1]}'


def _prompt(entry: Any, path: Path, number: int) -> Prompt:
    where = f"{path}: prompt {number}"
    if not isinstance(entry, dict) or not entry.keys() <= _KEYS:
        raise InputError(f"{where} is not like {_EXAMPLE}; its keys may be {', '.join(sorted(_KEYS))}.")
    try:
        frame_idx, obj_id = int(entry.get("frame", 0)), int(entry.get("object_id", 1))
        if "mask" in entry:
            return _mask_prompt(path.parent / entry["mask"], frame_idx, obj_id)
        points = np.asarray(entry.get("points", []), np.float32).reshape(-1, 2)
        labels = entry.get("labels", [1] * len(points))
        return Prompt.from_points(frame_idx, obj_id, points, labels, entry.get("box"))
    except (TypeError, ValueError) as error:
        raise InputError(f"{where} holds no number where one is needed; compare {_EXAMPLE}.") from error


def _mask_prompt(path: Path, frame_idx: int, obj_id: int) -> Prompt:
    found = prompts_from_labels(frame_idx, read_mask(path))
    if len(found) == 1:
        return Prompt.from_mask(frame_idx, obj_id, found[0].mask)  # type: ignore[arg-type]
    return prompts_from_labels(frame_idx, read_mask(path), [obj_id])[0]


def _entry(prompt: Prompt, folder: Path) -> dict[str, Any]:
    entry: dict[str, Any] = {"frame": prompt.frame_idx, "object_id": prompt.obj_id}
    if prompt.mask is not None:
        name = f"prompts/{prompt.frame_idx:05d}-{prompt.obj_id}.png"
        write_mask(folder / name, prompt.mask.astype(np.uint8) * np.uint8(1))
        return entry | {"mask": name}
    if len(prompt.points):
        entry |= {"points": prompt.points.tolist(), "labels": prompt.labels.tolist()}
    return entry if prompt.box is None else entry | {"box": prompt.box.tolist()}
