"""Questions about one run: the answers of an `Explainer` against those of sessions that the test makes by itself."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pandas as pd
import pytest

from helpers.run_checks import T
from helpers.scenarios import moving_video, square_mask, write_video
from napari_sam2_probe.causes.changes import BankChanges, ChangedFrame, outcome_sentence
from napari_sam2_probe.causes.explain import explain_frames
from napari_sam2_probe.causes.explainer import Explainer
from napari_sam2_probe.causes.tables import count_blame_passes
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.progress import Progress
from napari_sam2_probe.runs.record import record_run
from napari_sam2_probe.runs.remake import remake
from napari_sam2_probe.tracking.interventions import parse_edits
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.video.folder import FolderSource

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]

CHANGES = BankChanges(frozenset({("memory", 2), ("pointer", 0), ("pointer", 1)}))
EDITS = parse_edits(
    [
        {"edit": "drop", "target": "memory", "entries": {"frames": [2]}},
        {"edit": "drop", "target": "pointer", "entries": {"frames": [0, 1]}},
    ]
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, loaded, folder, one_thread_in_module):
    root = tmp_path_factory.mktemp("explained")
    other = write_video(root / "other-video", moving_video(T, seed=1))
    prompt = Prompt.from_mask(0, 1, square_mask(0))
    return [record_run(FolderSource(of), [prompt], root / name, loaded) for of, name in ((folder, "a"), (other, "b"))]


@pytest.fixture
def explainer(runs, loaded):
    with closing(Explainer(runs[0], loaded, truth=lambda _: lambda t: square_mask(t))) as explainer:
        yield explainer


@pytest.fixture
def session(runs, loaded):
    with remake(runs[0], loaded) as again:
        again.finish()
        yield again.session


def answers(question):
    return [event for event in question if not isinstance(event, Progress)]


def test_blame_is_that_of_the_command_and_its_cost_is_known_before(explainer, runs, loaded):
    events = list(explainer.blame(4, 1))
    (table,) = answers(events)
    pd.testing.assert_frame_equal(table, explain_frames(runs[0], [4], 1, model=loaded, truth=square_mask))
    passes = [event for event in events if isinstance(event, Progress) and event.unit == "pass"]
    assert passes[-1].done == passes[-1].total == count_blame_passes(len(runs[0].bank(4, 1)))


def test_a_frame_without_some_of_its_bank_is_what_the_session_makes_of_it(explainer, session):
    (answer,) = answers(explainer.try_changes(4, 1, CHANGES))
    ((_, expected),) = session.what_if(range(4, 5), 1, EDITS)
    assert CHANGES.edits() == EDITS
    np.testing.assert_array_equal(answer.mask, expected.mask)
    assert answer.score_after == expected.object_score
    assert answer.score_before == session.repeat(4, 1).object_score != answer.score_after
    assert 0 < answer.j_before == pytest.approx(j(session.repeat(4, 1).mask, square_mask(4)))


def test_from_a_frame_on_each_reads_what_the_ones_before_came_to(explainer, session, runs):
    found = answers(explainer.try_changes(3, 1, CHANGES, onward=True))
    expected = dict(session.what_if(range(3, T), 1, EDITS))
    assert [answer.frame for answer in found] == list(expected) == list(range(3, T))
    for answer in found:
        np.testing.assert_array_equal(answer.mask, expected[answer.frame].mask)
        assert answer.score_after == expected[answer.frame].object_score
        # What it is compared with is what was recorded.
        assert answer.iou == pytest.approx(j(runs[0].masks_per_object[0, answer.frame], answer.mask))


def test_the_twins_entry_of_any_frame_is_read_in_the_place_of_one(explainer, runs, loaded, session):
    changes = BankChanges(swapped={("memory", 3): 1})
    (answer,) = answers(explainer.try_changes(4, 1, changes, twin=runs[1]))
    with remake(runs[1], loaded) as twin:
        twin.finish()
        swap = parse_edits([{"edit": "swap", "target": "memory", "entries": {"frames": [3]}, "from": "x"}])

        class Other:
            def entry(self, kind, _frame, obj_id):
                return twin.entry(kind, 1, obj_id)

        expected = session.repeat(4, 1, swap, lambda _: Other())
    np.testing.assert_array_equal(answer.mask, expected.mask)
    assert answer.score_after == expected.object_score != answer.score_before
    with pytest.raises(InputError, match="choose its run"):
        list(explainer.try_changes(4, 1, changes))


def test_the_run_is_made_again_once_for_all_questions(explainer):
    first, second = ([event.what for event in explainer.look(t, 1) if isinstance(event, Progress)] for t in (3, 2))
    assert "opening a" in first
    assert not second


def test_where_a_frame_looked_is_what_a_session_sees(explainer, session):
    (seen,) = answers(explainer.look(4, 1))
    for found, expected in zip(seen.from_token(70), session.look(4, 1).from_token(70), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_what_was_not_tracked_from_memory_and_an_empty_change_are_refused(explainer):
    with pytest.raises(InputError, match="prompted"):
        list(explainer.blame(0, 1))
    with pytest.raises(InputError, match="Nothing is changed"):
        list(explainer.try_changes(4, 1, BankChanges()))


def test_an_outcome_is_one_sentence():
    mask = np.zeros((2, 2), bool)
    nan = float("nan")
    one = ChangedFrame(9, mask, 0.9929, 0.912, 0.905, 3.0, 2.9)
    changes = BankChanges(frozenset({("memory", 8), ("memory", 3), ("pointer", 0)}), {("memory", 5): 5})
    assert outcome_sentence(changes, [one]) == (
        "Without memories 3, 8 and with the twin's memory 5 and without pointer 0, frame 9 has an IoU of 0.993 with "
        "the original; J 0.912 → 0.905 (−0.007)."
    )
    blind = ChangedFrame(10, mask, 0.5, nan, nan, -0.001, -2.5)
    dropped = BankChanges(frozenset(("pointer", t) for t in (1, 2, 3, 4, 7)))
    assert outcome_sentence(dropped, [blind]) == (
        "Without pointers 1-4, 7, frame 10 has an IoU of 0.500 with the original; object score 0.00 → −2.50."
    )
    assert outcome_sentence(dropped, [one, blind]) == (
        "Without pointers 1-4, 7, frames 9 to 10 have a mean IoU of 0.746 with the original (least 0.500, on frame "
        "10); J 0.912 → 0.905 (−0.007)."
    )


def j(one, other):
    return (one & other).sum() / (one | other).sum()
