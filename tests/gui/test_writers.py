"""Labels layers, saved by napari and read back."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import tifffile
from napari.layers import Labels
from npe2 import PluginManager, PluginManifest

from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.gui.contrib.writers import write_davis, write_tiff
from napari_sam2_probe.video import read_mask

PLUGIN = "napari-sam2-probe"


@pytest.fixture
def labels():
    return np.random.default_rng(0).choice(np.array([0, 1, 2, 254, 255]), (4, 20, 30))


def test_labels_are_saved_by_the_viewer_and_open_again(make_napari_viewer, labels, tmp_path):
    viewer = make_napari_viewer()
    viewer.add_labels(labels, name="masks")
    (saved,) = viewer.layers.save(str(tmp_path / "masks.tif"), plugin=PLUGIN)
    with tifffile.TiffFile(saved) as file:
        assert file.series[0].axes == "TYX"
        np.testing.assert_array_equal(file.asarray(), labels)
    viewer.open(saved, layer_type="labels", plugin="napari")
    np.testing.assert_array_equal(np.asarray(viewer.layers[-1].data), labels)


@pytest.mark.parametrize("lazy", [False, True])
def test_a_davis_folder_holds_the_labels(labels, tmp_path, lazy):
    data = da.from_array(labels, chunks=(1, 20, 30)) if lazy else labels
    manager = PluginManager()
    manager.register(PluginManifest.from_distribution(PLUGIN))
    manager.activate(PLUGIN)
    layer = Labels(data, name="masks")
    out = tmp_path / "masks"
    assert manager.commands.execute(f"{PLUGIN}.write_davis", (str(out), layer.data, {"name": "masks"})) == [str(out)]
    for frame_idx in range(4):
        np.testing.assert_array_equal(read_mask(out / f"{frame_idx:05d}.png"), labels[frame_idx])
    # Saving again, as napari has asked already, replaces the folder; one that holds other things it doesn't.
    write_davis(str(out), labels[:2], {})
    assert len(list(out.iterdir())) == 2
    (out / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other things"):
        write_davis(str(out), labels, {})


@pytest.mark.parametrize("write", [write_davis, write_tiff])
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (np.zeros((4, 5), int), "has 2 axes"),
        (np.zeros((2, 3, 4, 5), int), "has 4 axes"),
        (np.full((2, 4, 5), 70_000), "outside 0 to 65535 on frame 0"),
        (np.full((2, 4, 5), -1), "outside 0 to 65535 on frame 0"),
    ],
)
def test_what_is_no_video_of_labels_is_refused_and_nothing_left(write, data, said, tmp_path):
    with pytest.raises(InputError, match=said):
        write(str(tmp_path / "out.tif"), data, {"name": "odd"})
    assert list(tmp_path.iterdir()) == []
