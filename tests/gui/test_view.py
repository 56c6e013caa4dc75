"""Opening runs: what is found, what is said where nothing can be opened, and the picture without a screen."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.gui.layers import run_to_layers
from napari_sam2_probe.gui.view import open_runs, runs_in, side_by_side
from napari_sam2_probe.runs import open_run

MAIN = "import sys; from napari_sam2_probe.cli import main; sys.exit(main())"
REQUIRE_DISPLAY = "from napari_sam2_probe.gui.display import require_display; require_display()"


def child(*arguments, **environment):
    """Run Python in a process of its own: a window that can't be opened must not end the tests."""
    env = {name: value for name, value in (os.environ | environment).items() if value is not None}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=env, timeout=120, check=False
    )


def test_runs_are_found_in_folders(maker):
    first, second = maker.run("a"), maker.run("b")
    (maker.folder / "deeper" / "still").mkdir(parents=True)
    third = maker.run("deeper/still/c")
    assert runs_in(first) == [first]
    assert runs_in(maker.folder) == [first, second, third]


@pytest.mark.parametrize("missing", ["run.json", "probe.zarr"])
def test_half_a_run_is_not_a_run(maker, missing):
    run = maker.run()
    (run / missing).rename(run / "away")
    with pytest.raises(InputError, match="is not a probe run and holds none"):
        runs_in(run)


def test_a_run_that_can_t_be_read_is_left_out(maker, monkeypatch, needs_display, make_napari_viewer):
    paths = [maker.run("a"), maker.run("b")]
    viewer = make_napari_viewer()
    monkeypatch.setattr("napari.Viewer", lambda **_: viewer)
    (paths[1] / "run.json").write_text("torn")
    with pytest.warns(UserWarning, match="A run is left out: .*/b/run.json"):
        open_runs([maker.folder])
    assert all(layer.name.endswith("· a") for layer in viewer.layers)
    (paths[0] / "run.json").write_text("torn")
    with pytest.warns(UserWarning, match="/a/"), pytest.raises(InputError, match="/b/"):
        open_runs([maker.folder])


def test_runs_side_by_side_bear_their_names(maker, monkeypatch, needs_display, make_napari_viewer):
    for name in ("a", "b"):
        maker.run(name, video=maker.video(name))
    viewer = make_napari_viewer()
    monkeypatch.setattr("napari.Viewer", lambda **_: viewer)
    open_runs([maker.folder])
    assert viewer.canvas.grid.enabled
    cells = {}
    for index, layer in enumerate(viewer.layers):
        if layer.name_overlay.visible:
            cells[viewer.canvas.grid.position(index, viewer.layers)] = layer.name
    assert cells == {(0, 0): "masks · a", (0, 1): "masks · b"}
    viewer.layers.clear()
    open_runs([maker.folder / "a"])
    assert not any(layer.name_overlay.visible for layer in viewer.layers)


def test_a_path_that_is_not_there_and_a_file(maker):
    with pytest.raises(InputError, match="nowhere does not exist"):
        runs_in(maker.folder / "nowhere")
    file = maker.folder / "video.mp4"
    file.write_bytes(b"")
    with pytest.raises(InputError, match=r"video.mp4 is not a probe run"):
        runs_in(file)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="displays are named by DISPLAY on Linux only")
@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"DISPLAY": None, "WAYLAND_DISPLAY": None, "QT_QPA_PLATFORM": None}, "There is no display"),
        ({"DISPLAY": ":4711", "WAYLAND_DISPLAY": None, "QT_QPA_PLATFORM": "xcb"}, "Qt can't open a window here"),
        ({"DISPLAY": ":0", "QT_QPA_PLATFORM": "nosuch"}, "Qt can't open a window here"),
    ],
)
def test_without_a_display_one_sentence_says_what_to_do(environment, said):
    result = child("-c", REQUIRE_DISPLAY, **environment)
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("napari_sam2_probe.common.errors.InputError: " + said)
    assert result.returncode == 1


def test_runs_with_other_numbers_of_layers_have_a_cell_each(maker):
    video = maker.video()
    paths = [maker.run("a", video=video), maker.run("b", video=video, object_ids=(1, 2)), maker.run("c")]
    groups = [run_to_layers(open_run(path)) for path in paths]
    layers, stride = side_by_side(groups)
    assert stride == 3
    assert len(layers) == sum(map(len, groups))
    cells = [
        {layer[1]["name"].rsplit(" · ")[-1] for layer in layers[k : k + 3] if layer[1].get("visible", True)}
        for k in range(0, len(layers), 3)
    ]
    assert cells[:3] == [{"a"}, {"b"}, {"c"}]
    assert not any(cells[3:])


@pytest.mark.parametrize("objects", [(1,), (1, 2)])
def test_screenshot_shows_runs_side_by_side(maker, needs_display, objects):
    video = maker.video()
    maker.run("a", video=video)
    maker.run("b", video=video, object_ids=objects)
    out = maker.folder / "picture.png"
    # Neither do all machines have the programs that vispy asks for the screen's resolution.
    result = child("-c", MAIN, "view", str(maker.folder), "--screenshot", str(out), PATH="/nowhere")
    assert (result.returncode, result.stderr) == (0, "")
    picture = np.asarray(Image.open(out).convert("RGB")).astype(int)
    assert picture.shape[0] > 500
    assert picture.shape[1] > 900
    # Both runs are drawn: two stretches of the masks' colour, with background between them.
    coloured = (np.ptp(picture, axis=-1) > 80).sum(axis=0) > 20
    assert (np.diff(coloured.astype(int)) == 1).sum() >= 2


def test_screenshot_name_without_png_is_refused_before_anything_opens(maker):
    result = child("-c", MAIN, "view", str(maker.run()), "--screenshot", str(maker.folder / "p.txt"))
    assert result.returncode == 2
    assert "give a name that ends in .png" in result.stderr
    assert len(result.stderr.splitlines()) == 1
