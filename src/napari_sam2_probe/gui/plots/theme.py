"""The colours that napari's theme gives to plots."""

from __future__ import annotations

from napari_sam2_probe.gui.plots.area import PlotTheme


def plot_theme(name: str) -> PlotTheme:
    """Return the colours that a napari theme of this name gives to plots."""
    from napari.utils.theme import get_theme

    theme = get_theme(name)
    # What `as_hex` takes and gives differs between versions of napari.
    background, text = ("#" + bytes(colour.as_rgb_tuple()[:3]).hex() for colour in (theme.background, theme.text))
    return PlotTheme(background, text)
