"""The Memory panel in a real window, on runs of the sample model: banks, blame, other outcomes, where a pixel looks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QApplication, QComboBox, QLabel

from helpers.hands import click_canvas
from helpers.scenarios import moving_video, square_mask, write_video
from napari_sam2_probe.causes.explain import blame, blame_table, explain_frames
from napari_sam2_probe.families.loaded import ModelChoice, load_model
from napari_sam2_probe.figures.thumbnails import shrink_mask
from napari_sam2_probe.gui.layer_order import Rank, rank_of
from napari_sam2_probe.gui.memory.answers import Answers, Refusal, Subject
from napari_sam2_probe.gui.panels.memory import MemoryPanel
from napari_sam2_probe.gui.panels.memory_tiles import TWIN_FRAME
from napari_sam2_probe.gui.prompt_clicks import PromptClicks
from napari_sam2_probe.gui.state import RunEntry, state_of
from napari_sam2_probe.gui.tracking.controller import TrackController
from napari_sam2_probe.gui.videos import add_video, read_video
from napari_sam2_probe.runs.record import record_run
from napari_sam2_probe.runs.remake import remake
from napari_sam2_probe.tracking.interventions import parse_edits
from napari_sam2_probe.tracking.prompts import Prompt
from napari_sam2_probe.video.folder import FolderSource

pytestmark = pytest.mark.filterwarnings("ignore:cannot import name '_C'")
T = 6
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(scope="module")
def model():
    return load_model(ModelChoice("sample", None, "cpu"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory, model):
    """The runs of a video and of another one that stands for its twin, made with one thread."""
    root, threads = tmp_path_factory.mktemp("memory"), torch.get_num_threads()
    torch.set_num_threads(1)
    prompt = Prompt.from_mask(0, 1, square_mask(0))
    made = []
    for seed, name in enumerate(("clip", "other")):
        video = write_video(root / "videos" / name, moving_video(T, seed=seed))
        made.append(record_run(FolderSource(video), [prompt], root / name, model))
    torch.set_num_threads(threads)
    return made


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1280, 800)
    yield viewer
    state_of(viewer).jobs.close()


@pytest.fixture
def panel(viewer, runs, qtbot):
    """Frame 4 of the clip's run is shown."""
    add_video(viewer, read_video(runs[0].info["video"]["path"]))
    _, panel = viewer.window.add_plugin_dock_widget("napari-sam2-probe", "Memory")
    assert isinstance(panel, MemoryPanel)
    state_of(viewer).add_run(RunEntry(runs[0].path, "clip"))
    viewer.dims.set_current_step(0, 4)
    qtbot.waitUntil(lambda: panel.shown is not None and panel.shown.frame == 4 and bool(panel.shown.entries))
    return panel


def settle(panel, qtbot):
    qtbot.waitUntil(lambda: not panel.background.busy and not panel.job.busy)


def text(panel, name):
    return panel.findChild(QLabel, name).text()


def tile(panel, kind, frame):
    return next(tile for tile in panel.bank.tiles if tile.isVisible() and tile.key == (kind, frame))


def press(qtbot, button):
    qtbot.mouseClick(button, LEFT)


def test_the_bank_is_that_of_the_run_with_its_masks_and_its_attention(panel, runs):
    run, bank = runs[0], runs[0].bank(4, 1)
    shown = panel.shown.entries
    assert [(e.kind, e.frame, e.role, e.age) for e in shown] == [
        tuple(row) for row in bank[["kind", "frame", "role", "age"]].itertuples(index=False)
    ]
    table = run.attention(4, 1)
    table = table[table["queries"] == "all"]
    for entry in shown:
        own = table[(table["kind"] == entry.kind) & (table["entry_frame"] == entry.frame)]
        assert entry.share == pytest.approx(own["share"].mean())
        assert tile(panel, entry.kind, entry.frame).bars.share == entry.share
    assert sum(entry.share for entry in shown) == pytest.approx(1, abs=1e-5)
    video = read_video(run.info["video"]["path"])
    for entry in panel.shown.of_kind("memory"):
        plain = np.asarray(video.read_image(entry.frame).resize(entry.picture.shape[1::-1], 4))
        inside = shrink_mask(run.masks_per_object[0, entry.frame], entry.picture.shape[:2])
        changed = (np.abs(entry.picture.astype(int) - plain) > 1).any(axis=-1)
        assert inside.any()
        assert not (changed & ~inside).any()
        assert changed[inside].mean() > 0.95
    assert text(panel, "bank") == "Frame 4 read 4 memories and 4 pointers."


