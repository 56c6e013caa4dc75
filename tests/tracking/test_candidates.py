"""The masks that SAM 2 considers for an ambiguous click, and the choice among them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from helpers.scenarios import SCENARIOS, assert_equal, run_session, run_stock
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.probe.recorder import ProbeRecorder
from napari_sam2_probe.tracking.observer import PassKind
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.video.folder import FolderSource

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]

CLICK = Prompt.from_points(0, 1, [[35, 42]], [1])
BOX = Prompt.from_points(0, 1, box=[18, 28, 52, 58])


@pytest.fixture
def session(session_of, short_source):
    session = session_of(short_source)
    session.add_prompt(CLICK)
    return session


def output(session):
    return session._objects[1].output(0)


def others(session):
    _, iou = session.candidates(0, 1)
    best = int(np.argmax(iou))
    return best, [k for k in range(len(iou)) if k != best]


def test_a_click_has_three_and_the_best_is_taken(session):
    masks, iou = session.candidates(0, 1)
    assert masks.shape == (3, 90, 160)
    assert masks.dtype == bool
    assert iou.shape == (3,)
    assert iou.dtype == np.float32
    assert ((iou > 0) & (iou < 1)).all()
    assert len({mask.tobytes() for mask in masks}) == 3
    result = session.result(0)
    np.testing.assert_array_equal(result.masks()[0], masks[np.argmax(iou)])
    assert result.predicted_iou[0] == iou.max()


@pytest.mark.parametrize("prompt", [BOX, Prompt.from_points(0, 1, [[35, 42], [100, 20]], [1, 0])])
def test_a_clear_prompt_has_none(prompt, session):
    session.add_prompt(prompt)
    assert session.candidates(0, 1) is None
    with pytest.raises(InputError, match="Frame 0 has no candidate mask 1 for object 1: prompt with a single point"):
        session.choose_candidate(0, 1, 1)


def test_another_one_changes_mask_pointer_and_tracking(session, session_of, short_source):
    masks, iou = session.candidates(0, 1)
    _, rest = others(session)
    default = output(session)
    seen = {default.obj_ptr.numpy().tobytes()}
    for index in rest:
        result = session.choose_candidate(0, 1, index)
        np.testing.assert_array_equal(result.masks()[0], masks[index])
        assert result.predicted_iou[0] == iou[index]
        assert result.kinds == (PassKind.POINT_PROMPT,)
        seen.add(output(session).obj_ptr.numpy().tobytes())
    assert len(seen) == 3
    untouched = session_of(short_source)
    untouched.add_prompt(CLICK)
    after, before = ([r.mask_logits for r in s.propagate()] for s in (session, untouched))
    assert not any(torch.equal(a, b) for a, b in zip(after, before, strict=True))


def test_the_default_candidates_pointer_is_the_one_stored(session):
    stored = output(session)
    best, rest = others(session)
    session.choose_candidate(0, 1, rest[0])
    assert not torch.equal(output(session).obj_ptr, stored.obj_ptr)
    session.choose_candidate(0, 1, best)
    assert torch.equal(output(session).obj_ptr, stored.obj_ptr)
    assert torch.equal(output(session).pred_masks, stored.pred_masks)


def test_there_and_back_gives_the_stock_numbers(short_folder, session_of, twins):
    stock, _, _ = twins()
    steps = SCENARIOS["one click"]
    expected = run_stock(stock, short_folder, steps)
    session = session_of(FolderSource(short_folder))
    outcome = run_session(session, steps[:1])
    best, rest = others(session)
    session.choose_candidate(0, 1, rest[1])
    session.choose_candidate(0, 1, best)
    tracked = run_session(session, steps[1:])
    tracked.mask_logits = outcome.mask_logits + tracked.mask_logits
    assert_equal(tracked, expected)


def test_with_the_gate_closed_every_pointer_is_the_constant(session_of, short_source, twins):
    _, model, _ = twins(gate="closed")
    session = session_of(short_source, gate="closed")
    session.add_prompt(CLICK)
    _, rest = others(session)
    session.choose_candidate(0, 1, rest[0])
    assert torch.equal(output(session).obj_ptr, model.no_obj_ptr)
    assert not session.result(0).masks().any()


def test_the_choice_is_what_a_recorder_records(session_of, short_source):
    recorder = ProbeRecorder(4)
    session = session_of(short_source, recorder)
    session.add_prompt(CLICK)
    _, rest = others(session)
    session.choose_candidate(0, 1, rest[0])
    pointer = output(session).obj_ptr[0].numpy()
    list(session.propagate(end=0))
    [record] = recorder.take()
    np.testing.assert_array_equal(record.vectors["object_pointer"], pointer)
    # The gate is open, so the pointer is what was projected; the image side doesn't depend on the choice.
    np.testing.assert_array_equal(record.vectors["object_pointer_raw"], pointer)
    assert {"image_embedding", "memory_attention", "prompt_attention", "memory_features"} <= record.maps.keys()
    assert session._objects[1].conditioning[0].maskmem_features is not None
    recorder.close()


def test_too_late_after_tracking(session):
    list(session.propagate(end=1))
    assert session.candidates(0, 1) is not None
    with pytest.raises(InputError, match="Object 1 was tracked since its prompt on frame 0: prompt there again"):
        session.choose_candidate(0, 1, 1)


@pytest.mark.parametrize("index", [-1, 3])
def test_no_such_candidate(index, session):
    with pytest.raises(InputError, match=f"Frame 0 has no candidate mask {index} for object 1"):
        session.choose_candidate(0, 1, index)


def test_no_such_object(session):
    with pytest.raises(InputError, match=r"There is no object 2 \(objects: 1\): add it with a prompt first"):
        session.candidates(0, 2)
