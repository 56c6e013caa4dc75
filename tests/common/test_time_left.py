"""The time left: right for a steady pace, silent where it would be a guess."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2_probe.common import progress
from napari_sam2_probe.common.progress import Progress, TimeLeft


class Clock:
    """A clock that is set by hand, in place of the one that `TimeLeft` reads."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        patch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: self.now))


@given(
    pace=st.floats(1e-3, 1e3),
    earlier=st.integers(0, 50),
    steps=st.integers(1, 50),
    rest=st.integers(0, 50),
    after=st.floats(0, 100),
)
def test_a_steady_pace_is_told_exactly_once_it_is_known(pace, earlier, steps, rest, after):
    with pytest.MonkeyPatch.context() as patch:
        clock, left = Clock(patch), TimeLeft(after)
        for done in range(earlier, earlier + steps + 1):
            told = left.take(Progress(done, earlier + steps + rest, "tracking"))
            clock.now += pace
        gone_by = clock.now - pace - 1000
    if gone_by < after:
        assert told is None
    else:
        assert told == pytest.approx(rest * pace, rel=1e-6, abs=1e-6)


def test_what_came_before_something_else_or_a_pause_says_nothing_of_the_pace(monkeypatch):
    clock, left = Clock(monkeypatch), TimeLeft()
    assert left.take(Progress(0, 9, "loading")) is None
    clock.now += 100
    assert left.take(Progress(1, 9, "loading")) == 800
    assert left.take(Progress(4, 9, "tracking")) is None
    clock.now += 2
    assert left.take(Progress(5, 9, "tracking")) == 8
    left.restart()
    clock.now += 1000
    assert left.take(Progress(5, 9, "tracking")) is None
    clock.now += 3
    assert left.take(Progress(6, 9, "tracking")) == 9


def test_a_job_without_an_end_has_no_time_left(monkeypatch):
    clock, left = Clock(monkeypatch), TimeLeft()
    left.take(Progress(0, 0, "fetching"))
    clock.now += 5
    assert left.take(Progress(3, 0, "fetching")) is None