def test_a_click_on_a_thumbnail_goes_to_its_frame_and_a_prompted_frame_says_what_to_do(viewer, panel, qtbot):
    press(qtbot, tile(panel, "memory", 2).picture)
    qtbot.waitUntil(lambda: panel.shown.frame == 2)
    assert viewer.dims.current_step[0] == 2
    press(qtbot, tile(panel, "pointer", 0).title)
    qtbot.waitUntil(lambda: panel.shown.frame == 0)
    assert "go to a frame that was tracked" in text(panel, "bank")
    assert not panel.explain.isEnabled()
    assert not any(tile.isVisible() for tile in panel.bank.tiles)


def test_explaining_says_its_cost_first_and_shows_the_blame_of_the_command(panel, runs, model, qtbot):
    assert text(panel, "cost").startswith("Explaining takes 14 passes of the frame; first the run is repeated")
    press(qtbot, panel.explain)
    assert panel.job.isVisible()
    assert not panel.explain.isEnabled()
    qtbot.waitUntil(lambda: bool(panel._tables))
    settle(panel, qtbot)
    table = explain_frames(runs[0], [4], 1, model=model)
    single = table[table["entry_frame"].notna()]
    for kind, frame, delta in zip(single["kind"], single["entry_frame"], single["delta_iou"], strict=True):
        assert tile(panel, kind, int(frame)).bars.effect == pytest.approx(abs(delta))
    assert len(text(panel, "groups").splitlines()) == 5
    # The memory that matters most comes first.
    assert panel.findChild(QComboBox, "order").currentText() == "By effect"
    effects = [t.bars.effect for t in panel.bank.memories]
    assert effects == sorted(effects, reverse=True)
    assert text(panel, "cost") == "Explaining takes 14 passes of the frame."


