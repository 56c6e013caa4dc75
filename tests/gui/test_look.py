"""What the Look panel shows, without a window: cells, differences and values over time, from runs on disk."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.clip_runs import HEIGHT, MAP_SHAPE, NUM_FRAMES, WIDTH, box, map_values
from napari_sam2_probe.figures.composite import MapPair
from napari_sam2_probe.figures.map_charts import MapSeries, map_series_chart
from napari_sam2_probe.figures.map_difference import subtract_maps
from napari_sam2_probe.figures.maps import coloured, symmetric_limits
from napari_sam2_probe.gui.layers import METADATA_KEY
from napari_sam2_probe.gui.look import open_look
from napari_sam2_probe.gui.map_difference_layers import difference_layer
from napari_sam2_probe.gui.plots.cells import place_cells
from napari_sam2_probe.gui.videos import read_video


def opened(clips, *kinds, obj_id=1, object_ids=(1, 2)):
    return open_look([clips.run(kind, object_ids) for kind in kinds], obj_id, [])


def cell(frame, number, statistic):
    return next(c for column in frame.cells for c in column if (c.number, c.statistic) == (number, statistic))


def test_a_frame_has_all_recorded_positions_with_their_own_limits(clips):
    look = opened(clips, "obscuration", obj_id=2)
    frame = look.frame(4)
    assert [column[0].number for column in frame.cells] == ["0", "1", "2", "3", "5", "5r"]
    assert frame.size == (HEIGHT, WIDTH)
    for number, key in (("1", "image_embedding"), ("5", "memory_features")):
        for statistic, expected in zip(("mean", "variance"), map_values(key, 2, 4), strict=True):
            found = cell(frame, number, statistic)
            np.testing.assert_array_equal(found.values, expected)
            assert found.limits == pytest.approx(np.percentile(expected, (0.5, 99.5)))
            assert found.picture.shape == (*MAP_SHAPE, 4)
    # The prediction is filled in the object's colour, and the rest is the video.
    video = read_video(clips.video("obscuration-00000")).frames.read(4)
    picture = cell(frame, "0", "mean").picture
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[box(2, 4)] = True
    np.testing.assert_array_equal(picture[~mask], video[~mask])
    assert (picture[mask] != video[mask]).any(axis=-1).all()
    np.testing.assert_allclose(cell(frame, "0", "variance").values, (video / 255.0).var(axis=-1), atol=1e-6)


def test_a_prompted_frame_says_what_is_out_of_the_ordinary(clips):
    look = opened(clips, "clean")
    assert cell(look.frame(0), "2", "mean").note
    assert cell(look.frame(3), "2", "mean").note == ""
    assert look.frame(NUM_FRAMES).cells == ()


def test_cells_share_limits_as_layers_do(clips):
    look = opened(clips, "clean")
    frame = look.frame(3, sharing="position")
    assert cell(frame, "5", "mean").limits == cell(frame, "5r", "mean").limits
    assert cell(frame, "1", "mean").limits != cell(frame, "5", "mean").limits
    everywhere = look.frame(3, sharing="statistic", colours={"mean": "gray", "variance": "turbo"})
    assert len({cell(everywhere, number, "variance").limits for number in ("1", "2", "3", "5", "5r")}) == 1
    assert cell(everywhere, "1", "mean").colours == "gray"


def test_the_clip_less_its_twin_whichever_is_current(clips):
    obscured, clean = clips.run("obscuration"), clips.run("clean")
    values = map_values("memory_attention", 1, 3) + 5
    store(obscured, "memory_attention", 3, values)
    expected = np.float32(values) - np.float32(map_values("memory_attention", 1, 3))
    for entries, is_twin in (([obscured, clean], False), ([clean, obscured], True)):
        look = open_look(entries, 1, [])
        assert (look.is_twin, look.difference_title) == (is_twin, "obscuration − clean")
        found = cell(look.frame(3, "difference"), "2", "mean")
        np.testing.assert_array_equal(found.values, expected[0])
        low, high = found.limits
        assert (low, high) == (-high, pytest.approx(5, abs=1e-4))
        assert not cell(look.frame(4, "difference"), "2", "mean").values.any()
        np.testing.assert_array_equal(look.stack("memory_attention", "variance", "difference")[3], expected[1])
        data, keywords, kind = difference_layer(look, "memory_attention", "mean")
        assert kind == "image"
        np.testing.assert_array_equal(data[3], expected[0])
        low, high = keywords["contrast_limits"]
        assert low == -high < 0
        assert keywords["metadata"][METADATA_KEY]["twin"] == str(entries[1].path)


def test_a_frame_that_the_other_run_lacks_says_so(clips):
    look = opened(clips, "obscuration", "clean")
    look.frames.pop(4)
    frame = look.frame(4, "difference")
    assert cell(frame, "2", "mean").picture is None
    assert "other run" in cell(frame, "2", "mean").note
    assert np.isnan(look.stack("memory_attention", "mean", "difference")[4]).all()


def test_values_over_time_are_those_of_numpy(clips):
    look = opened(clips, "interjection", object_ids=(1,))
    maps = np.stack([map_values("prompt_attention", 1, t)[0] for t in range(NUM_FRAMES)])
    pixel = look.series("prompt_attention", "mean", (0.5, 0.25))
    np.testing.assert_array_equal(pixel.values["this pixel"], maps[:, 8, 4])
    corner = look.series("prompt_attention", "mean", (0.9999, 0.9999))
    np.testing.assert_array_equal(corner.values["this pixel"], maps[:, -1, -1])
    both = look.series("prompt_attention", "mean")
    for t in (0, 6, 11):
        mask = np.zeros((HEIGHT, WIDTH))
        mask[box(1, t)] = 1
        # Two rows and four columns of the video a cell.
        share = mask.reshape(16, 2, 16, 4).mean(axis=(1, 3))
        assert both.values["inside the mask"][t] == pytest.approx(np.average(maps[t], weights=share))
        assert both.values["outside"][t] == pytest.approx(np.average(maps[t], weights=1 - share))
    assert both.prompted.tolist() == [True] + [False] * (NUM_FRAMES - 1)
    assert np.flatnonzero(both.interjection).tolist() == [5, 6]


def store(entry, key, frame_idx, values):
    """Put other maps into a run."""
    import zarr

    group = zarr.open_group(entry.path / "probe.zarr", mode="r+")
    for statistic, one in zip(("mean", "variance"), values, strict=True):
        group[f"maps/{key}/{statistic}"][0, frame_idx] = one


def test_a_chart_leaves_prompted_frames_out_of_its_range():
    values = np.array([5000.0, 1, 2, np.nan, 3])
    prompted = np.array([True, False, False, False, False])
    chart = map_series_chart(MapSeries({"one": values}, np.ones(5, bool), prompted), "title")
    low, high = chart.y_limits
    assert 0.5 < low < 1 < 3 < high < 4
    assert chart.counts_frames
    assert chart.title == "title"
    assert [dots.label for dots in chart.dots] == ["prompted"]


def test_differences_of_maps_and_their_colours():
    one, two = np.array([[1.0, 4.0]]), np.array([[3.0, np.nan]])
    clip, twin = (MapPair("1", one, two), MapPair("2", one, one)), (MapPair("1", two, one, "odd"),)
    (found,) = subtract_maps(clip, twin)
    np.testing.assert_array_equal(found.mean, [[-2, np.nan]])
    np.testing.assert_array_equal(found.variance, [[2, np.nan]])
    assert found.status == "twin: odd"
    assert symmetric_limits([found.mean]) == (-2, 2)
    assert symmetric_limits([np.zeros(3)]) == (-1, 1)
    assert symmetric_limits([np.full(3, np.nan)]) is None
    picture = coloured(np.array([[-2.0, 0.0, 2.0, np.nan]]), (-2, 2), "RdBu_r")
    assert picture[0, :, 3].tolist() == [255, 255, 255, 0]
    assert picture[0, 0, 2] > picture[0, 0, 0]
    assert picture[0, 2, 0] > picture[0, 2, 2]
    assert picture[0, 1, :3].min() > 240


@pytest.mark.parametrize(("width", "across"), [(350, 3), (700, 6), (250, 2), (90, 1)])
def test_columns_are_wrapped_so_that_cells_can_be_read(width, across):
    places, height = place_cells(6, width, 9 / 16)
    assert len({top.left for top, _ in places}) == across
    for upper, lower in places:
        assert upper.width >= 90
        assert upper.height == pytest.approx(upper.width * 9 / 16)
        assert lower.top > upper.top + upper.height
        assert lower.top + lower.height < height
        if width >= 200:
            assert upper.left + upper.width <= width
    everything = [place for both in places for place in both]
    for k, one in enumerate(everything):
        middle = one.left + one.width / 2, one.top + one.height / 2
        assert one.share(*middle) == (pytest.approx(0.5), pytest.approx(0.5))
        assert [other.share(*middle) for j, other in enumerate(everything) if j != k] == [None] * 11
    assert place_cells(0, width, 1) == ([], 0)
