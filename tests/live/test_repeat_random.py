"""Whatever was done in a session, in whatever order: done again it gives the same run."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from live_runs import assert_same_run

from helpers.scenarios import moving_video, square_mask
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.live.recorded_session import RecordedSession
from napari_sam2_probe.live.repeat import repeat_run
from napari_sam2_probe.runs import open_run
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.video import ArraySource

pytestmark = pytest.mark.filterwarnings("ignore:cannot import name '_C'")

T, H, W = 4, 60, 100
VIDEO = ArraySource(moving_video(T, H, W), name="moving")


def prompt_of(what, frame_idx, obj_id, variant):
    if what == "click":
        return Prompt.from_points(frame_idx, obj_id, [[35, 42], [85, 12]][: 1 + variant], [1, 0][: 1 + variant])
    if what == "box":
        return Prompt.from_points(frame_idx, obj_id, box=[18 + 4 * variant, 28, 52, 58])
    return Prompt.from_mask(frame_idx, obj_id, np.roll(square_mask(frame_idx, H, W), 9 * variant, axis=1))


def do(recorded, what, frame_idx, obj_id, variant):
    match what:
        case "click" | "box" | "mask":
            recorded.add_prompt(prompt_of(what, frame_idx, obj_id, variant))
        case "choose":
            recorded.choose_candidate(frame_idx, obj_id, variant)
        case "clear":
            recorded.clear_prompt(frame_idx, obj_id)
        case "undo" | "redo":
            getattr(recorded, what)()
        case "remove":
            recorded.remove_object(obj_id)
        case "track":
            recorded.begin_passes(("forward", "both")[variant])
            some = 1 + frame_idx if obj_id == 2 else 3 * T
            for _ in itertools.takewhile(lambda _: recorded.next_frame() is not None, range(some)):
                pass
        case "go on":
            recorded.next_frame()
        case "sweep":
            for _ in itertools.islice(recorded.sweep(), 1 if obj_id == 2 else None):
                pass


def play(recorded, steps):
    for step in steps:
        # Nothing to choose, clear or track: a refusal must leave no trace either.
        with contextlib.suppress(InputError):
            do(recorded, *step)


WORDS = ["click", "box", "mask", "choose", "clear", "undo", "undo", "redo", "remove", *3 * ["track"], "go on", "sweep"]

steps = st.lists(
    st.tuples(
        st.sampled_from(WORDS),
        st.integers(0, T - 1),
        st.sampled_from([1, 2]),
        st.integers(0, 1),
    ),
    min_size=3,
    max_size=10,
)


@pytest.fixture
def model(loaded):
    """In a shape that is short when printed."""
    return lambda: loaded


# To shrink what fails would take very long.
phases = (Phase.explicit, Phase.reuse, Phase.generate)


@settings(deadline=None, max_examples=6, suppress_health_check=list(HealthCheck), phases=phases)
@given(steps=steps)
def test_any_session_done_again_is_the_same(model, steps):
    loaded = model()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recorded = RecordedSession(VIDEO, loaded, lambda: folder / "run")
        try:
            play(recorded, [("click", 0, 1, 0), *steps])
        finally:
            recorded.close()
        if not (folder / "run").exists() or not (run := open_run(folder / "run")).info["steps"]:
            return
        assert_same_run(run, repeat_run(run, folder / "again", VIDEO, model=loaded))
