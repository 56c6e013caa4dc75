"""Videos become layers, and layers videos."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.common.sample_data import sample_data_folder
from napari_sam2_probe.gui.state import state_of
from napari_sam2_probe.gui.videos import (
    add_video,
    is_video_layer,
    placement,
    read_video,
    use_video,
    video_from_layer,
)


@pytest.fixture
def layer_of():
    from napari.layers import Image

    return lambda *args, **kwargs: Image(*args, **kwargs)


def test_a_davis_sequence_is_a_video_and_its_true_masks(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    heard = []
    state_of(viewer).video_changed.connect(heard.append)
    source = read_video(sample_data_folder() / "coins")
    entry = add_video(viewer, source)
    qtbot.waitUntil(lambda: len(viewer.layers) == 2)
    video, masks = viewer.layers
    assert entry.layer is video
    assert heard == [entry]
    assert state_of(viewer).video is entry
    assert (video.name, masks.name) == ("coins", "ground truth · coins")
    np.testing.assert_array_equal(np.asarray(video.data[7]), source.read(7))
    np.testing.assert_array_equal(np.asarray(masks.data[7]), source.mask(7))
    assert video.extent.world.tolist() == masks.extent.world.tolist()
    again = video_from_layer(video)
    assert again.video is source
    video.name = "renamed"
    viewer.layers.move(0, 2)
    assert state_of(viewer).video is entry
    viewer.layers.remove(masks)
    assert state_of(viewer).video is entry
    viewer.layers.remove(video)
    assert state_of(viewer).video is None


def test_a_video_of_another_layer_stays_when_the_first_is_removed(make_napari_viewer):
    viewer = make_napari_viewer()
    first, second = (viewer.add_image(np.zeros((3, 8, 9), np.uint8)) for _ in range(2))
    use_video(viewer, video_from_layer(first))
    entry = use_video(viewer, video_from_layer(second))
    viewer.layers.remove(first)
    assert state_of(viewer).video is entry


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("colours", [(), (3,), (4,)])
@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
def test_a_layer_becomes_a_video(layer_of, dtype, colours, kind):
    top = 1.0 if dtype == np.float32 else 200
    data = (np.random.default_rng(0).random((4, 10, 12, *colours)) * top).astype(dtype)
    array = {"numpy": lambda: data, "dask": lambda: da.from_array(data, chunks=2), "zarr": lambda: zarr.array(data)}
    layer = layer_of(array[kind](), rgb=bool(colours), name="film")
    source = video_from_layer(layer).video
    assert (source.num_frames, source.height, source.width, source.name) == (4, 10, 12, "film")
    frame = source.read(2)
    assert frame.shape == (10, 12, 3)
    assert frame.dtype == np.uint8
    if dtype == np.uint8:
        np.testing.assert_array_equal(frame, data[2][..., :3] if colours else np.repeat(data[2][..., None], 3, 2))
    else:
        # The order of intensities survives the scaling.
        assert np.corrcoef(frame[..., 0].ravel(), data[2].reshape(120, -1)[:, 0])[0, 1] > 0.99


def test_gray_intensities_are_scaled_as_the_layer_shows_them(layer_of):
    data = np.linspace(0, 1000, 3 * 4 * 5).reshape(3, 4, 5).astype(np.uint16)
    source = video_from_layer(layer_of(data, contrast_limits=(100, 600))).video
    assert (source.scaling.low, source.scaling.high) == (100, 600)
    assert source.read(0).min() == 0
    assert source.read(2).max() == 255


def test_a_multiscale_layer_gives_its_finest_level(layer_of):
    data = np.random.default_rng(0).integers(0, 255, (3, 32, 32), np.uint8)
    source = video_from_layer(layer_of([data, data[:, ::2, ::2]], multiscale=True)).video
    assert (source.height, source.width) == (32, 32)


@pytest.mark.parametrize(
    ("shape", "rgb"), [((2, 3, 8, 8), False), ((8, 8), False), ((8, 8, 3), True), ((2, 3, 8, 8, 3), True)]
)
def test_other_axes_are_refused_in_one_sentence(layer_of, shape, rgb):
    layer = layer_of(np.zeros(shape, np.uint8), rgb=rgb, name="odd")
    assert is_video_layer(layer) == (layer.ndim > 3)
    with pytest.raises(InputError, match=r"'odd' has \d axes.*\.$"):
        video_from_layer(layer)


def test_a_labels_layer_is_no_video():
    from napari.layers import Labels

    layer = Labels(np.zeros((3, 4, 5), np.uint8), name="objects")
    assert not is_video_layer(layer)
    with pytest.raises(InputError, match="choose an image layer"):
        video_from_layer(layer)


def test_a_layer_is_laid_exactly_over_a_video_that_is_moved_and_scaled():
    from napari.layers import Image, Labels

    video = Image(
        np.zeros((3, 8, 12), np.uint8), scale=(1, 0.5, 0.25), translate=(0, 10, -4), rotate=0, shear=(0, 0.1, 0.2)
    )
    masks = Labels(np.zeros((3, 8, 12), np.uint8), **placement(video))
    for point in [(0, 0, 0), (2, 7, 11), (1, 3.5, 2)]:
        np.testing.assert_allclose(masks.data_to_world(point), video.data_to_world(point))
