"""File dialogs begin where the last one of their kind ended, also in the next session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSettings
from qtpy.QtWidgets import QFileDialog

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget


def ask_folder(parent: QWidget, title: str, kind: str) -> str:
    """Let the user choose a folder, and remember it.

    Parameters
    ----------
    parent, title
        Of the dialog.
    kind
        What the folder is for; dialogs of one kind begin where the last one ended.

    Returns
    -------
    str
        The folder; empty if none was chosen.
    """
    folder = QFileDialog.getExistingDirectory(parent, title, last_folder(kind))
    if folder:
        remember(kind, folder)
    return folder


def ask_file(parent: QWidget, title: str, kind: str, names: str) -> str:
    """Let the user choose a file, and remember its folder; `names` are those that are listed, as Qt writes them."""
    path = QFileDialog.getOpenFileName(parent, title, last_folder(kind), names)[0]
    if path:
        remember(kind, str(Path(path).parent))
    return path


def last_folder(kind: str) -> str:
    """Return the folder that was chosen last; empty where none is known, or it isn't there any more."""
    folder = str(_settings().value(kind, ""))
    return folder if folder and Path(folder).is_dir() else ""


def remember(kind: str, folder: str) -> None:
    """Note that a folder was chosen; where that can't be written, nothing is remembered."""
    _settings().setValue(kind, folder)


def _settings() -> QSettings:
    place = QSettings.Format.IniFormat, QSettings.Scope.UserScope
    return QSettings(*place, "napari-sam2-probe", "folders")
