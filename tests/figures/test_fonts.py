"""Names in other scripts: drawn in a font of the machine that has their letters, while all else stays as it is."""

from __future__ import annotations

import io

import pytest
from matplotlib.font_manager import FontProperties, findfont, get_font

from napari_sam2_probe.figures import fonts
from napari_sam2_probe.figures.style import new_axes, new_figure, publication_style

OTHER = "STIXGeneral"
"""Comes with matplotlib, and has letters that DejaVu Sans lacks."""


@pytest.fixture
def with_other(monkeypatch):
    monkeypatch.setattr(fonts, "_WITH_OTHER_LETTERS", ("No Such Font", OTHER))
    fonts.font_families.cache_clear()
    yield
    fonts.font_families.cache_clear()


def letters_of(family):
    return set(get_font(findfont(FontProperties(family=[family]), fallback_to_default=False)).get_charmap())


def drawn(title):
    with publication_style():
        figure = new_figure(2, 1)
        new_axes(figure)[0, 0].set_title(title)
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=100, metadata={"Software": None})
    return picture.getvalue()


def test_only_fonts_that_are_there_are_asked_for(with_other):
    assert fonts.font_families() == [fonts.OWN, OTHER]


def test_letters_that_matplotlib_lacks_are_drawn_in_another_font(with_other, monkeypatch):
    letter = chr(min(letters_of(OTHER) - letters_of(fonts.OWN)))
    drawn(f"clip {letter}")
    plain = drawn("clip")
    monkeypatch.setattr(fonts, "_WITH_OTHER_LETTERS", ())
    fonts.font_families.cache_clear()
    assert drawn("clip") == plain
    with pytest.warns(UserWarning, match="missing from font"):
        drawn(f"clip {letter}")
