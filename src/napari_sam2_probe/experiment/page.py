"""A report as one HTML page beside its figures: no script, nothing fetched, good to print."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_sam2_probe.common.files import atomic_write_text

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class PageFigure:
    """A figure on the page; paths are relative to it.

    Attributes
    ----------
    title
        A few words, without full stop.
    image
        The picture that is shown.
    caption
        What is seen, in sentences.
    files
        (name, path) of the same figure in other formats and of its data.
    narrow
        Whether the picture is one column wide.
    """

    title: str
    image: str
    caption: str
    files: tuple[tuple[str, str], ...] = ()
    narrow: bool = False


@dataclass(frozen=True)
class Section:
    """A part of the page: what was found, in sentences, and the figures that show it."""

    title: str
    sentences: tuple[str, ...] = ()
    figures: tuple[PageFigure, ...] = ()


@dataclass(frozen=True)
class Page:
    """A whole page.

    Attributes
    ----------
    title, lead
        The heading, and one or two sentences below it.
    sections
        In order.
    provenance
        (name, value): versions, checkpoint, seeds, command.
    warning
        Said in large letters at the top; empty for none.
    """

    title: str
    lead: str
    sections: tuple[Section, ...]
    provenance: tuple[tuple[str, str], ...] = field(default=())
    warning: str = ""


def write_page(page: Page, path: Path) -> Path:
    """Write the page to `path` and return it."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("napari_sam2_probe.experiment"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    atomic_write_text(path, environment.get_template("page.html").render(page=page) + "\n")
    return path
