"""A real sequence, from the same JPEGs as the stock predictor."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from helpers.scenarios import Outcome, assert_equal
from napari_sam2_probe.probe.recorder import ProbeRecorder
from napari_sam2_probe.tracking.prompts import Prompt, prompts_from_labels
from napari_sam2_probe.tracking.results import SessionOptions
from napari_sam2_probe.tracking.session import VideoSession
from napari_sam2_probe.video.folder import FolderSource
from napari_sam2_probe.video.masks import read_mask

pytestmark = [
    pytest.mark.davis,
    pytest.mark.filterwarnings("ignore:cannot import name '_C'"),
    pytest.mark.usefixtures("one_thread"),
]

T = 6
CLICK = {"frame": 4, "points": [[420.0, 250.0]], "labels": [1]}


@pytest.fixture(scope="module")
def sequence(davis_root, tmp_path_factory):
    """The first frames of a sequence, and the mask of its first frame."""
    images = sorted((davis_root / "JPEGImages" / "480p").iterdir())[0]
    folder = tmp_path_factory.mktemp("davis") / images.name
    folder.mkdir()
    for path in sorted(images.glob("*.jpg"))[:T]:
        shutil.copy(path, folder)
    return folder, read_mask(davis_root / "Annotations" / "480p" / images.name / "00000.png")


def note(outcome, obj_id, t, pointer, score, memory):
    outcome.pointers[obj_id, t] = pointer.numpy()
    outcome.scores[obj_id, t] = float(score)
    outcome.memories[obj_id, t] = memory.float().numpy()


def stock_outcome(stock, folder, labels) -> Outcome:
    state, outcome = stock.init_state(str(folder)), Outcome()
    for prompt in prompts_from_labels(0, labels):
        _, _, logits = stock.add_new_mask(state, 0, prompt.obj_id, prompt.mask)
        outcome.mask_logits.append((0, logits.numpy()))
    outcome.mask_logits += [(t, logits.numpy()) for t, _, logits in stock.propagate_in_video(state)]
    first = state["obj_ids"][0]
    _, _, logits = stock.add_new_points_or_box(state, CLICK["frame"], first, CLICK["points"], CLICK["labels"])
    outcome.mask_logits.append((CLICK["frame"], logits.numpy()))
    outcome.mask_logits += [(t, logits.numpy()) for t, _, logits in stock.propagate_in_video(state)]
    for obj_idx, outputs in state["output_dict_per_obj"].items():
        for t, out in (outputs["non_cond_frame_outputs"] | outputs["cond_frame_outputs"]).items():
            obj_id = state["obj_idx_to_id"][obj_idx]
            note(outcome, obj_id, t, out["obj_ptr"], out["object_score_logits"], out["maskmem_features"])
    return outcome


def session_outcome(session, labels) -> Outcome:
    outcome = Outcome()
    for prompt in prompts_from_labels(0, labels):
        outcome.mask_logits.append((0, session.add_prompt(prompt).mask_logits.numpy()))
    outcome.mask_logits += [(r.frame_idx, r.mask_logits.numpy()) for r in session.propagate()]
    click = Prompt.from_points(CLICK["frame"], session.obj_ids[0], CLICK["points"], CLICK["labels"])
    outcome.mask_logits.append((CLICK["frame"], session.add_prompt(click).mask_logits.numpy()))
    outcome.mask_logits += [(r.frame_idx, r.mask_logits.numpy()) for r in session.propagate()]
    for obj in session._objects.values():
        for t, out in [*obj.tracked.items(), *obj.conditioning.items()]:
            note(outcome, obj.obj_id, t, out.obj_ptr, out.object_score_logits, out.maskmem_features)
    return outcome


def test_equal_to_stock_with_a_probe_attached(sequence, twins):
    folder, labels = sequence
    stock, ours, flags = twins(gate="changing")
    expected = stock_outcome(stock, folder, labels)
    recorder = ProbeRecorder(T)
    options = SessionOptions(flags=flags, output_budget=1)
    with VideoSession(ours, FolderSource(folder), options, recorder) as session:
        assert_equal(session_outcome(session, labels), expected)
    assert len(expected.scores) == T * len(prompts_from_labels(0, labels))
    assert {r.frame_idx for r in recorder.take()} == set(range(T))
    values = recorder.features(int(labels[labels > 0].min())).values
    assert np.isfinite(values).any()
    recorder.close()
