"""What lies over a video can be told apart and seen, in dark and in light."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.theme import get_theme
from skimage.color import deltaE_ciede2000, rgb2lab

from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.figures import style
from napari_sam2_probe.gui.boxes import add_true_boxes
from napari_sam2_probe.gui.decoded_layers import decoded_layers, show_decoded
from napari_sam2_probe.gui.decoders import DecodedBoxes
from napari_sam2_probe.gui.layers import MASK_OPACITY
from napari_sam2_probe.gui.outlines import outline_truth
from napari_sam2_probe.gui.prompt_layers import PromptLayers
from napari_sam2_probe.gui.state import VideoEntry
from napari_sam2_probe.gui.tracking.objects import ObjectList
from napari_sam2_probe.gui.tracking.result_layer import ResultLayer
from napari_sam2_probe.gui.turns import Turns
from napari_sam2_probe.gui.videos import video_layers
from napari_sam2_probe.video import DavisDataset

COLOURS = {
    "ground truth": style.TRUTH_COLOUR,
    "included": style.INCLUDED_COLOUR,
    "excluded": style.EXCLUDED_COLOUR,
    "decoded box": style.DECODED_BOX_COLOUR,
    "other outcome": style.OUTCOME_COLOUR,
    **{f"object {k}": colour for k, colour in enumerate(style.OBJECT_COLOURS, start=1)},
}


def rgb(colour):
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def luminance(red_green_blue):
    """As WCAG 2 defines it, in [0, 1]."""
    linear = np.where(red_green_blue <= 0.04045, red_green_blue / 12.92, ((red_green_blue + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


@pytest.mark.parametrize(("one", "other"), combinations(COLOURS, 2))
def test_any_two_colours_can_be_told_apart(one, other):
    difference = deltaE_ciede2000(rgb2lab(rgb(COLOURS[one])), rgb2lab(rgb(COLOURS[other])))
    assert difference >= 20


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("name", COLOURS)
def test_each_colour_is_seen_on_the_canvas(name, theme):
    canvas = np.array(get_theme(theme).canvas.as_rgb_tuple()[:3]) / 255
    high, low = sorted((luminance(rgb(COLOURS[name])), luminance(canvas)), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 3


@pytest.fixture
def coins():
    """A viewer with the video of three coins, and its entry."""
    from napari.layers import Layer

    viewer = ViewerModel()
    outline_truth(viewer)
    sequence = DavisDataset(sample_data_folder()).sequence("coins")
    for data in video_layers(sequence):
        viewer.add_layer(Layer.create(*data))
    return viewer, VideoEntry(viewer.layers[0], sequence)


def test_truth_is_an_outline_and_a_prediction_is_filled(coins, qtbot, monkeypatch):
    viewer, video = coins
    monkeypatch.setattr("napari_sam2_probe.gui.tracking.result_layer.turns_of", lambda _: Turns())
    result = ResultLayer(viewer, video)
    result.show(np.zeros((40, 240, 432), np.uint8), ObjectList().colormap())
    result.frame_changed(0)
    truth, prediction = viewer.layers[1], result.layer
    assert truth.contour > 0
    assert truth.opacity == 1
    assert prediction.contour == 0
    assert prediction.opacity == MASK_OPACITY
    for obj_id in (1, 2, 3, 200):
        np.testing.assert_allclose(truth.colormap.map(obj_id)[:3], rgb(style.TRUTH_COLOUR), atol=1e-6)
    assert truth.colormap.map(0)[3] == 0
    np.testing.assert_allclose(prediction.colormap.map(1)[:3], rgb(style.OBJECT_COLOURS[0]), atol=1e-6)


def test_who_fills_the_truth_finds_it_filled(coins):
    viewer, _ = coins
    viewer.layers[1].contour = 0
    outline_truth(viewer)
    viewer.layers.move(1, 0)
    assert viewer.layers["ground truth · coins"].contour == 0


def test_clicks_are_green_and_red_with_a_white_rim(coins):
    viewer, video = coins
    prompts = PromptLayers(viewer, video)
    layer = prompts.show_points()
    layer.add((0, 50, 50))
    prompts.set_positive(False)
    layer.add((0, 60, 60))
    np.testing.assert_allclose(layer.face_color[:, :3], [rgb(style.INCLUDED_COLOUR), rgb(style.EXCLUDED_COLOUR)])
    np.testing.assert_allclose(layer.border_color[:, :3], np.ones((2, 3)))
    assert (layer.border_width > 0.1).all()
    prompts.undo()
    prompts.redo()
    np.testing.assert_allclose(layer.face_color[1, :3], rgb(style.EXCLUDED_COLOUR))
    np.testing.assert_allclose(layer.border_color[:, :3], np.ones((2, 3)))


def test_clicks_of_the_chosen_object_are_larger(coins):
    viewer, video = coins
    prompts = PromptLayers(viewer, video)
    layer = prompts.show_points()
    layer.add((0, 50, 50))
    prompts.set_object(2)
    layer.add((0, 60, 60))
    first, second = layer.size
    assert second > 1.5 * first
    prompts.set_object(1)
    assert layer.size[0] == second
    assert layer.size[1] == first


def test_boxes_have_the_colours_of_what_says_them(coins):
    viewer, video = coins

    class AtOnce:
        def submit(self, _, work, on_result):
            on_result(work())

    add_true_boxes(viewer, lambda: video.video, video.layer, AtOnce())
    layer = viewer.layers[-1]
    np.testing.assert_allclose(layer.edge_color[:, :3], np.tile(rgb(style.TRUTH_COLOUR), (len(layer.data), 1)))
    corners = [np.array([[0, 1, 1], [0, 1, 9], [0, 9, 9], [0, 9, 1]])]
    show_decoded(viewer, Path("run"), DecodedBoxes("run", corners, [2]), video.layer)
    halo, dashes = decoded_layers(viewer, Path("run"))
    np.testing.assert_allclose(dashes.edge_color[:, :3], np.tile(rgb(style.DECODED_BOX_COLOUR), (len(dashes.data), 1)))
    assert viewer.layers.index(halo) < viewer.layers.index(dashes)
    # Dashes are seen on their halo, whatever lies below.
    high, low = sorted((luminance(rgb(style.DECODED_BOX_COLOUR)), luminance(halo.edge_color[0, :3])), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 3
