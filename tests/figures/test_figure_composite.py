from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.figure_checks import assert_well_laid_out, sentences
from napari_sam2_probe.figures.composite import (
    DrawnPrompts,
    MapPair,
    frame_variance,
    make_composite,
    shared_limits,
)
from napari_sam2_probe.figures.maps import display_limits, format_limit


def panels(figure):
    return np.array(figure.axes, dtype=object).reshape(-1, len(figure.axes) // 2)


@pytest.mark.slow
def test_panels_show_the_maps_themselves(make_composite_input):
    composite = make_composite_input()
    grid = panels(make_composite([composite]))
    np.testing.assert_array_equal(grid[0, 0].images[0].get_array(), composite.frame)
    np.testing.assert_allclose(grid[1, 0].images[0].get_array(), frame_variance(composite.frame))
    for column, pair in enumerate(composite.maps, start=1):
        np.testing.assert_array_equal(grid[0, column].images[0].get_array(), pair.mean)
        np.testing.assert_array_equal(grid[1, column].images[0].get_array(), pair.variance)


def test_all_panels_have_the_videos_shape_and_one_size(make_composite_input):
    figure = make_composite([make_composite_input(height=48, width=85)])
    assert_well_laid_out(figure)
    sizes = {tuple(np.round(axes.get_window_extent().size, 3)) for axes in figure.axes}
    assert len(sizes) == 1
    width, height = sizes.pop()
    assert width / height == pytest.approx(85 / 48, rel=1e-3)
    assert all(axes.get_xlim() == (-0.5, 84.5) and axes.get_ylim() == (47.5, -0.5) for axes in figure.axes)


@pytest.mark.parametrize("positions", [("1",), ("1", "2", "3", "5"), ("1", "2", "3", "5", "5r")])
@pytest.mark.parametrize("size", [(48, 85), (85, 48), (60, 60)])
def test_nothing_is_cut_off_or_overwritten(make_composite_input, positions, size):
    composite = make_composite_input(positions, *size)
    composite = replace(composite, label="Object removal", prompts=DrawnPrompts(((30, 20),), (True,)))
    assert_well_laid_out(make_composite([composite, replace(composite, label="Clean")], outline="all"))


def test_titles_name_the_positions(make_composite_input):
    text = sentences(make_composite([make_composite_input(("1", "5r"), label="Obscured")]))
    for words in ("Position 0\nFrame", "Position 1\nImage embedding", "Position 5r", "Obscured", "Mean", "Variance"):
        assert words in text


def test_what_did_not_run_says_so(make_composite_input):
    nothing = np.full((64, 64), np.nan, dtype=np.float32)
    composite = replace(
        make_composite_input(),
        maps=(MapPair("2", nothing, nothing, "not tracked yet"), MapPair("5", nothing, nothing)),
    )
    figure = make_composite([composite], contrast="shared")
    assert_well_laid_out(figure)
    grid = panels(figure)
    assert all(not axes.images for axes in grid[:, 1:].flat)
    assert grid[0, 1].texts[0].get_text().replace("\n", " ") == "did not run: not tracked yet"
    assert grid[1, 2].texts[0].get_text() == "did not run"
    assert grid[0, 1].get_xlim() == grid[0, 0].get_xlim()


def test_a_status_that_already_says_so_is_not_repeated(make_composite_input):
    nothing = np.full((64, 64), np.nan, dtype=np.float32)
    composite = replace(make_composite_input(), maps=(MapPair("2", nothing, nothing, "did not run"),))
    assert panels(make_composite([composite]))[0, 1].texts[0].get_text() == "did not run"


def test_maps_out_of_the_ordinary_have_a_footnote(make_composite_input):
    composite = make_composite_input()
    prompted = replace(
        composite,
        maps=tuple(
            replace(p, status=f"{p.position} is special " * 8 if p.position in "23" else "") for p in composite.maps
        ),
    )
    figure = make_composite([composite, prompted])
    assert_well_laid_out(figure)
    grid = np.array(figure.axes, dtype=object).reshape(4, 5)
    marks = [[text.get_text() for axes in row for text in axes.texts] for row in grid]
    assert marks == [[], [], ["†", "‡"], ["†", "‡"]]
    (notes,) = [text.get_text() for text in figure.texts]
    assert "† 2 is special" in notes
    assert "‡ 3 is special" in notes
    assert not any(text.get_text() for text in make_composite([composite]).texts)


def test_shared_contrast_is_the_same_in_all_composites(make_composite_input):
    first, second = make_composite_input(("1", "5", "5r")), make_composite_input(("1", "5", "5r"))
    second = replace(second, maps=tuple(MapPair(p.position, 7 * p.mean + 1, 7 * p.variance) for p in second.maps))
    limits = shared_limits([first, second])
    assert limits["5", "mean"] == limits["5r", "mean"]
    figure = make_composite([first, second], contrast="shared")
    grid = np.array(figure.axes, dtype=object).reshape(4, 4)
    for column, pair in enumerate(first.maps, start=1):
        for row, statistic in enumerate(("mean", "variance")):
            expected = limits[pair.position, statistic]
            assert grid[row, column].images[0].get_clim() == expected
            assert grid[row + 2, column].images[0].get_clim() == expected
    own = np.array(make_composite([first, second]).axes, dtype=object).reshape(4, 4)
    assert own[0, 1].images[0].get_clim() != own[2, 1].images[0].get_clim()


def test_map_pixels_are_not_smoothed_unless_asked(make_composite_input):
    plain, smooth = (panels(make_composite([make_composite_input()], smooth=s)) for s in (False, True))
    assert plain[0, 1].images[0].get_interpolation() == "nearest"
    assert smooth[0, 1].images[0].get_interpolation() == "bilinear"


def test_a_constant_map_says_its_value(make_composite_input):
    flat = np.full((64, 64), -0.25, dtype=np.float32)
    composite = replace(make_composite_input(), maps=(MapPair("5", flat, flat),))
    figure = make_composite([composite])
    assert_well_laid_out(figure)
    assert "constant −0.25" in sentences(figure)


def test_the_mask_is_outlined_where_asked(make_composite_input):
    on_frame = panels(make_composite([make_composite_input()]))
    assert [len(axes.patches) for axes in on_frame.flat] == [1] + [0] * 9
    everywhere = panels(make_composite([make_composite_input()], outline="all"))
    assert [len(axes.patches) for axes in everywhere.flat] == [1] * 10


def test_composites_of_different_positions_are_refused(make_composite_input):
    with pytest.raises(ValueError, match="same positions"):
        make_composite([make_composite_input(("1",)), make_composite_input(("1", "5"))])
    with pytest.raises(ValueError, match="same positions"):
        make_composite([])


def test_frame_variance_is_numpys(rng):
    frame = rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)
    np.testing.assert_allclose(frame_variance(frame), np.var(frame / 255.0, axis=-1), rtol=1e-5)
    grey = np.repeat(rng.integers(0, 256, (9, 7, 1), dtype=np.uint8), 3, axis=-1)
    assert not frame_variance(grey).any()


def test_display_limits_leave_out_the_extreme_half_percent():
    values = np.arange(1001.0)
    values[3] = np.nan
    low, high = display_limits([values])
    assert low == pytest.approx(5, abs=1)
    assert high == pytest.approx(995, abs=1)
    assert display_limits([np.full(3, np.nan)]) is None
    assert display_limits([]) is None


def test_display_limits_of_an_almost_constant_map_still_show_the_rest():
    values = np.zeros((64, 64))
    values[0, 0] = 2
    assert display_limits([values]) == (0, 2)


@pytest.mark.parametrize(
    ("limit", "span", "text"),
    [
        (-0.0904, 0.096, "−0.090"),
        (3.5e-15, 0.018, "0"),
        (0.1, 0.27, "0.10"),
        (12345.0, 9e3, "12300"),
        (-0.000254, 0.0005, "−2.5e−4"),
        (4.05, 3.0, "4.0"),
    ],
)
def test_limits_are_written_to_the_precision_of_their_span(limit, span, text):
    assert format_limit(limit, span) == text


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_a_written_limit_is_true_to_a_twentieth_of_the_span(limit, span):
    written = float(format_limit(limit, span).replace("−", "-"))
    assert written == pytest.approx(limit, rel=0.06, abs=0.051 * span)
