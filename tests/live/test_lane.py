"""Numbers of objects while one works: what is stale, what J says, and how a lane puts it."""

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.live.events import FrameShown
from napari_sam2_probe.live.lane import Mark, lane_of, lane_of_run
from napari_sam2_probe.live.prompt_state import PackedMask, PromptState
from napari_sam2_probe.live.scores import ScoreTable, Standing
from napari_sam2_probe.live.true_scores import TrueScorer, TrueScores
from napari_sam2_probe.runs import open_run
from napari_sam2_probe.video import open_video

T = 9


def shown(frame_idx, scores, *, direction=None, prompted=None, cleared=False, jaccard=None, true_ids=None):
    """Objects 1, 2, … with these scores on a frame."""
    ids = tuple(range(1, len(scores) + 1))
    numbers = np.array(scores, np.float32)
    truth = TrueScores(
        np.full(len(ids), np.nan, np.float32) if jaccard is None else np.array(jaccard, np.float32),
        (None,) * len(ids) if true_ids is None else true_ids,
    )
    return FrameShown(frame_idx, ids, numbers, numbers / 10, truth, direction, prompted, cleared)


def standings(table, obj_id=1):
    letters = {Standing.NOTHING: ".", Standing.PROMPTED: "p", Standing.TRACKED: "t", Standing.STALE: "s"}
    return "".join(letters[Standing(value)] for value in table.numbers(obj_id).standings)


def test_what_lies_behind_a_changed_prompt_in_the_direction_of_tracking_is_stale():
    table = ScoreTable(T)
    table.take(shown(3, [5], prompted=1))
    assert standings(table) == "...p....."
    for frame_idx in range(3, T):
        table.take(shown(frame_idx, [5], direction="forward"))
    for frame_idx in range(2, -1, -1):
        table.take(shown(frame_idx, [5], direction="backward"))
    assert standings(table) == "ttttttttt"
    # Both passes would go on from the correction: what was tracked before prompt 3 alone is not of now.
    table.take(shown(6, [7], prompted=1))
    assert standings(table) == "ssstttpss"
    table.take(shown(1, [7], prompted=1))
    assert standings(table) == "spsssspss"
    table.take(shown(7, [5], direction="forward"))
    assert standings(table) == "spsssspts"


def test_a_prompt_of_one_object_leaves_the_others_as_they_are():
    table = ScoreTable(T)
    for frame_idx in range(4):
        table.take(shown(frame_idx, [5, 5], direction="forward"))
    table.take(shown(1, [5, 7], prompted=2))
    assert standings(table, 1) == "tttt....."
    assert standings(table, 2) == "tpss....."
    # Taken back on a frame that was tracked: the mask of tracking is there again, with a prompt less behind it.
    table.take(shown(1, [5, 7], prompted=2, cleared=True))
    assert standings(table, 2) == "tsss....."
    table.take(shown(1, [5, np.nan], prompted=2, cleared=True))
    assert standings(table, 2) == "t.ss....."


def test_masks_of_an_earlier_run_are_stale_until_they_are_tracked():
    table = ScoreTable(T)
    table.take(shown(2, [5]))
    assert standings(table) == "..s......"
    table.take(shown(2, [5], direction="forward"))
    assert standings(table) == "..t......"


def test_objects_that_are_gone_have_no_numbers():
    table = ScoreTable(T)
    table.take(shown(2, [5, 5], direction="forward"))
    table.take(shown(2, [6], direction="forward"))
    assert standings(table, 2) == "." * T
    table.forget(1)
    assert table.tracked_frames().tolist() == []


def test_a_lane_says_what_was_said_and_what_is_known():
    table = ScoreTable(T)
    table.take(shown(0, [9], prompted=1, jaccard=[0.5], true_ids=(3,)))
    for frame_idx, score in ((1, 8), (2, 2), (3, -1), (4, -2), (5, -2), (6, 9)):
        table.take(shown(frame_idx, [score], direction="forward", jaccard=[0.25], true_ids=(3,)))
    states = {
        (0, 1): PromptState(points=((1.0, 2.0, 1), (3.0, 4.0, 0)), box=(0.0, 0.0, 5.0, 5.0)),
        (2, 1): PromptState(mask=PackedMask.pack(np.ones((2, 2), bool))),
        (3, 2): PromptState(points=((1.0, 2.0, 1),)),
    }
    lane = lane_of(table, states, 1)
    assert lane.marks == {0: (Mark.INCLUDED, Mark.EXCLUDED, Mark.BOX), 2: (Mark.MASK,)}
    # Frame 2 is doubtful, but the user has said what it is.
    assert np.flatnonzero(lane.doubtful).tolist() == [3, 5]
    assert lane.describe(0) == [
        "included point", "excluded point", "box", "mask from the prompt", "object score 9.0", "predicted IoU 0.90",
        "J 0.50 (true object 3)",
    ]  # fmt: skip
    assert lane.describe(3)[-1] == "doubtful"
    assert "object score -1.0 (absent)" in lane.describe(3)
    assert lane.describe(8) == ["not tracked"]
    # Another true object: what J was before says nothing any more.
    table.take(shown(0, [9], prompted=1, jaccard=[0.75], true_ids=(2,)))
    known = np.isfinite(table.numbers(1).jaccard)
    assert np.flatnonzero(known).tolist() == [0]


