"""The steps of a session in ``run.json``: what was said, in order, and the passes that really ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.runs.prompts_file import prompt_from_json
from napari_sam2_probe.tracking.steps import (
    ChooseStep,
    ClearStep,
    PromptStep,
    RedoStep,
    RemoveStep,
    SweepStep,
    TrackStep,
    UndoStep,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from napari_sam2_probe.runs.prompts_file import PromptFiles
    from napari_sam2_probe.tracking.session import VideoSession
    from napari_sam2_probe.tracking.steps import Step


def describe_steps(session: VideoSession, files: PromptFiles) -> dict[str, Any]:
    """Return what ``run.json`` says of what was done in a session so far.

    Returns
    -------
    dict
        ``prompts``: those that hold now, in the order in which they were given. ``chosen_candidates``: which
        candidate masks were chosen. ``passes``: what was tracked, with the first and last frame and the prompts that
        were there. ``steps``: all of it in order, from which the run can be made again.
    """
    steps = session.log.resolved()
    order = {step.prompt: number for number, step in enumerate(steps) if isinstance(step, PromptStep)}
    prompts = [prompt for obj_id in session.obj_ids for prompt in session.prompts(obj_id).values()]
    prompts.sort(key=lambda prompt: order[prompt])
    chosen = [
        {"frame": frame_idx, "object_id": obj_id, "candidate": index}
        for obj_id in session.obj_ids
        for frame_idx, index in session.chosen(obj_id).items()
    ]
    return {
        "prompts": [files.entry(prompt) for prompt in prompts],
        "chosen_candidates": chosen,
        "passes": [_pass(step) for step in steps if isinstance(step, TrackStep) and step.num_frames],
        "steps": [_entry(step, files) for step in steps],
    }


def steps_from_json(entries: Sequence[Any], path: Path) -> list[Step]:
    """Return the steps that the ``run.json`` at `path` holds.

    Raises
    ------
    InputError
        If an entry is no step.
    """
    return [_step(entry, path, f"{path}: step {number}") for number, entry in enumerate(entries, 1)]


def _pass(step: TrackStep) -> dict[str, Any]:
    return {
        "direction": step.direction,
        "first": step.frames[0],
        "last": step.frames[-1],
        "prompts": [{"frame": frame_idx, "object_id": obj_id} for frame_idx, obj_id in step.prompts],
    }


def _entry(step: Step, files: PromptFiles) -> dict[str, Any]:
    match step:
        case PromptStep():
            return {"step": "prompt", **files.entry(step.prompt)}
        case ChooseStep():
            return {"step": "choose", "frame": step.frame_idx, "object_id": step.obj_id, "candidate": step.index}
        case ClearStep():
            return {"step": "clear", "frame": step.frame_idx, "object_id": step.obj_id}
        case RemoveStep():
            return {"step": "remove", "object_id": step.obj_id}
        case TrackStep():
            entry = {"step": "track", "pass": step.number, "direction": step.direction}
            entry |= {"start": step.start, "end": step.end, "first": step.first, "frames": step.num_frames}
            return entry | ({"refused": True} if step.refused else {})
        case SweepStep():
            return {"step": "sweep", "frames": step.num_frames, "complete": step.complete}
        case UndoStep():
            return {"step": "undo"}
        case RedoStep():
            return {"step": "redo"}


def _step(entry: Any, path: Path, where: str) -> Step:
    try:
        return _READERS[entry["step"]](entry, path, where)
    except (LookupError, TypeError) as error:
        raise InputError(f"{where} is not one that this version knows: make the run again.") from error


def _read_prompt(entry: dict[str, Any], path: Path, where: str) -> Step:
    return PromptStep(
        prompt_from_json({key: value for key, value in entry.items() if key != "step"}, path, where, enclosed=True)
    )


def _read_track(entry: dict[str, Any], *_: object) -> Step:
    asked = (entry["pass"], entry["direction"], entry["start"], entry["end"])
    return TrackStep(*asked, entry["first"], entry["frames"], refused=entry.get("refused", False))


_READERS: dict[str, Callable[[dict[str, Any], Path, str], Step]] = {
    "prompt": _read_prompt,
    "choose": lambda entry, *_: ChooseStep(entry["frame"], entry["object_id"], entry["candidate"]),
    "clear": lambda entry, *_: ClearStep(entry["frame"], entry["object_id"]),
    "remove": lambda entry, *_: RemoveStep(entry["object_id"]),
    "track": _read_track,
    "sweep": lambda entry, *_: SweepStep(entry["frames"], entry["complete"]),
    "undo": lambda *_: UndoStep(),
    "redo": lambda *_: RedoStep(),
}
