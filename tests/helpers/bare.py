"""An environment without what only the window and a cluster need, made from one that has it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HIDDEN = (
    "PyQt5",
    "PyQt6",
    "PySide2",
    "PySide6",
    "app_model",
    "dask",
    "distributed",
    "magicgui",
    "napari",
    "npe2",
    "psygnal",
    "qtpy",
    "superqt",
    "vispy",
)
"""What an installation without extras doesn't have."""

# Python reads it before anything else, in the children of children too. A hidden module is not found, as if it had
# never been installed: its import ends with ModuleNotFoundError and `find_spec` answers None.
_SITECUSTOMIZE = f"""
import sys

HIDDEN = {HIDDEN!r}

class Hiding:
    def __init__(self, finder):
        self._finder = finder

    def __getattr__(self, name):
        return getattr(self._finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in HIDDEN else self._finder.find_spec(name, path, target)

class Once(list):
    # Finders that are added later (those of editable installs) hide the same.
    def _kept(self, finder):
        return finder if isinstance(finder, Hiding) else Hiding(finder)

    def append(self, finder):
        super().append(self._kept(finder))

    def insert(self, place, finder):
        super().insert(place, self._kept(finder))

sys.meta_path = Once(Hiding(finder) for finder in sys.meta_path)
"""


def bare_environment(folder: Path, **changes: str) -> dict[str, str]:
    """Return the variables of an environment in which `HIDDEN` is not installed.

    Parameters
    ----------
    folder
        An empty folder; the hook goes into it.
    changes
        More variables.
    """
    (folder / "sitecustomize.py").write_text(_SITECUSTOMIZE, encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": path} | changes
