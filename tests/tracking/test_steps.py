"""Steps without those that were undone do the same as all of them, in a model of a session that only counts."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam2_probe.tracking.steps import (
    ChooseStep,
    ClearStep,
    RedoStep,
    RemoveStep,
    StepLog,
    SweepStep,
    TrackStep,
    UndoStep,
)


class CountingSession:
    """What matters of a session: an edit builds on what was there, and what undo can't reach stays."""

    def __init__(self):
        self.log = StepLog()
        self.values, self.tracked, self.recorded = {}, {}, set()
        self.done, self.undone = [], []

    def do(self, step):
        if isinstance(step, ChooseStep | ClearStep):
            self.edit(step)
        elif isinstance(step, UndoStep) and self.done:
            obj_id, before, after = self.done.pop()
            self.undone.append((obj_id, before, after))
            self.put(obj_id, before)
        elif isinstance(step, RedoStep) and self.undone:
            obj_id, before, after = self.undone.pop()
            self.done.append((obj_id, before, after))
            self.put(obj_id, after)
        elif isinstance(step, RemoveStep) and step.obj_id in self.known():
            self.values.pop(step.obj_id, None)
            self.recorded.discard(step.obj_id)
            self.done = [edit for edit in self.done if edit[0] != step.obj_id]
            self.undone = [edit for edit in self.undone if edit[0] != step.obj_id]
        elif isinstance(step, TrackStep | SweepStep):
            for obj_id, value in self.values.items():
                self.tracked[obj_id] = (value, isinstance(step, SweepStep))
                self.recorded.add(obj_id)
        else:
            return
        self.log.add(step)

    def edit(self, step):
        # Objects that could be redone are gone for good.
        self.recorded -= {obj_id for obj_id in self.known() if obj_id not in self.values}
        self.undone.clear()
        before = self.values.get(step.obj_id)
        after = (before, step.frame_idx, isinstance(step, ClearStep), self.tracked.get(step.obj_id))
        self.done.append((step.obj_id, before, after))
        self.put(step.obj_id, after)

    def known(self):
        return self.values.keys() | {obj_id for obj_id, before, _ in self.undone if before is None}

    def put(self, obj_id, value):
        self.values.pop(obj_id, None)
        if value is not None:
            self.values[obj_id] = value

    @property
    def outcome(self):
        return self.values, self.tracked, self.recorded


def step_of(word, obj_id, frame_idx):
    return {
        "choose": lambda: ChooseStep(frame_idx, obj_id, 0),
        "clear": lambda: ClearStep(frame_idx, obj_id),
        "undo": UndoStep,
        "redo": RedoStep,
        "remove": lambda: RemoveStep(obj_id),
        "track": lambda: TrackStep(1, "forward", None, None, 0, 1),
        "sweep": SweepStep,
    }[word]()


words = ["choose", "choose", "clear", "undo", "undo", "undo", "redo", "redo", "remove", "track", "track", "sweep"]
some_steps = st.lists(st.builds(step_of, st.sampled_from(words), st.integers(1, 3), st.integers(0, 3)), max_size=14)


@settings(max_examples=500)
@given(some_steps)
def test_resolved_steps_do_the_same(steps):
    session, again = CountingSession(), CountingSession()
    for step in steps:
        session.do(step)
    resolved = session.log.resolved()
    for step in resolved:
        again.do(step)
    assert again.outcome == session.outcome
    # They are as short as they get.
    assert again.log.resolved() == resolved


def test_what_was_undone_before_tracking_is_left_out():
    session = CountingSession()
    kept, undone = ChooseStep(0, 1, 0), ChooseStep(0, 1, 1)
    track = TrackStep(1, "forward", None, None, 0, 1)
    for step in (kept, undone, UndoStep(), RedoStep(), UndoStep(), track):
        session.do(step)
    assert session.log.resolved() == [kept, track]


def test_what_was_undone_after_tracking_is_kept_with_its_undoing():
    session = CountingSession()
    steps = [ChooseStep(0, 1, 0), ChooseStep(2, 1, 0), TrackStep(1, "forward", None, None, 0, 1), UndoStep()]
    for step in steps:
        session.do(step)
    assert session.log.resolved() == steps


def test_stretches_of_a_pass_between_which_nothing_is_left_are_one():
    log = StepLog()
    first = ChooseStep(0, 1, 0)
    log.add(first)
    stretch = TrackStep(log.begin_pass(), "backward", None, None)
    for frame_idx in (5, 4):
        stretch = log.frame_tracked(stretch, frame_idx, ((0, 1),))
    log.add(ChooseStep(0, 1, 1))
    log.add(UndoStep())
    for frame_idx in (3, 2):
        stretch = log.frame_tracked(stretch, frame_idx, ((0, 1),))
    steps = log.resolved()
    assert len(steps) == 2
    assert list(steps[1].frames) == [5, 4, 3, 2]
    log.add(ClearStep(0, 1))
    log.frame_tracked(stretch, 1, ())
    assert [list(step.frames) for step in log.resolved() if isinstance(step, TrackStep)] == [[5, 4, 3, 2], [1]]
