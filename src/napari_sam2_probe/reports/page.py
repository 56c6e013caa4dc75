"""A report as one HTML page beside its figures: no script, nothing fetched, good to print, light and dark."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from itertools import groupby
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
    number
        The figure's number in the paper (``"16"``); empty for one that the paper doesn't have.
    group
        Figures that follow each other with the same group stand side by side; empty: alone.
    """

    title: str
    image: str
    caption: str
    files: tuple[tuple[str, str], ...] = ()
    narrow: bool = False
    number: str = ""
    group: str = ""

    @property
    def anchor(self) -> str:
        """The name that links lead to."""
        return self.image.rpartition("/")[2].rpartition(".")[0]


@dataclass(frozen=True)
class PageTable:
    """A table on the page.

    Attributes
    ----------
    title
        A few words, without full stop.
    header
        Names of the columns.
    rows
        Cells as text, each row as long as `header`.
    caption
        What is in it, in sentences.
    files
        (name, path) of the same table in other formats.
    text_columns
        How many columns, from the left, hold words; the others hold numbers.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    files: tuple[tuple[str, str], ...] = ()
    text_columns: int = 1


@dataclass(frozen=True)
class Section:
    """A part of the page: what was found, in sentences, and the tables and figures that show it."""

    title: str
    sentences: tuple[str, ...] = ()
    figures: tuple[PageFigure, ...] = ()
    tables: tuple[PageTable, ...] = ()

    @property
    def anchor(self) -> str:
        """The name that links lead to."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.title.lower()).split())

    @property
    def figure_rows(self) -> list[list[PageFigure]]:
        """The figures, those of one group together."""
        numbered = [(figure.group or f" {k}", figure) for k, figure in enumerate(self.figures)]
        return [[figure for _, figure in row] for _, row in groupby(numbered, key=lambda pair: pair[0])]


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
    notes
        What a reader must know before reading on: what is missing, and how to get it.
    contents
        Whether to begin with links to sections and to the paper's figures.
    """

    title: str
    lead: str
    sections: tuple[Section, ...]
    provenance: tuple[tuple[str, str], ...] = field(default=())
    warning: str = ""
    notes: tuple[str, ...] = ()
    contents: bool = False

    @property
    def wide(self) -> bool:
        """Whether figures stand side by side, which wants room."""
        return any(len(row) > 1 and not row[0].narrow for section in self.sections for row in section.figure_rows)

    @property
    def numbered(self) -> list[tuple[str, str]]:
        """(number in the paper, anchor) of the first figure with each number, in the paper's order."""
        found: dict[str, str] = {}
        for section in self.sections:
            for figure in section.figures:
                for number in figure.number.replace(" and ", ", ").split(", "):
                    if number:
                        found.setdefault(number, figure.anchor)
        return sorted(found.items(), key=lambda item: int(item[0]))


def write_page(page: Page, path: Path, *, embed: bool = False) -> Path:
    """Write the page to `path` and return it.

    Parameters
    ----------
    page
        The page.
    path
        Where; its figures lie beside it already.
    embed
        Put the pictures into the page, so that it can be sent alone; links to other files still need these.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    def picture(image: str) -> str:
        if not embed:
            return image
        content = (path.parent / image).read_bytes()
        return f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"

    environment = Environment(
        loader=PackageLoader("napari_sam2_probe.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["picture"] = picture
    atomic_write_text(path, environment.get_template("page.html").render(page=page) + "\n")
    return path
