"""Which frames are tracked when a propagation was stopped, and is asked for again."""

from __future__ import annotations

import pytest

from napari_sam2_probe.live.plan import Plan

T = 8


def there_and_back(plan):
    return [(direction, list(frames)) for direction, frames in plan.passes("both", [3])]


FORWARD, BACKWARD = ("forward", [3, 4, 5, 6, 7]), ("backward", [3, 2, 1, 0])


@pytest.mark.parametrize("again", [False, True])
def test_stopped_on_the_way_back_only_the_rest_is_tracked(again):
    plan = Plan(T)
    if again:
        # As an earlier session is done again.
        plan.run_only("forward", range(3, T))
        plan.run_only("backward", range(3, 1, -1))
    else:
        assert there_and_back(plan) == [FORWARD, BACKWARD]
        plan.stopped("backward", range(1, -1, -1))
    assert there_and_back(plan) == [("backward", [1, 0])]
    assert there_and_back(plan) == [FORWARD, BACKWARD], "all is up to date: the same again"


def test_stopped_on_the_way_there_the_rest_of_both_is_tracked():
    plan = Plan(T)
    there_and_back(plan)
    plan.stopped("forward", range(5, T))
    plan.stopped("backward", range(3, -1, -1))
    assert there_and_back(plan) == [("forward", [5, 6, 7]), BACKWARD]


def test_a_correction_is_tracked_both_ways():
    plan = Plan(T)
    there_and_back(plan)
    plan.stopped("backward", range(1, -1, -1))
    plan.touch(5)
    assert [direction for direction, _ in there_and_back(plan)] == ["forward", "backward"]
