"""Figures drawn in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
from matplotlib.figure import Figure

from napari_sam2_probe.gui.drawing import PlotTheme, draw_plot
from napari_sam2_probe.gui.drawing_process import DrawingProcess

DARK = PlotTheme("#262930", "#f0f1f2")


def figure_of_process(width, height, wait=0.0, begun=None):
    """A figure whose axes tell the process that made it."""
    if begun is not None:
        begun.write_text("")
    time.sleep(wait)
    figure = Figure(figsize=(width, height))
    figure.add_subplot().set(xlim=(0, os.getpid()), ylim=(0, 1))
    return figure


def drawn_in(drawing, **arguments):
    plot = drawing.draw(partial(figure_of_process, **arguments), (200, 100), 1.0, DARK)
    assert plot.picture.shape == (100, 200, 4)
    return int(plot.areas[0].xlim[1])


@pytest.fixture
def drawing():
    drawing = DrawingProcess()
    yield drawing
    drawing.close()


def test_another_process_draws_the_same_picture(drawing):
    def plain(width, height):
        figure = Figure(figsize=(width, height))
        figure.add_subplot().plot([0, 1, 3], [2, 0, 1], label="a line")
        return figure

    process = drawn_in(drawing)
    assert process != os.getpid()
    assert drawn_in(drawing) == process
    theirs, ours = (draw(plain, (300, 200), 2.0, DARK) for draw in (drawing.draw, draw_plot))
    assert np.array_equal(theirs.picture, ours.picture)
    assert theirs.areas == ours.areas


def test_if_the_process_dies_the_thread_draws_and_the_next_figure_has_a_new_process(drawing, tmp_path):
    process = drawn_in(drawing)
    begun = tmp_path / "begun"
    threading.Thread(target=partial(_kill_once, process, begun)).start()
    assert drawn_in(drawing, wait=1.0, begun=begun) == os.getpid()
    assert drawn_in(drawing) not in (process, os.getpid())


def _kill_once(process, begun):
    while not begun.exists():
        time.sleep(0.01)
    psutil.Process(process).kill()


def test_closing_amid_a_figure_leaves_no_process_and_no_thread(drawing, tmp_path):
    before = set(threading.enumerate())
    process, begun = drawn_in(drawing), tmp_path / "begun"
    drawn: list[int] = []
    thread = threading.Thread(target=lambda: drawn.append(drawn_in(drawing, wait=1.0, begun=begun)))
    thread.start()
    while not begun.exists():
        time.sleep(0.01)
    drawing.close()
    thread.join(60)
    assert drawn == [os.getpid()]
    assert not psutil.pid_exists(process)
    assert set(threading.enumerate()) <= before


KILLED_AFTER_A_FIGURE = """
import os, signal
from test_drawing_process import drawn_in
from napari_sam2_probe.gui.drawing_process import DrawingProcess

print(drawn_in(DrawingProcess()), flush=True)
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_the_process_ends_when_this_one_is_killed():
    path = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
    ended = subprocess.run(
        [sys.executable, "-c", KILLED_AFTER_A_FIGURE],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
        check=False,
        timeout=60,
    )
    assert ended.returncode != 0
    end = time.monotonic() + 60
    while psutil.pid_exists(int(ended.stdout)):
        assert time.monotonic() < end, "the process lives on"
        time.sleep(0.05)


def test_what_a_figure_has_wrong_is_told(drawing):
    with pytest.raises(ZeroDivisionError):
        drawing.draw(lambda width, height: 1 / 0, (200, 100), 1.0, DARK)
