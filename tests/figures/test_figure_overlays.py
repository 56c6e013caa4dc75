from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from matplotlib.figure import Figure

from napari_sam2_probe.figures.overlays import (
    DrawnPrompts,
    draw_prompts,
    fill_mask,
    outline_mask,
    pixel_edges,
    show_frame,
)

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9))


def test_the_outline_of_one_pixel_is_its_square():
    mask = np.zeros((4, 5), dtype=bool)
    mask[2, 3] = True
    edges = {tuple(sorted(map(tuple, edge.tolist()))) for edge in pixel_edges(mask)}
    assert edges == {
        ((2.5, 1.5), (3.5, 1.5)),
        ((2.5, 2.5), (3.5, 2.5)),
        ((2.5, 1.5), (2.5, 2.5)),
        ((3.5, 1.5), (3.5, 2.5)),
    }


def test_straight_edges_are_joined():
    assert len(pixel_edges(np.ones((7, 30), dtype=bool))) == 4


@given(masks)
def test_outline_length_is_the_number_of_pixel_sides_on_the_border(mask):
    padded = np.pad(mask, 1)
    sides = (padded[1:] != padded[:-1]).sum() + (padded[:, 1:] != padded[:, :-1]).sum()
    edges = pixel_edges(mask)
    assert np.abs(edges[:, 1] - edges[:, 0]).sum() == sides


@given(masks)
def test_every_edge_piece_separates_mask_from_not_mask(mask):
    padded = np.pad(mask, 1)
    for (x0, y0), (x1, y1) in pixel_edges(mask):
        for k in range(int(abs(x1 - x0) + abs(y1 - y0))):
            if y0 == y1:
                x, above = int(x0 + 0.5) + k, int(y0 - 0.5)
                pair = padded[above + 1, x + 1], padded[above + 2, x + 1]
            else:
                y, left = int(y0 + 0.5) + k, int(x0 - 0.5)
                pair = padded[y + 1, left + 1], padded[y + 1, left + 2]
            assert pair[0] != pair[1]


@given(st.integers(1, 4), st.integers(1, 4))
def test_an_empty_mask_has_no_outline(height, width):
    axes = Figure().subplots()
    assert outline_mask(axes, np.zeros((height, width), dtype=bool), "red") is None


def test_a_fill_covers_the_mask_in_its_colour_and_nothing_else():
    axes = Figure().subplots()
    mask = np.eye(3, dtype=bool)
    layer = np.asarray(fill_mask(axes, mask, "#FF0000", alpha=0.5).get_array())
    np.testing.assert_array_equal(layer[..., 3] > 0, mask)
    np.testing.assert_allclose(layer[mask], [[1, 0, 0, 0.5]] * 3)


def test_a_frame_lies_in_pixel_coordinates():
    axes = Figure().subplots()
    image = show_frame(axes, np.zeros((48, 85, 3), dtype=np.uint8))
    assert tuple(image.get_extent()) == (-0.5, 84.5, 47.5, -0.5)


def test_prompts_lie_where_they_were_given():
    axes = Figure().subplots()
    prompts = DrawnPrompts(points=((3, 4), (10, 2)), positive=(True, False), box=(1, 2, 11, 7))
    box, positive, negative = draw_prompts(axes, prompts)
    assert box.get_bbox().extents.tolist() == [1, 2, 11, 7]
    assert (positive.get_xdata(), positive.get_ydata()) == ([3], [4])
    assert (negative.get_xdata(), negative.get_ydata()) == ([10], [2])
    assert positive.get_marker() != negative.get_marker()
