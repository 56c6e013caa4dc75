"""Maps over time, against plain NumPy."""

import numpy as np
import pytest

from napari_sam2_probe.analysis.map_series import cell_over_time, mask_shares, means_by_mask


@pytest.fixture
def maps():
    return np.random.default_rng(0).normal(size=(5, 6, 8))


def test_a_cell_over_time(maps):
    np.testing.assert_array_equal(cell_over_time(maps, 2, 7), maps[:, 2, 7])
    some = cell_over_time(maps, 2, 7, [1, 3])
    np.testing.assert_array_equal(some[[1, 3]], maps[[1, 3], 2, 7])
    assert np.isnan(some[[0, 2, 4]]).all()
    with pytest.raises(IndexError, match="6 x 8"):
        cell_over_time(maps, 6, 0)
    with pytest.raises(IndexError):
        cell_over_time(maps, 0, -1)


def test_shares_are_means_of_blocks_where_sizes_divide():
    mask = np.random.default_rng(1).random((24, 40)) < 0.4
    expected = mask.reshape(6, 4, 8, 5).mean(axis=(1, 3))
    np.testing.assert_allclose(mask_shares(mask, (6, 8)), expected, atol=1e-12)


def test_shares_are_areas_where_sizes_do_not_divide():
    mask = np.random.default_rng(2).random((48, 85)) < 0.4
    fine = mask.repeat(2, axis=0).repeat(64, axis=1)
    expected = fine.reshape(32, 3, 64, 85).mean(axis=(1, 3))
    np.testing.assert_allclose(mask_shares(mask, (32, 64)), expected, atol=1e-12)
    # One pixel of three, over two cells: the middle pixel lies half in each.
    np.testing.assert_allclose(mask_shares(np.array([[False, True, False]]), (1, 2)), [[1 / 3, 1 / 3]])


def test_means_by_mask_are_those_of_numpy_where_cells_are_pixels(maps):
    masks = np.random.default_rng(3).random(maps.shape) < 0.3
    masks[1], masks[2] = False, True
    maps[3] = np.nan
    inside, outside = means_by_mask(maps, masks)
    for t in (0, 4):
        assert inside[t] == pytest.approx(maps[t][masks[t]].mean())
        assert outside[t] == pytest.approx(maps[t][~masks[t]].mean())
    assert np.isnan(inside[[1, 3]]).all()
    assert np.isnan(outside[[2, 3]]).all()
    assert outside[1] == pytest.approx(maps[1].mean())


def test_a_larger_mask_weighs_cells_by_what_it_covers():
    maps = np.array([[[1.0, 5.0]]])
    masks = np.zeros((1, 4, 8), bool)
    masks[0, :, 2:6] = True
    masks[0, :, 2] = False
    inside, outside = means_by_mask(maps, masks)
    # Three columns inside: one over the cell of 1, two over that of 5.
    assert inside[0] == pytest.approx((1 * 1 + 2 * 5) / 3)
    assert outside[0] == pytest.approx((3 * 1 + 2 * 5) / 5)
