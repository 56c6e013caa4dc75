"""What the tests of live runs share: prompts, playing steps to a live run, and comparing two runs."""

from __future__ import annotations

import numpy as np
import zarr

from napari_sam2_probe.common.progress import Progress
from napari_sam2_probe.families.loaded import ModelChoice
from napari_sam2_probe.live import events
from napari_sam2_probe.live.live_run import LiveRun
from napari_sam2_probe.live.prompt_queue import PromptQueue
from napari_sam2_probe.live.prompt_state import PromptState
from napari_sam2_probe.runs import find_runs, open_run

ON = PromptState(((35.0, 42.0, 1),))
ON_AND_OFF = PromptState(((35.0, 42.0, 1), (85.0, 12.0, 0)))
BOX = PromptState(box=(40.0, 34.0, 76.0, 60.0))
OTHER = PromptState(box=(70.5, 5.25, 95.0, 25.0))
CHOSEN = PromptState(ON.points, candidate=1)


def each(job):
    """What is yielded, one by one: things that happened at once come as a tuple."""
    for event in job:
        yield from event if isinstance(event, tuple) else (event,)


class Player:
    """Plays steps to a live run.

    A step is a word and what belongs to it: ``("say", frame, object, state)``, ``("track", direction)``,
    ``("pause at", frame)``, ``("resume",)``, ``("cancel at", frame, direction)``, ``("remove", object)``.
    """

    def __init__(self, source, model_cache, folder):
        self.folder = folder
        self.queue = PromptQueue()
        choice = ModelChoice("sample", device="cpu")
        self.live = LiveRun(source, choice, folder, model_cache, self.queue)
        self.happened = []

    def play(self, steps):
        for what, *about in steps:
            getattr(self, f"_{what.replace(' ', '_')}")(*about)
        self.live.close()
        (path,) = find_runs(self.folder)
        return open_run(path)

    def _do(self, job, at=None, then=None):
        for event in each(job):
            if not isinstance(event, Progress):
                self.happened.append(event)
            if isinstance(event, events.FrameShown) and event.tracked and event.frame_idx == at:
                at = None
                if then == "cancel":
                    job.close()
                    return
                then()

    def _say(self, frame_idx, obj_id, state):
        self.queue.put({(frame_idx, obj_id): state})
        self._do(self.live.apply())

    def _remove(self, obj_id):
        self.queue.remove(obj_id)
        self._do(self.live.apply())

    def _track(self, direction):
        self._do(self.live.propagate(direction))

    def _pause_at(self, frame_idx, direction):
        self._do(self.live.propagate(direction), frame_idx, self.live.pause)

    def _say_at(self, at, direction, frame_idx, obj_id, state):
        self._do(self.live.propagate(direction), at, lambda: self.queue.put({(frame_idx, obj_id): state}))

    def _resume(self):
        self._do(self.live.resume())

    def _cancel_at(self, frame_idx, direction):
        self._do(self.live.propagate(direction), frame_idx, "cancel")


def assert_same_run(one, other):
    """Masks, pointers, maps, scores, flags, features, and what the runs say was done."""
    ours, theirs = dict(_arrays(one)), dict(_arrays(other))
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        np.testing.assert_array_equal(values, theirs[name], err_msg=name)
    assert _features(one) == _features(other)
    for part in ("parameters", "passes", "objects", "known", "finished"):
        assert one.info[part] == other.info[part], part
    assert one.info["model"] == other.info["model"]
    assert [_bare(step) for step in one.info["steps"]] == [_bare(step) for step in other.info["steps"]]


def _arrays(run):
    store = zarr.open_group(run.path / "probe.zarr", mode="r")
    for name, item in store.members(None):
        if isinstance(item, zarr.Array):
            yield name, item[:]


def _features(run):
    """None where no frame was tracked."""
    table = run.path / "features.csv"
    return table.read_bytes() if table.exists() else None


def _bare(step):
    """A step without what only counts."""
    return {key: value for key, value in step.items() if key not in ("pass", "mask")}
