"""Work in turns of the event loop, and a garbage collector that doesn't hold them up."""

import gc
import logging
import threading
import weakref
from itertools import pairwise

import numpy as np
import pytest
from qtpy.QtCore import QTimer

from napari_sam2_probe.gui import collector
from napari_sam2_probe.gui.adding import add_in_turns, turns_of
from napari_sam2_probe.gui.background import Background
from napari_sam2_probe.gui.collector import GcThrottle
from napari_sam2_probe.gui.first_layers import prepare_layers
from napari_sam2_probe.gui.turns import Turns


@pytest.fixture
def beats(qtbot):
    """A list to which every turn of the event loop adds "beat"."""
    heard: list[str] = []
    timer = QTimer(interval=0)
    timer.timeout.connect(lambda: heard.append("beat"))
    timer.start()
    yield heard
    timer.stop()


def check_a_turn_each(beats, names):
    """These came in this order, with a beat between any two."""
    calls = [k for k, what in enumerate(beats) if what != "beat"]
    assert [beats[k] for k in calls] == names
    assert all(later - earlier > 1 for earlier, later in pairwise(calls))


def test_every_call_has_a_turn_of_its_own_and_order_is_kept(qtbot, beats):
    turns = Turns()
    for name in "abc":
        turns.add(lambda name=name: beats.append(name))
    assert len(turns) == 3
    assert set(beats) <= {"beat"}
    qtbot.waitUntil(lambda: not len(turns))
    check_a_turn_each(beats, ["a", "b", "c"])


def test_a_call_may_add_another_and_run_the_event_loop(qtbot):
    turns, heard = Turns(), []

    def first():
        turns.add(lambda: heard.append("added"))
        qtbot.wait(20)
        heard.append("first")

    turns.add(first)
    turns.add(lambda: heard.append("second"))
    qtbot.waitUntil(lambda: len(heard) == 3)
    assert heard == ["second", "added", "first"]


def test_the_steps_of_an_iterator_come_one_a_turn_and_in_one_piece(qtbot, beats):
    def steps(*names):
        for name in names:
            beats.append(name)
            yield

    turns = Turns()
    turns.run(steps("a", "b"))
    turns.run(steps("c"))
    qtbot.waitUntil(lambda: not len(turns))
    check_a_turn_each(beats, ["a", "b", "c"])


def test_one_that_fails_holds_up_no_other(qtbot):
    turns, heard = Turns(), []
    with qtbot.captureExceptions() as raised:
        turns.add(lambda: 1 / 0)
        turns.add(lambda: heard.append("second"))
        qtbot.waitUntil(lambda: heard == ["second"])
    assert [type(error) for _, error, _ in raised] == [ZeroDivisionError]


def test_nothing_is_called_after_the_end(qtbot):
    turns = Turns()
    turns.add(lambda: pytest.fail("called after the end"))
    turns.close()
    turns.close()
    turns.add(lambda: pytest.fail("called after the end"))
    qtbot.wait(20)
    assert len(turns) == 0


def test_results_that_are_there_at_once_are_delivered_one_a_turn(qtbot, beats):
    background, done = Background(), threading.Event()
    background.submit("a", lambda: "a", beats.append)
    background.submit("b", lambda: (done.set(), "b")[1], beats.append)
    # Both wait for the event loop, which hasn't run.
    assert done.wait(100)
    qtbot.waitUntil(lambda: not background.busy)
    background.close()
    assert beats.index("b") - beats.index("a") > 1


class Circle:
    def __init__(self):
        self.itself = self


@pytest.fixture
def long_searches(monkeypatch):
    """Every search for garbage counts as long."""
    monkeypatch.setattr(collector, "LONG_SEARCH", -1.0)


def test_what_outlived_a_long_search_is_set_aside_and_put_back_at_the_end(make_napari_viewer, long_searches):
    at_ease = GcThrottle(make_napari_viewer())
    circle = Circle()
    gone = weakref.ref(circle)
    gc.collect()
    assert gc.get_freeze_count() > 10_000
    del circle
    gc.collect()
    assert gone() is not None
    at_ease.close()
    at_ease.close()
    assert gc.get_freeze_count() == 0
    gc.collect()
    assert gone() is None
    assert collector._on_search not in gc.callbacks


