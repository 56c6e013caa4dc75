"""Layers of more axes: one time series of them is a video."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2_probe.gui.time_series import TimeSeries, axes_to_world, take_time_series, time_axis_of
from napari_sam2_probe.gui.videos import placement, video_from_layer


@given(st.data())
def test_a_series_is_the_array_with_other_axes_fixed(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=3, max_size=5)))
    time = data.draw(st.integers(0, len(shape) - 3))
    fixed = {axis: data.draw(st.integers(0, shape[axis] - 1)) for axis in range(len(shape) - 2) if axis != time}
    array = np.arange(np.prod(shape)).reshape(shape)
    series = TimeSeries(array, time, fixed)
    expected = array[tuple(fixed.get(axis, slice(None)) for axis in range(len(shape)))]
    assert series.shape == expected.shape
    np.testing.assert_array_equal(np.asarray(series), expected)


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
@pytest.mark.parametrize("colours", [(), (3,)])
def test_a_series_lies_where_its_layer_showed_it(make_napari_viewer, kind, colours):
    viewer = make_napari_viewer()
    data = np.random.default_rng(1).integers(0, 255, (2, 5, 3, 16, 12, *colours), np.uint8)
    array = {"numpy": lambda: data, "dask": lambda: da.from_array(data, chunks=2), "zarr": lambda: zarr.array(data)}
    labels = ("well", "Time", "z", "y", "x")
    layer = viewer.add_image(
        array[kind](), rgb=bool(colours), name="cells", axis_labels=labels, scale=(1, 2, 3, 0.5, 0.25),
        translate=(0, 7, 0, 10, 20),
    )  # fmt: skip
    viewer.dims.set_point(0, 1)
    viewer.dims.set_point(2, 6)
    taken, told = take_time_series(viewer, layer)
    assert "well 1, z 2" in told
    assert "Time as time" in told
    assert (taken.name, taken.ndim, taken.rgb) == ("cells (well 1, z 2)", 3, bool(colours))
    np.testing.assert_array_equal(np.asarray(taken.data), data[1, :, 2])
    for t, y, x in [(0, 0, 0), (4, 15, 11), (2, 3, 9)]:
        world = np.asarray(layer.data_to_world((1, t, 2, y, x)))
        np.testing.assert_allclose(taken.data_to_world((t, y, x)), world[[1, 3, 4]])
    source = video_from_layer(taken).video
    assert (source.num_frames, source.height, source.width) == (5, 16, 12)
    # What lies over the series lies over the layer too.
    np.testing.assert_allclose(placement(taken)["affine"], axes_to_world(taken, range(3)))
    again, _ = take_time_series(viewer, layer)
    assert again is taken


@pytest.mark.parametrize(
    ("labels", "time"), [(None, 0), (("z", "t", "y", "x"), 1), (("T", "c", "y", "x"), 0), (("z", "c", "y", "time"), 0)]
)
def test_time_is_the_axis_that_is_labelled_so_else_the_first(labels, time):
    from napari.layers import Image

    assert time_axis_of(Image(np.zeros((2, 3, 8, 8)), axis_labels=labels)) == time
