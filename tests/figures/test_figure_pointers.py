from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from helpers.figure_checks import assert_well_laid_out, sentences
from napari_sam2_probe.figures.pointers import (
    PointerPath,
    draw_pointer_paths,
    make_pointer_paths,
)


@pytest.fixture
def paths(rng, absent):
    return [
        PointerPath("Clean", "clean", rng.normal(size=(28, 2))),
        PointerPath("Interjection", "interjection", rng.normal(size=(28, 2)), ~absent),
    ]


def test_lines_follow_the_pointers_in_frame_order(paths):
    axes = Figure().subplots()
    for line, path in zip(draw_pointer_paths(axes, paths, (0.5, 0.2)), paths, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), path.coordinates)


def test_a_star_stands_on_each_first_frame(paths):
    axes = Figure().subplots()
    draw_pointer_paths(axes, paths, (0.5, 0.2))
    stars = [line for line in axes.get_lines() if line.get_marker() == "*"]
    np.testing.assert_array_equal([s.get_xydata()[0] for s in stars], [p.coordinates[0] for p in paths])


def test_absent_frames_are_hollow_and_only_they(paths, absent):
    axes = Figure().subplots()
    first, second = draw_pointer_paths(axes, paths, (0.5, 0.2))
    hollow = [line for line in axes.get_lines() if line.get_label() == "_absent"]
    assert [len(h.get_xdata()) for h in hollow] == [0, 4]
    np.testing.assert_array_equal(hollow[1].get_xydata(), paths[1].coordinates[absent])
    assert first.get_markevery() == list(range(28))
    assert second.get_markevery() == np.flatnonzero(~absent).tolist()


def test_labels_state_explained_variance_and_marks(paths):
    figure = make_pointer_paths(paths, (0.463, 0.208))
    assert_well_laid_out(figure)
    text = sentences(figure)
    for words in ("46 % of variance", "21 % of variance", "Clean", "Interjection", "first frame", "object absent"):
        assert words in text
    assert "object absent" not in sentences(make_pointer_paths(paths[:1], (0.4, 0.2)))


def test_names_that_people_gave_are_drawn_as_they_are(rng):
    titles = ["_private", "from $5_{ to $6", "100 % \\alpha", "a folder with a name " * 5]
    figure = make_pointer_paths([PointerPath(t, "run", rng.normal(size=(5, 2))) for t in titles], (0.5, 0.2))
    assert_well_laid_out(figure)
    texts = [" ".join(text.get_text().split()) for text in figure.legends[0].get_texts()]
    assert texts[:4] == ["_private", "from \\$5_{ to \\$6", "100 % \\alpha", titles[3].strip()]


def test_missing_pointers_are_gaps_and_the_star_moves_to_the_first_known(paths):
    coordinates = paths[0].coordinates.copy()
    coordinates[:3] = np.nan
    axes = Figure().subplots()
    draw_pointer_paths(axes, [PointerPath("run", "clean", coordinates)], (0.5, 0.2))
    (star,) = [line for line in axes.get_lines() if line.get_marker() == "*"]
    np.testing.assert_array_equal(star.get_xydata(), coordinates[3:4])


@pytest.mark.parametrize("coordinates", [np.zeros((1, 2)), np.full((5, 2), np.nan), np.cumsum(np.ones((200, 2)), 0)])
def test_degenerate_paths(coordinates):
    assert_well_laid_out(make_pointer_paths([PointerPath("run", "video", coordinates)], (1.0, 0.0)))


def test_many_runs_have_a_legend_that_fits(rng):
    runs = [PointerPath(f"Sequence number {k}", "video", rng.normal(size=(28, 2))) for k in range(5)]
    assert_well_laid_out(make_pointer_paths(runs, (0.5, 0.2)))
