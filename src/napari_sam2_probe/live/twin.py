"""A transformed clip and its clean twin, tracked from the same prompts, each as a run of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_sam2_probe.analysis.pointers import same_frames
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.names import is_plain_name
from napari_sam2_probe.common.paths import is_dir
from napari_sam2_probe.live import events
from napari_sam2_probe.live.live_run import LiveRun
from napari_sam2_probe.live.prompt_queue import PromptQueue
from napari_sam2_probe.video.open import open_video
from napari_sam2_probe.video.truth import is_twin

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping
    from pathlib import Path

    from napari_sam2_probe.families.loaded import ModelChoice
    from napari_sam2_probe.live.model_cache import ModelCache
    from napari_sam2_probe.live.options import LiveOptions
    from napari_sam2_probe.live.prompt_state import Key, PromptState
    from napari_sam2_probe.video.truth import ClipTruth
    from napari_sam2_probe.video.video import Video

_DEPTH = 3
"""How deep a clip lies in its data set: ``JPEGImages/480p/clip``."""


def has_twin(clip: Video, others: Iterable[Video] = ()) -> bool:
    """Return whether `find_twin` would find something, by a look that is cheap enough for every change in a window."""
    recipe = _recipe(clip)
    if recipe is None or recipe.get("twin") is None:
        return False
    return any(is_twin(recipe, _recipe(other)) for other in others) or bool(_beside(clip, recipe))


def find_twin(clip: Video, others: Iterable[Video] = ()) -> Video | None:
    """Return the clean twin of a transformed clip: one of some others, or one on disk.

    That lies in the clip's data set, or in one beside it, as ``transform clean`` with the same seed makes it. None for
    what is no transformed clip, and where no twin is found.

    Raises
    ------
    InputError
        If the tables of the data set that the clip lies in are damaged, or the twin can't be read.
    """
    if not has_twin(clip, others := list(others)):
        return None
    recipe = _recipe(clip)
    assert recipe is not None
    for other in others:
        if is_twin(recipe, _recipe(other)):
            return other
    opened = (open_video(folder) for folder in _beside(clip, recipe))
    return next((twin for twin in opened if is_twin(recipe, _recipe(twin))), None)


def prompts_for_twin(clip: Video, twin: Video, states: Mapping[Key, PromptState]) -> dict[Key, PromptState]:
    """Return the prompts of a clip on those frames of its twin that come from the same source frames.

    Parameters
    ----------
    clip, twin
        Both with their `truth`.
    states
        What is said of the clip, by frame and object.

    Raises
    ------
    InputError
        If a prompted frame is not in the twin, or nothing is said.
    """
    if clip.truth is None or twin.truth is None:
        raise InputError(f"{clip.name} and {twin.name} don't say which of their frames are the same.")
    frames = dict(same_frames(_sources(clip.truth), _sources(twin.truth)))
    missing = sorted({frame_idx for frame_idx, _ in states if frame_idx not in frames})
    if missing:
        listed = ", ".join(map(str, missing[:3]))
        raise InputError(
            f"The twin has no frame that shows what frame {listed} of the clip shows: prompt on a frame before the "
            "change."
        )
    if not states:
        raise InputError("Add a prompt first: click, box or paint the object.")
    return {(frames[frame_idx], obj_id): state for (frame_idx, obj_id), state in states.items()}


@dataclass
class TwinRun:
    """The run of a twin: all of it in one generator, for a worker thread.

    Attributes
    ----------
    twin
        Its frames.
    choice, runs_folder, model_cache, options
        As of the clip's `LiveRun`.
    states
        Its prompts (`prompts_for_twin`).
    names
        What the user calls the objects.
    path
        The run's folder, once it is there.
    complete
        Whether it was tracked to its end.
    """

    twin: Video
    choice: ModelChoice
    runs_folder: Path
    model_cache: ModelCache
    states: Mapping[Key, PromptState]
    options: LiveOptions | None = None
    names: Mapping[int, str] | None = None
    path: Path | None = None
    complete: bool = False

    def track(self) -> Generator[Any, None, None]:
        """Give all prompts and track forward; yields `Progress` and the events of `live.events`.

        Raises
        ------
        InputError, ResourceError
            If the twin can't be tracked.
        """
        queue = PromptQueue()
        queue.put(self.states)
        live = LiveRun(self.twin, self.choice, self.runs_folder, self.model_cache, queue, options=self.options)
        if self.names:
            live.name_objects(self.names)
        try:
            for step in live.propagate("forward"):
                for event in step if isinstance(step, tuple) else (step,):
                    self._learn(event)
                yield step
        finally:
            live.close()

    def _learn(self, event: Any) -> None:
        if isinstance(event, events.RunStarted):
            self.path = event.path
        elif isinstance(event, events.PassesDone):
            self.complete = True
        elif isinstance(event, events.Refused):
            raise InputError(event.reason)


def _recipe(video: Video) -> dict[str, Any] | None:
    return None if video.truth is None else video.truth.recipe


def _beside(clip: Video, recipe: Mapping[str, Any]) -> list[Path]:
    """Return the folders that are called like the twin: in the clip's data set, and in those beside it."""
    # What a recipe names must not lead out of the data set.
    if clip.folder is None or len(clip.folder.parents) <= _DEPTH or not is_plain_name(recipe["twin"]):
        return []
    root = clip.folder.parents[_DEPTH - 1]
    part = clip.folder.relative_to(root).parent / recipe["twin"]
    try:
        return [folder / part for folder in (root, *sorted(root.parent.iterdir())) if is_dir(folder / part)]
    except OSError:
        # A folder that may not be looked into holds no twin for us.
        return []


def _sources(truth: ClipTruth) -> list[tuple[str, int]]:
    return list(zip(truth.source_sequence, truth.source_frame.tolist(), strict=True))