@pytest.mark.parametrize("onward", [False, True])
def test_what_is_dropped_in_the_panel_is_dropped_in_the_session(viewer, panel, runs, model, onward, qtbot):
    assert not panel.again.isEnabled()
    press(qtbot, tile(panel, "memory", 3).drop)
    press(qtbot, tile(panel, "pointer", 0).drop)
    active = viewer.layers.selection.active
    press(qtbot, panel.onward if onward else panel.again)
    qtbot.waitUntil(lambda: len(panel._outcome) == (2 if onward else 1))
    settle(panel, qtbot)
    edits = parse_edits(
        [
            {"edit": "drop", "target": "memory", "entries": {"frames": [3]}},
            {"edit": "drop", "target": "pointer", "entries": {"frames": [0]}},
        ]
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with remake(runs[0], model) as again:
        again.finish()
        expected = dict(again.session.what_if(range(4, 6 if onward else 5), 1, edits))
    torch.set_num_threads(threads)
    layer = panel.outcome_layer.layer
    for frame in range(T):
        mask = expected[frame].mask if frame in expected else np.zeros(layer.data.shape[1:], bool)
        np.testing.assert_array_equal(np.asarray(layer.data[frame]) > 0, mask)
    assert [found.score_after for found in panel._outcome] == [result.object_score for result in expected.values()]
    assert text(panel, "note").startswith("Without memory 3 and without pointer 0, frame")
    # It lies over the prediction and below prompts, never active.
    assert layer.name == "what if · without memory 3 and without pointer 0"
    assert rank_of(layer) is Rank.OTHER_OUTCOME
    assert viewer.layers.selection.active is active
    assert layer.contour > 0
    press(qtbot, panel.clear)
    assert layer not in viewer.layers
    assert panel.changes.is_empty
    assert not tile(panel, "memory", 3).drop.isChecked()


def test_the_twins_memory_is_put_in_by_button_or_by_dragging(viewer, panel, runs, qtbot):
    state_of(viewer).add_run(RunEntry(runs[1].path, "other"), make_current=False)
    twin = panel.findChild(QComboBox, "twin")
    assert not tile(panel, "memory", 3).twin.isVisible()
    twin.setCurrentIndex(twin.findText("other"))
    twin.activated.emit(twin.currentIndex())
    qtbot.waitUntil(lambda: tile(panel, "memory", 3).twin.isVisible() and len(panel.shown.twin) == 4)
    press(qtbot, tile(panel, "memory", 3).twin)
    assert panel.changes.swapped == {("memory", 3): 3}
    # Another of its frames is dragged onto the same memory.
    data = QMimeData()
    data.setData(TWIN_FRAME, b"1")
    copy, none = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    tile(panel, "memory", 3).dropEvent(QDropEvent(QPointF(5, 5), copy, data, LEFT, none))
    assert panel.changes.swapped == {("memory", 3): 1}
    assert tile(panel, "memory", 3).twin.text() == "Twin 1"
    press(qtbot, panel.again)
    qtbot.waitUntil(lambda: len(panel._outcome) == 1)
    settle(panel, qtbot)
    assert text(panel, "note").startswith("With the twin's memory 3, frame 4")
    # One that is dropped is not exchanged as well.
    press(qtbot, tile(panel, "memory", 3).drop)
    assert panel.changes.swapped == {}
    assert panel.changes.dropped == {("memory", 3)}


def test_a_pixel_of_the_video_is_looked_from_and_escape_gives_clicks_back(viewer, panel, runs, model, qtbot):
    video = viewer.layers[0]
    press(qtbot, panel.look_button)
    assert state_of(viewer).click_tool
    click_canvas(qtbot, viewer, video, (4, 45.0, 50.0))
    qtbot.waitUntil(lambda: panel._pixel is not None)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with remake(runs[0], model) as again:
        again.finish()
        seen = again.session.look(4, 1)
    torch.set_num_threads(threads)
    parts = seen.from_token(seen.token_at(panel._pixel.x, panel._pixel.y, (90, 160)))
    assert (panel._pixel.x, panel._pixel.y) == pytest.approx((50, 45), abs=1.5)
    expected = {(e.kind, e.frame): part.mean(axis=0).sum() for e, part in zip(seen.entries, parts, strict=True)}
    assert panel._pixel.shares == pytest.approx(expected, rel=1e-5)
    assert tile(panel, "memory", 3).bars.share == pytest.approx(expected["memory", 3], rel=1e-5)
    assert text(panel, "note").startswith("Pixel 5")
    # The other way round: which pixels read a place of a memory.
    picture = tile(panel, "memory", 3).picture
    qtbot.mouseClick(picture, LEFT, pos=QPoint(picture.width() // 2, picture.height() // 2))
    qtbot.waitUntil(lambda: panel.readers_layer.layer is not None)
    heat = np.asarray(panel.readers_layer.layer.data[4])
    tokens = np.zeros(seen.side**2, bool)
    tokens[seen.token_at(0.5 * 159, 0.5 * 89, (90, 160))] = True
    readers = seen.readers(3, tokens).mean(axis=0)
    np.testing.assert_allclose(heat, np.sqrt(readers / readers.max()), atol=1e-5)
    assert viewer.dims.current_step[0] == 4
    assert (np.asarray(panel.readers_layer.layer.data[3]) == 0).all()
    QApplication.setActiveWindow(viewer.window._qt_window)
    qtbot.keyClick(viewer.window._qt_window, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not panel.look_button.isChecked())
    assert not state_of(viewer).click_tool
    assert panel.readers_layer.layer is None
    assert tile(panel, "memory", 3).bars.share == panel.shown.of_kind("memory")[3].share


def test_a_run_whose_video_moved_shows_masks_and_says_what_is_missing(viewer, runs, model, tmp_path, qtbot):
    video = write_video(tmp_path / "gone", moving_video(3))
    run = record_run(FolderSource(video), [Prompt.from_mask(0, 1, square_mask(0))], tmp_path / "run", model)
    (tmp_path / "gone").rename(tmp_path / "elsewhere")
    _, panel = viewer.window.add_plugin_dock_widget("napari-sam2-probe", "Memory")
    viewer.add_image(np.zeros((3, 90, 160)))
    viewer.dims.set_current_step(0, 2)
    state_of(viewer).add_run(RunEntry(run.path, "moved"))
    qtbot.waitUntil(lambda: panel.shown is not None and bool(panel.shown.entries))
    assert text(panel, "note").startswith("Thumbnails show masks alone.")
    press(qtbot, panel.explain)
    qtbot.waitUntil(lambda: not panel.job.busy)
    assert str(tmp_path / "gone") in text(panel, "note")
    assert not panel._tables


def test_a_live_run_is_asked_from_its_own_session(viewer, model, tmp_path, qtbot):
    add_video(viewer, read_video(write_video(tmp_path / "video", moving_video(4))))
    controller = TrackController(viewer)
    try:
        controller.use_runs_folder(tmp_path / "runs")
        controller.choose_model(ModelChoice("sample", device="cpu"))
        _, panel = viewer.window.add_plugin_dock_widget("napari-sam2-probe", "Memory")
        assert "Track an object" in text(panel, "hint")
        controller.prompts.add_point((0, 42, 35))
        controller.propagate("forward")
        state = state_of(viewer)
        qtbot.waitUntil(lambda: controller.runner.is_idle and state.current_run is not None)
        assert state.current_run.live
        viewer.dims.set_current_step(0, 3)
        qtbot.waitUntil(lambda: panel.shown is not None and panel.shown.frame == 3 and bool(panel.shown.entries))
        # The model is loaded and the session is there: nothing has to be repeated first.
        assert text(panel, "cost") == "Explaining takes 12 passes of the frame."
        session = state.live.recording.session
        steps, masks = len(session.log.resolved()), np.asarray(state.current_run.open().masks[:])
        press(qtbot, panel.explain)
        qtbot.waitUntil(lambda: bool(panel._tables))
        settle(panel, qtbot)
        press(qtbot, tile(panel, "memory", 2).drop)
        press(qtbot, panel.again)
        qtbot.waitUntil(lambda: len(panel._outcome) == 1)
        settle(panel, qtbot)
        (table,) = panel._tables.values()
        expected = blame_table(blame(session, 3, 1))
        for column in ("delta_iou", "delta_score", "delta_pointer"):
            np.testing.assert_allclose(table[column], expected[column], atol=1e-6)
        # The session is as it was.
        assert len(session.log.resolved()) == steps
        np.testing.assert_array_equal(state.current_run.open().masks[:], masks)
        controller.runner.drop()
        qtbot.waitUntil(lambda: state.jobs.running is None)
        assert state.live is None
    finally:
        controller.shut_down()


def test_nothing_is_loaded_for_a_panel_that_was_closed_while_its_job_waited(tmp_path):
    answers = Answers()
    subject = Subject(RunEntry(tmp_path / "no run", "gone"), 1, 1, None, ())
    work = answers.blame(subject)
    assert isinstance(list(work())[-1], Refusal)
    answers.close()
    assert list(work()) == []


def test_a_click_with_the_tool_is_no_prompt(viewer, panel, qtbot):
    controller = TrackController(viewer)
    clicks = PromptClicks(viewer, lambda: (controller.video, controller.prompts), controller.told.emit)
    clicks.in_front = True
    try:
        press(qtbot, panel.look_button)
        click_canvas(qtbot, viewer, viewer.layers[0], (4, 45.0, 50.0))
        qtbot.waitUntil(lambda: panel._pixel is not None)
        assert not controller.prompts.states
        # Hidden, the panel gives clicks back.
        panel.hide()
        assert not state_of(viewer).click_tool
        click_canvas(qtbot, viewer, viewer.layers[0], (4, 45.0, 50.0))
        assert list(controller.prompts.states) == [(4, 1)]
    finally:
        clicks.close()
        controller.shut_down()
