"""A run made again from its own ``run.json`` is the same run."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from live_runs import BOX, CHOSEN, ON, ON_AND_OFF, OTHER, assert_same_run

from helpers.scenarios import moving_video, square_mask
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.live.prompt_state import NOTHING, PackedMask, PromptState
from napari_sam2_probe.live.repeat import repeat_run
from napari_sam2_probe.live.session import Session
from napari_sam2_probe.probe.distance import FeatureOptions
from napari_sam2_probe.runs import open_run
from napari_sam2_probe.runs.options import RunOptions
from napari_sam2_probe.runs.record import record_run
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.video import ArraySource

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]

PAINTED = PromptState(mask=PackedMask.pack(square_mask(2, 60, 100)))

LIVE = {
    "one click": [("say", 0, 1, ON), ("track", "forward")],
    "clicks one by one, another candidate": [
        ("say", 0, 1, ON_AND_OFF),
        ("say", 0, 1, ON),
        ("say", 0, 1, CHOSEN),
        ("track", "forward"),
    ],
    "correction after propagation": [
        ("say", 0, 1, ON),
        ("track", "forward"),
        ("say", 3, 1, ON_AND_OFF),
        ("track", "forward"),
    ],
    "undone before tracking": [("say", 0, 1, ON), ("say", 0, 1, ON_AND_OFF), ("say", 0, 1, ON), ("track", "forward")],
    "undone after tracking, not tracked again": [
        ("say", 0, 1, ON),
        ("track", "forward"),
        ("say", 3, 1, ON_AND_OFF),
        ("track", "forward"),
        ("say", 3, 1, NOTHING),
    ],
    "undone, tracked, redone, tracked": [
        ("say", 0, 1, ON),
        ("say", 3, 1, BOX),
        ("say", 3, 1, NOTHING),
        ("track", "forward"),
        ("say", 3, 1, BOX),
        ("track", "forward"),
    ],
    "an object undone after tracking, another prompt": [
        ("say", 0, 1, ON),
        ("say", 0, 2, OTHER),
        ("track", "forward"),
        ("say", 0, 2, NOTHING),
        ("say", 4, 1, PAINTED),
        ("track", "forward"),
    ],
    "an object undone before tracking": [
        ("say", 0, 7, OTHER),
        ("say", 0, 7, NOTHING),
        ("say", 0, 1, ON),
        ("track", "forward"),
    ],
    "two objects, one joins on the way, one leaves": [
        ("say", 0, 1, ON),
        ("say at", 2, "forward", 1, 7, OTHER),
        ("remove", 1),
        ("track", "forward"),
    ],
    "both directions": [("say", 3, 1, BOX), ("track", "both")],
    "backward, a correction, both": [
        ("say", 4, 1, PAINTED),
        ("track", "backward"),
        ("say", 1, 1, ON),
        ("track", "both"),
    ],
    "paused, prompted, resumed": [
        ("say", 0, 1, ON),
        ("pause at", 2, "forward"),
        ("say", 2, 1, ON_AND_OFF),
        ("say", 1, 2, OTHER),
        ("resume",),
    ],
    "cancelled, gone on": [("say", 2, 1, BOX), ("cancel at", 4, "both"), ("track", "both")],
    "cancelled": [("say", 0, 1, ON), ("cancel at", 3, "forward")],
    "an object that lost its prompt": [
        ("say", 0, 1, ON),
        ("track", "forward"),
        ("say", 2, 2, OTHER),
        ("say", 2, 1, BOX),
        ("say", 2, 2, NOTHING),
        ("track", "forward"),
        ("say", 3, 2, OTHER),
        ("track", "forward"),
    ],
}


@pytest.mark.parametrize("steps", LIVE.values(), ids=LIVE.keys())
def test_a_live_run_made_again_is_the_same(player, loaded, moving, tmp_path, steps):
    run = player.play(steps)
    assert run.masks[:].any(), "empty masks prove nothing"
    again = repeat_run(run, tmp_path / "again", moving, model=loaded)
    assert_same_run(run, again)


def test_of_a_live_run_is_recorded_what_really_ran(player):
    run = player.play(LIVE["backward, a correction, both"])
    assert run.info["parameters"]["direction"] == "both"
    first, second = {"frame": 4, "object_id": 1}, {"frame": 1, "object_id": 1}
    assert run.info["passes"] == [
        {"direction": "backward", "first": 4, "last": 0, "prompts": [first]},
        {"direction": "forward", "first": 1, "last": 5, "prompts": [first, second]},
        {"direction": "backward", "first": 1, "last": 0, "prompts": [first, second]},
    ]
    assert [(entry["frame"], entry["object_id"]) for entry in run.info["prompts"]] == [(4, 1), (1, 1)]


def test_what_was_undone_before_tracking_is_not_recorded(player):
    run = player.play(LIVE["undone before tracking"])
    assert [entry["step"] for entry in run.info["steps"]] == ["prompt", "track"]
    assert run.info["prompts"] == [{"frame": 0, "object_id": 1, "points": [[35.0, 42.0]], "labels": [1]}]


def test_masks_of_prompts_that_were_undone_are_removed(player):
    painted = [("say", 0, 1, ON), ("say", 2, 1, PAINTED), ("say", 2, 1, NOTHING), ("say", 3, 1, PAINTED)]
    run = player.play([*painted, ("track", "forward")])
    (mask,) = (run.path / "prompts").iterdir()
    assert run.info["prompts"][1]["mask"] == f"prompts/{mask.name}"


HEADLESS = {
    "forward": RunOptions(),
    "both": RunOptions("both"),
    "backward, part": RunOptions("backward", start=4, end=2),
    "edits": RunOptions(
        policy="stride:r=2",
        intervene=(
            {"edit": "noise", "target": "memory", "at": [4, 5]},
            {"edit": "mean", "target": "object_pointer", "at": [4, 4]},
        ),
        attention="exact",
    ),
    "options": RunOptions(features=FeatureOptions("standard deviation", 1e-3, False), unblanked=True),
}


@pytest.mark.parametrize("options", HEADLESS.values(), ids=HEADLESS.keys())
def test_a_headless_run_made_again_is_the_same(loaded, moving, tmp_path, options):
    prompts = [Prompt.from_points(2, 4, [[45, 45]], [1]), Prompt.from_mask(3, 1, square_mask(3, 60, 100))]
    run = record_run(moving, prompts, tmp_path / "run", loaded, options)
    again = repeat_run(run.path, tmp_path / "again", moving, model=loaded)
    assert_same_run(run, again)
    assert again.info["repeats"] == str(run.path)
    assert again.info["parameters"]["intervene"] == list(options.intervene)
    pd.testing.assert_frame_equal(again.bank(4, 4), run.bank(4, 4))
    pd.testing.assert_frame_equal(again.attention(), run.attention())


def test_a_run_of_an_earlier_version_can_be_made_again(loaded, moving, tmp_path):
    run = record_run(moving, [Prompt.from_points(2, 4, [[45, 45]], [1])], tmp_path / "run", loaded, RunOptions("both"))
    for part in ("steps", "passes", "chosen_candidates"):
        del run.info[part]
    (run.path / "run.json").write_text(json.dumps(run.info))
    again = repeat_run(run.path, tmp_path / "again", moving, model=loaded)
    np.testing.assert_array_equal(again.masks[:], run.masks[:])
    assert (run.path / "features.csv").read_bytes() == (again.path / "features.csv").read_bytes()


@pytest.fixture
def small_run(loaded, moving, tmp_path):
    return record_run(moving, [Prompt.from_points(0, 1, [[35, 42]], [1])], tmp_path / "run", loaded, RunOptions(end=1))


def test_another_video_is_refused(small_run, loaded, tmp_path):
    other = ArraySource(moving_video(6, 60, 100, seed=1), name="other")
    with pytest.raises(InputError, match=r"other is not the video that .*run was made of"):
        repeat_run(small_run, tmp_path / "again", other, model=loaded)
    assert not (tmp_path / "again").exists()


def test_an_array_must_be_given_again(small_run, loaded, tmp_path):
    with pytest.raises(InputError, match="give the same array"):
        repeat_run(small_run, tmp_path / "again", model=loaded)
    # It is scaled and named as it was.
    again = repeat_run(small_run, tmp_path / "again", moving_video(6, 60, 100), model=loaded)
    assert_same_run(small_run, again)


def test_other_weights_are_refused(small_run, loaded, moving, tmp_path):
    changed = shutil.copytree(small_run.path, tmp_path / "changed")
    info = json.loads((changed / "run.json").read_text())
    info["model"]["sha256"] = "0" * 64
    (changed / "run.json").write_text(json.dumps(info))
    for model in (loaded, None):
        with pytest.raises(InputError, match=r"holds other weights than .*changed was made with"):
            repeat_run(changed, tmp_path / "again", moving, model=model)


def test_a_live_run_that_did_not_note_its_steps_is_refused(player, moving, loaded, tmp_path):
    run = player.play(LIVE["one click"])
    info = json.loads((run.path / "run.json").read_text())
    del info["steps"]
    (run.path / "run.json").write_text(json.dumps(info))
    assert open_run(run.path).finished, "it opens all the same"
    with pytest.raises(InputError, match="did not note what was tracked"):
        repeat_run(run.path, tmp_path / "again", moving, model=loaded)


def test_a_session_records_its_edits_and_what_was_read(moving, loaded, tmp_path):
    edit = {"edit": "drop", "target": "memory", "entries": {"age": [1, 1]}, "at": [2, 4]}
    with loaded.intervene(edit), Session(moving, model=loaded, out=tmp_path / "run") as session:
        session.prompt(Prompt.from_mask(0, 1, square_mask(0, 60, 100)))
        for _ in session.propagate():
            pass
    made = open_run(tmp_path / "run")
    assert [entry["edit"] for entry in made.info["parameters"]["intervene"]] == ["drop"]
    assert 1 not in set(made.bank(3).query("kind == 'memory'")["age"])
    plain = record_run(moving, [Prompt.from_mask(0, 1, square_mask(0, 60, 100))], tmp_path / "plain", loaded)
    assert 1 in set(plain.bank(3).query("kind == 'memory'")["age"])
    assert_same_run(repeat_run(made, tmp_path / "again", moving, model=loaded), made)
    with pytest.raises(InputError, match="record a run with this edit"):
        Session(moving, model=loaded, options=RunOptions(intervene=({"edit": "mean", "target": "memory"},)))
