from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.figure_checks import drawn
from napari_sam2_probe.common.errors import InputError
from napari_sam2_probe.figures.style import (
    _METADATA,
    KIND_COLOURS,
    add_legend,
    kind_label,
    new_axes,
    new_figure,
    object_colour,
    publication_style,
    save_figure,
    series_colours,
    series_widths,
)
from napari_sam2_probe.transforms.registry import paper_kinds


def plain_figure():
    with publication_style():
        figure = new_figure(3.5, 2)
        axes = new_axes(figure)[0, 0]
        axes.plot([0, 1, 2], [1, 4, 2], marker="o", label="line")
        axes.imshow(np.arange(6).reshape(2, 3), extent=(0, 1, 1, 2), aspect="auto")
        axes.set_xlabel("Frame")
        add_legend(figure, axes.get_lines())
    return figure


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_same_figure_gives_the_same_bytes(tmp_path, suffix):
    saved = [save_figure(plain_figure(), tmp_path / f"{name}{suffix}").read_bytes() for name in "ab"]
    assert saved[0] == saved[1]
    assert b"Date" not in saved[0]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_file_is_the_one_that_matplotlib_writes(tmp_path, suffix):
    path = save_figure(figure := plain_figure(), tmp_path / f"ours{suffix}", dpi=150)
    assert (figure.dpi, figure.canvas.figure) == (plain_figure().dpi, figure)
    with publication_style():
        plain_figure().savefig(tmp_path / f"theirs{suffix}", dpi=150, metadata=_METADATA[suffix])
    assert path.read_bytes() == (tmp_path / f"theirs{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_remark_is_kept_in_the_file(tmp_path, suffix):
    remark = "a toy"
    path = save_figure(plain_figure(), tmp_path / f"figure{suffix}", remark=remark)
    assert remark.encode() in path.read_bytes()
    assert remark.encode() not in save_figure(plain_figure(), tmp_path / f"plain{suffix}").read_bytes()


def test_bytes_do_not_depend_on_the_readers_settings(tmp_path):
    first = save_figure(plain_figure(), tmp_path / "a.png").read_bytes()
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black", "xtick.labelsize": 30}):
        second = save_figure(plain_figure(), tmp_path / "b.png").read_bytes()
    assert first == second


def test_a_png_has_its_publication_size(tmp_path):
    path = save_figure(plain_figure(), tmp_path / "deep" / "figure.png", dpi=200)
    with Image.open(path) as image:
        assert image.size == (700, 400)


def test_an_unknown_suffix_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(InputError, match=r"\.png, \.svg or \.pdf"):
        save_figure(plain_figure(), tmp_path / "figure.jpg")
    assert list(tmp_path.iterdir()) == []


def test_a_figure_changes_no_global_setting(tmp_path):
    before = dict(matplotlib.rcParams)
    save_figure(plain_figure(), tmp_path / "figure.png")
    assert dict(matplotlib.rcParams) == before


def test_importing_figures_is_cheap_and_saving_needs_no_pyplot(tmp_path):
    code = (
        "import sys\n"
        "from napari_sam2_probe.figures import composite, features, filmstrip, obscuration, pointers, scores\n"
        "from napari_sam2_probe.figures import style\n"
        "heavy = {'matplotlib', 'pandas', 'torch', 'scipy', 'napari'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "style.save_figure(style.new_figure(1, 1), sys.argv[1])\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "figure.svg")], check=True)


def test_every_kind_has_its_colour():
    assert tuple(KIND_COLOURS) == paper_kinds()
    assert [kind_label(kind) for kind in ("object-removal", "not-installed")] == ["Object removal", "Not installed"]
    assert len(set(KIND_COLOURS.values())) == len(KIND_COLOURS) == 6


@given(st.lists(st.sampled_from([*KIND_COLOURS, "noise", "blackswan"]), max_size=6))
def test_series_are_told_apart_and_known_kinds_keep_their_colour(kinds):
    colours = series_colours(kinds)
    assert len(colours) == len(kinds)
    assert len(set(colours)) == len(kinds)
    for kind in set(kinds) & KIND_COLOURS.keys():
        assert colours[kinds.index(kind)] == KIND_COLOURS[kind]


@given(st.integers(1, 12))
def test_earlier_series_are_wider_so_that_they_show_under_later_ones(number):
    widths = series_widths(number)
    assert len(widths) == number
    assert all(a > b for a, b in pairwise(widths))
    assert 0.8 < widths[-1] <= widths[0] < 2


def test_objects_have_colours_however_many_there_are():
    assert object_colour(1) != object_colour(2)
    assert len({object_colour(k) for k in range(1, 256)}) == 6


@pytest.mark.parametrize("words", [1, 3, 7, 12])
def test_a_legend_fits_its_figure(words):
    with publication_style():
        figure = new_figure(3.5, 3)
        axes = new_axes(figure)[0, 0]
        lines = [axes.plot([k], label="a label of some length"[: 5 + 2 * k])[0] for k in range(words)]
        legend = add_legend(figure, lines)
    renderer = drawn(figure)
    box = legend.get_window_extent(renderer)
    assert figure.bbox.x0 <= box.x0
    assert box.x1 <= figure.bbox.x1
    assert len(legend.get_texts()) == words