@pytest.fixture
def coins():
    from napari_sam2_probe.common.sample_data import sample_data_folder

    return open_video(sample_data_folder() / "coins")


def test_objects_are_compared_with_the_true_object_that_they_are_on(coins):
    truth = coins.mask(3)
    masks = np.stack([np.roll(truth == 3, 5, axis=1), truth == 1, np.zeros_like(truth, bool)])
    scorer = TrueScorer(coins)
    scores = scorer.score(3, (1, 2, 3), masks)
    assert scores.true_ids == (3, 1, None)
    expected = jaccard_score((truth == 3).ravel(), masks[0].ravel())
    np.testing.assert_allclose(scores.jaccard, [expected, 1, np.nan], rtol=1e-6)
    # It stays with that object on other frames, wherever the mask goes, until it is prompted there.
    later = coins.mask(4)
    wrong = np.stack([later == 2])
    assert scorer.score(4, (1,), wrong).true_ids == (3,)
    assert scorer.score(4, (1,), wrong).jaccard == 0
    assert scorer.score(4, (1,), wrong, prompted=1).jaccard == 1
    scorer.forget(1)
    assert scorer.score(4, (1,), np.stack([later == 1])).true_ids == (1,)


def test_a_video_without_true_masks_has_no_scores(moving):
    scores = TrueScorer(moving).score(0, (1,), np.ones((1, 60, 100), bool))
    assert np.isnan(scores.jaccard).all()
    assert scores.true_ids == (None,)


def test_a_true_mask_that_is_damaged_does_not_stop_tracking(coins, monkeypatch):
    def damaged(frame_idx):
        raise InputError("00003.png is damaged.")

    monkeypatch.setattr(coins, "mask", damaged)
    assert np.isnan(TrueScorer(coins).score(3, (1,), np.ones((1, 240, 432), bool)).jaccard).all()


def test_a_live_run_tells_it_all_and_its_folder_gives_the_same_lane(player, coins):
    """From the session itself: direction, prompts and J; then the same from disk."""
    from napari_sam2_probe.live.live_run import LiveRun

    truth = coins.mask(20)
    state = PromptState(mask=PackedMask.pack(truth == 2))
    player.live.close()
    player.live = LiveRun(coins, player.live._choice, player.folder, player.live._model_cache, player.queue)
    player._say(20, 1, state)
    player._cancel_at(22, "forward")
    player._cancel_at(18, "backward")
    table = ScoreTable(coins.num_frames)
    frames = [event for event in player.happened if isinstance(event, FrameShown)]
    for event in frames:
        table.take(event)
    assert {event.direction for event in frames} == {None, "forward", "backward"}
    lane = lane_of(table, {(20, 1): state}, 1)
    assert lane.numbers.true_id == 2
    assert lane.numbers.jaccard[20] > 0.9
    tracked = np.flatnonzero(lane.numbers.standings == Standing.TRACKED).tolist()
    assert {19, 20, 21, 22} <= set(tracked)
    player.live.close()
    (path,) = {path for path in player.folder.iterdir() if (path / "run.json").exists()}
    run = open_run(path)
    row = run.masks_per_object[0, 21]
    assert lane.numbers.jaccard[21] == pytest.approx(
        jaccard_score((coins.mask(21) == 2).ravel(), row.ravel()), rel=1e-6
    )
    kept = lane_of_run(run, 1)
    assert kept.marks == {20: (Mark.MASK,)}
    np.testing.assert_array_equal(kept.numbers.object_scores, lane.numbers.object_scores)
    np.testing.assert_array_equal(kept.doubtful, lane.doubtful)
