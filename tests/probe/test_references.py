"""The rule of references against its definition read word by word, and that all who need it go by it."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam2_probe.probe.batch import BatchRecorder
from napari_sam2_probe.probe.distance import FeatureOptions
from napari_sam2_probe.probe.positions import POSITIONS
from napari_sam2_probe.probe.recorder import ProbeRecorder
from napari_sam2_probe.probe.references import References
from napari_sam2_probe.tracking.observer import FramePass, PassKind

frames_of_video = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30)


def references_by_the_specification(present, prompted, prompted_references, frame, width):
    """A frame counts once it is past and present; absent ones never enter; prompted ones by default."""
    references = []
    for earlier in range(frame):
        if not present[earlier]:
            continue
        if prompted[earlier] and not prompted_references:
            continue
        references.append(earlier)
    return references[-width:]


@given(frames=frames_of_video, prompted_references=st.booleans(), width=st.integers(1, 6))
def test_every_question_by_the_specification(frames, prompted_references, width):
    present, prompted = (np.array(column) for column in zip(*frames, strict=True))
    references = References.of(present, prompted, prompted_references=prompted_references)
    expected = [
        references_by_the_specification(present, prompted, prompted_references, t, width) for t in range(len(frames))
    ]
    for t, mine in enumerate(expected):
        assert references.frames(t, width) == mine
        assert references.window(width)[t] == len(mine)
        assert references.last[t] == (mine[-1] if mine else -1)
        assert references.holds(prompted, width)[t] == any(prompted[j] for j in mine)
        reach = range(len(frames))[references.reach(t, width)]
        assert {later for later in range(len(frames)) if t in expected[later]} <= set(reach)
        # Also a frame that is no reference now may become one, and then it is those that look at it.
        with_it = References(references.is_reference | (np.arange(len(frames)) == t))
        assert list(reach) == [i for i in range(t + 1, len(frames)) if t in with_it.frames(i, width)]


@given(frames=st.lists(frames_of_video, min_size=1, max_size=3), prompted_references=st.booleans())
def test_many_videos_at_once_are_each_by_itself(frames, prompted_references):
    length = min(map(len, frames))
    present, prompted = (np.array([[f[k] for f in video[:length]] for video in frames]) for k in (0, 1))
    many = References.of(present, prompted, prompted_references=prompted_references)
    for k in range(len(frames)):
        one = References.of(present[k], prompted[k], prompted_references=prompted_references)
        for ours, theirs in (
            (many.is_reference, one.is_reference),
            (many.before, one.before),
            (many.last, one.last),
            (many.window(), one.window()),
            (many.holds(prompted), one.holds(prompted[k])),
        ):
            np.testing.assert_array_equal(ours[k], theirs)


def test_presence_handed_in_is_left_as_it_was():
    present = np.ones((1, 3), bool)
    References.of(present, np.arange(3) == 0, prompted_references=False)
    assert present.all()


@settings(deadline=None, max_examples=40)
@given(
    present=st.lists(st.booleans(), min_size=1, max_size=14), prompted_references=st.booleans(), seed=st.integers(0, 99)
)
def test_both_recorders_compare_with_just_these(present, prompted_references, seed):
    """Embeddings are numbers on a line, so that a distance tells what it was measured from."""
    present, num_frames = np.array(present), len(present)
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.uniform(1, 2, num_frames)).astype(np.float32)
    options = FeatureOptions("standard deviation", 1e-3, prompted_references)
    single, batch = ProbeRecorder(num_frames, options, {1: present}), BatchRecorder(num_frames, present[None], options)
    single.required_references(1, 0)
    for t in range(num_frames):
        kind = PassKind.TRACKED if t else PassKind.MASK_PROMPT
        for position in POSITIONS:
            tensor = torch.full((1, 1, 1, 1) if position.is_map else (1, 1), float(values[t]))
            single.observe(FramePass(t, 1, kind, t), position.key, tensor)
            batch.observe(t, position.key, tensor)
        single.frame_committed(FramePass(t, 1, kind, t), 1.0, reverse=False)
        batch.frame_committed(t)
    for recorded in (single.features(1).values, batch.values()[0]):
        for t in range(num_frames):
            one, many = (
                references_by_the_specification(present, np.arange(num_frames) == 0, prompted_references, t, width)
                for width in (1, 5)
            )
            short = abs(values[t] - values[one[0]]) if one else np.nan
            window = values[many].astype(np.float64)
            long = abs(values[t] - window.mean()) / (window.std() + 1e-3) if len(many) > 1 else np.nan
            np.testing.assert_allclose(recorded[:, t, 0], short, rtol=1e-5)
            np.testing.assert_allclose(recorded[:, t, 1], long, rtol=1e-3)
    single.close()