def test_it_stays_at_ease_until_the_last_is_closed(make_napari_viewer, long_searches):
    viewer = make_napari_viewer()
    first, second = GcThrottle(viewer), GcThrottle(viewer)
    first.close()
    gc.collect()
    assert gc.get_freeze_count() > 10_000
    second.close()
    assert gc.get_freeze_count() == 0
    gc.collect()
    assert gc.get_freeze_count() == 0


def test_a_large_layer_gives_its_memory_back_when_it_is_removed(make_napari_viewer, long_searches, monkeypatch):
    monkeypatch.setattr(collector, "LARGE", collector.LAYER_OBJECTS + 1000)
    monkeypatch.setattr(collector, "_ended", [])
    viewer = make_napari_viewer()
    at_ease = GcThrottle(viewer)
    small, large = (viewer.add_image(np.zeros((side, side))) for side in (5, 50))
    gc.collect()
    viewer.layers.remove(small)
    assert gc.get_freeze_count() > 10_000
    viewer.layers.remove(large)
    assert gc.get_freeze_count() == 0
    at_ease.close()


def test_layers_that_come_and_go_leave_nothing_behind(make_napari_viewer, qtbot, long_searches, monkeypatch):
    monkeypatch.setattr(collector, "LARGE", 3 * collector.LAYER_OBJECTS)
    monkeypatch.setattr(collector, "_ended", [])
    viewer = make_napari_viewer()
    at_ease = GcThrottle(viewer)
    gone = []
    for _ in range(4):
        layer = viewer.add_image(np.zeros((5, 5)))
        gone.append(weakref.ref(layer))
        gc.collect()
        viewer.layers.remove(layer)
        del layer
        # napari ends a layer's controls in the next turn, which with PySide6 hold the layer.
        qtbot.wait(1)
    gc.collect()
    assert sum(layer() is not None for layer in gone) <= 1
    at_ease.close()


def picture(name):
    return np.zeros((4, 5)), {"name": name}, "image"


def test_layers_come_one_a_turn_above_one_another_and_stay_out_of_the_users_way(make_napari_viewer, qtbot, beats):
    viewer = make_napari_viewer()
    other = viewer.add_image(np.zeros((4, 5)), name="other")
    viewer.layers.events.inserted.connect(lambda event: beats.append(event.value.name))
    added = []
    assert add_in_turns(viewer, [picture(name) for name in "abc"], added.append) is viewer.layers["a"]
    assert [layer.name for layer in viewer.layers] == ["other", "a"]
    assert viewer.layers.selection.active is viewer.layers["a"]
    # What a person may do meanwhile.
    viewer.layers.move(1, 0)
    viewer.layers.selection.active = other
    qtbot.waitUntil(lambda: not len(turns_of(viewer)))
    assert [layer.name for layer in added] == ["b", "c"]
    assert [layer.name for layer in viewer.layers] == ["a", "b", "c", "other"]
    assert viewer.layers.selection.active is other
    assert beats.index("c") - beats.index("b") > 1


def test_layers_above_one_that_is_removed_stay_away(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    add_in_turns(viewer, [picture(name) for name in "abc"])
    viewer.layers.clear()
    qtbot.waitUntil(lambda: not len(turns_of(viewer)))
    assert len(viewer.layers) == 0


def test_no_layer_comes_into_a_viewer_that_is_closed(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    add_in_turns(viewer, [picture(name) for name in "abc"])
    viewer.close()
    qtbot.wait(20)
    assert len(viewer.layers) <= 1


def test_napari_keeps_what_is_prepared_for_its_first_layers(caplog):
    patterns = pytest.importorskip("vispy.visuals.line.dash_atlas")
    patterns._make_pattern.cache_clear()
    prepare_layers.cache_clear()
    with caplog.at_level(logging.INFO):
        prepare_layers()
    assert caplog.records == []
    made = patterns._make_pattern.cache_info().misses
    assert made > 0
    patterns.DashAtlas()
    assert patterns._make_pattern.cache_info().misses == made
