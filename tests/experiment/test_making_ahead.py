"""Clips of further kinds are made beside the tracking: same bytes, and both end together whatever happens."""

from __future__ import annotations

import multiprocessing
import threading
from contextlib import closing

import pytest

from helpers.small_experiments import table_bytes
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.progress import Progress
from napari_sam2_probe.experiments import execute
from napari_sam2_probe.experiments.config import make_config
from napari_sam2_probe.experiments.execute import iterate_experiment, run_experiment
from napari_sam2_probe.experiments.making import MakingAhead
from napari_sam2_probe.experiments.plan import make_plan
from napari_sam2_probe.experiments.results import open_experiment

pytestmark = [pytest.mark.filterwarnings("ignore:cannot import name '_C'"), pytest.mark.usefixtures("one_thread")]


@pytest.fixture
def making(monkeypatch):
    """Let clips be made beside the tracking, though they are few, in the thread itself; call what is given first."""

    def patch(first) -> None:
        make, measure = execute.iterate_dataset, execute.iterate_measure

        def steps(dataset, place, order, samples, **keywords):
            first(order.kind)
            yield from make(dataset, place, order, samples, **keywords | {"workers": 1})

        monkeypatch.setattr(execute, "_processes", lambda _: 2)
        monkeypatch.setattr(execute, "iterate_measure", lambda dataset, _: measure(dataset, 1))
        monkeypatch.setattr(execute, "iterate_dataset", steps)

    return patch


def threads_left() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("sam2-probe")]


@pytest.mark.slow
def test_one_kind_is_tracked_while_the_next_is_made(making, settings, tiny_experiment, tmp_path):
    tracked = threading.Event()
    seen = []

    def first(kind: str) -> None:
        assert kind == "clean" or tracked.wait(100), "nothing is tracked until all clips are made"

    def watch(event: Progress) -> None:
        seen.append(event)
        if event.what == "tracking clips" and event.done:
            tracked.set()

    making(first)
    out = tmp_path / "out"
    run_experiment(make_config(**settings), out, progress=watch)
    assert table_bytes(out) == table_bytes(tiny_experiment)
    assert list(dict.fromkeys(event.what for event in seen)) == [
        "reading masks",
        "making clean clips",
        "tracking clips",
    ]
    said = list(dict.fromkeys(event.beside for event in seen if event.what == "tracking clips"))
    assert (said[0], said[-1]) == ("2 of 4 clips made", "")
    assert threads_left() == []


@pytest.mark.slow
def test_what_the_making_meets_ends_the_tracking_in_words(making, settings, tiny_experiment, tmp_path, monkeypatch):
    def first(kind: str) -> None:
        if kind != "clean":
            raise InputError("The moon is in the way: wait.")

    out = tmp_path / "out"
    making(first)
    with pytest.raises(InputError, match=r"^The moon is in the way: wait\.$"):
        run_experiment(make_config(**settings), out)
    assert threads_left() == []
    half = open_experiment(out)
    assert not half.complete
    assert half.provenance["sessions"][0]["finished"] is None
    monkeypatch.undo()
    assert run_experiment(make_config(**settings), out).complete
    assert table_bytes(out) == table_bytes(tiny_experiment)


@pytest.mark.slow
def test_stopping_ends_the_processes_that_make_clips(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(execute, "_processes", lambda _: 2)
    out = tmp_path / "out"
    with closing(iterate_experiment(make_config(**settings), out)) as events:
        assert any(event.beside for event in events), "both go on"
        assert threads_left() == ["sam2-probe-making_0"]
    assert multiprocessing.active_children() == []
    assert threads_left() == []
    assert not open_experiment(out).complete


def test_kinds_that_were_made_before_are_not_told_to_be_missing():
    with MakingAhead(lambda _: (step for step in ()), ("interjection", "obscuration"), 500) as making:
        assert making.missing == 0


def test_batches_come_in_turn_but_for_those_that_have_to_wait():
    plan = make_plan(("clean", "interjection", "obscuration"), 4, 2, 1)
    may_be_made = {kind: threading.Event() for kind in ("interjection", "obscuration")}

    def make(kind: str):
        yield Progress(1, 4, kind)
        assert may_be_made[kind].wait(60)
        yield Progress(4, 4, kind)

    names = []
    with MakingAhead(make, tuple(may_be_made), 4) as making:
        batches = making.trackable(plan.in_turn())
        names += [next(batches).name, next(batches).name]
        assert next(batches) is None
        assert making.missing == 7
        may_be_made["interjection"].set()
        names.append(next(batch for batch in batches if batch).name)
        may_be_made["obscuration"].set()
        names += [batch.name for batch in batches if batch]
        assert making.missing == 0
    assert names[:3] == ["clean-0000", "clean-0001", "interjection-0000"]
    assert sorted(names) == [batch.name for batch in plan.batches]
