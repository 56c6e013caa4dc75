"""Whether a window can be opened here; asked first, because Qt ends the process where it can't.

This module loads where napari and Qt are not installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

from napari_sam2_probe.common.errors import InputError

QT_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")
_SCREENLESS_PLATFORMS = ("offscreen", "minimal", "vnc", "eglfs", "linuxfb")
_OPEN_APPLICATION = "from qtpy.QtWidgets import QApplication; QApplication([])"
_TIMEOUT = 60.0


def has_napari() -> bool:
    """Say whether napari and a Qt binding are installed; neither is imported."""
    return find_spec("napari") is not None and any(find_spec(binding) for binding in QT_BINDINGS)


def require_napari() -> None:
    """Raise an InputError that says what to install if napari or a Qt binding is missing.

    Raises
    ------
    InputError
        If one of them is not installed.
    """
    if not has_napari():
        missing = "napari" if find_spec("napari") is None else "a Qt binding"
        raise InputError(f'The window needs {missing}: pip install "napari-sam2-probe[napari]".')


def require_display() -> None:
    """Raise an InputError that says what to do if Qt can't open a window in this process.

    Raises
    ------
    InputError
        If napari or a Qt binding is missing, there is no display, or Qt does not start (a system library it needs is
        missing).
    """
    require_napari()
    if not _has_display():
        raise InputError(
            "There is no display to open napari's window on: run this on a machine with a screen, or on a virtual "
            "one with 'xvfb-run -a sam2-probe view RUN --screenshot FILE.png'."
        )
    if _application_runs():
        return
    try:
        # A child process, because Qt calls abort() where it can't load its platform plugin.
        trial = subprocess.run(
            [sys.executable, "-c", _OPEN_APPLICATION], capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"Qt did not start within {_TIMEOUT:.0f} s on this display: try another display.") from None
    if trial.returncode != 0:
        said = [line.strip() for line in trial.stderr.splitlines() if line.strip()] or ["it gave no reason"]
        raise InputError(f"Qt can't open a window here ({said[0]}): 'sam2-probe doctor' says what is missing.")


def has_screen() -> bool:
    """Say whether a person could see a window here, as far as the environment tells."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _has_display() -> bool:
    """Whether Qt has something to draw on, which it may also have without a screen."""
    if os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0] in _SCREENLESS_PLATFORMS:
        return True
    return has_screen()


def _application_runs() -> bool:
    """Whether this process already has a Qt application (a notebook, a test, napari itself)."""
    if "qtpy.QtWidgets" not in sys.modules:
        return False
    from qtpy.QtWidgets import QApplication

    return QApplication.instance() is not None
