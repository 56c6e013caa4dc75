"""A table of a report in its three forms: CSV with all digits, HTML and LaTeX (booktabs) as people read them."""

from __future__ import annotations

import html
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_sam2_probe.common.files import atomic_path, atomic_write_text

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


@dataclass(frozen=True)
class ReportTable:
    """A table.

    Attributes
    ----------
    name
        Of its files, without ending.
    title, caption
        As in `PageTable`.
    header
        Names of the columns that people read.
    rows
        Cells that people read.
    data
        The numbers behind, one a row; what the CSV holds.
    text_columns
        How many columns, from the left, hold words.
    """

    name: str
    title: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    data: pd.DataFrame
    text_columns: int = 1

    def without_column(self, name: str) -> ReportTable:
        """Return the table as people read it without one column; the data keep it."""
        index = self.header.index(name)
        return replace(
            self,
            header=self.header[:index] + self.header[index + 1 :],
            rows=tuple(row[:index] + row[index + 1 :] for row in self.rows),
            text_columns=self.text_columns - (index < self.text_columns),
        )

    def write(self, folder: Path) -> dict[str, Path]:
        """Write the three forms into `folder`, and give them by what they are called."""
        paths = {form: folder / f"{self.name}.{form.lower()}" for form in ("CSV", "HTML")}
        paths["LaTeX"] = folder / f"{self.name}.tex"
        write_csv(paths["CSV"], self.data)
        atomic_write_text(paths["HTML"], self.as_html())
        atomic_write_text(paths["LaTeX"], self.as_latex())
        return paths

    def as_latex(self) -> str:
        r"""Return the table for a document that uses ``booktabs`` (``\usepackage{booktabs}``)."""
        columns = "l" * self.text_columns + "r" * (len(self.header) - self.text_columns)
        lines = [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_latex(self.title)}. {_latex(self.caption)}}}",
            rf"\label{{tab:{self.name}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(map(_latex, self.header)) + r" \\",
            r"\midrule",
        ]
        before: str | None = None
        for row in self.rows:
            if before is not None and row[0] != before and self.text_columns > 1:
                lines.append(r"\addlinespace")
            before = row[0]
            lines.append(" & ".join(map(_latex, row)) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
        return "\n".join(lines)

    def as_html(self) -> str:
        """Return the table as an HTML fragment to paste into a page."""
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.header)
        body = "\n".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in self.rows
        )
        caption = html.escape(f"{self.title}. {self.caption}".strip())
        head = f"<thead><tr>{head}</tr></thead>"
        return f"<table>\n<caption>{caption}</caption>\n{head}\n<tbody>\n{body}\n</tbody>\n</table>\n"


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table of numbers, completely or not at all."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": r"$-$",
    "–": "--",
    "×": r"$\times$",
    "≥": r"$\geq$",
}


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
