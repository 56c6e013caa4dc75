"""What this machine has, and what to do about what it lacks.

Qt and OpenGL are tried in a child process: a graphics driver that aborts takes the child with it, not us.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_sam2_probe.common.errors import ProbeError
from napari_sam2_probe.common.progress import ProgressCallback, ignore_progress
from napari_sam2_probe.models.checkpoints import OFFICIAL, checkpoint_folder, identify, sample_checkpoint
from napari_sam2_probe.models.device import choose_device, choose_dtype, describe_device, free_memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DISTRIBUTION = "napari-sam2-probe"
_SHOWN = ("torch", "torchvision", "sam2", "napari", "numpy", "zarr", "av", "pandas", "scipy", "matplotlib")
_LITTLE_MEMORY = 4e9
_LITTLE_DISK = 2e9
_QT_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")
_MISCOUNTING_PYSIDE = "6.12.0"
"""Gives back references to None and True that it never took; from Python 3.12 on nobody counts them."""
_INSTALL_NAPARI = 'pip install "napari-sam2-probe[napari]"'
_OFF_SCREEN = ("offscreen", "minimal")
_OPENGL_TIMEOUT = 60.0

# vispy is what napari draws with, so its own way to the driver is the one that has to work.
_OPENGL_PROBE = """
import json, sys
from qtpy import API_NAME, QT_VERSION
from qtpy.QtGui import QGuiApplication, QOffscreenSurface, QOpenGLContext
application = QGuiApplication(sys.argv[:1])
context, surface = QOpenGLContext(), QOffscreenSurface()
surface.create()
if not (context.create() and context.makeCurrent(surface)):
    sys.exit("Qt makes no OpenGL context")
from vispy.gloo import gl
facts = [API_NAME, QT_VERSION, gl.glGetParameter(gl.GL_VERSION), gl.glGetParameter(gl.GL_RENDERER)]
print(json.dumps(facts))
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked.

    Attributes
    ----------
    topic
        What was checked, in a word or two.
    level
        ``"ok"``; ``"note"``, good to know; or ``"problem"``, something needed is broken.
    text
        What was found.
    advice
        What to do about it; empty if nothing.
    """

    topic: str
    level: Literal["ok", "note", "problem"]
    text: str
    advice: str = ""


def examine(progress: ProgressCallback = ignore_progress) -> Iterator[Finding]:
    """Look at everything, one finding after the other. Nothing is changed and nothing is fetched."""
    yield Finding("Python", "ok", f"{platform.python_version()} on {platform.platform()}")
    yield from examine_packages()
    yield from _or_what_is_missing("device", examine_device())
    yield from _or_what_is_missing("memory", examine_memory())
    yield from _or_what_is_missing("checkpoints", examine_checkpoints(progress))
    yield from _or_what_is_missing("video", examine_video())
    yield from _or_what_is_missing("window", examine_window(os.environ))


def _or_what_is_missing(topic: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """Give findings, and say so where something that they need can't be imported: that is what one wants to know."""
    try:
        yield from findings
    except (ImportError, OSError) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) and error.name else ""
        text = f"{missing} is missing" if missing else f"a package can't be loaded ({' '.join(str(error).split())})"
        # What is imported and what is installed may have different names, so that of the package isn't guessed.
        advice = "install all that is needed again: pip install napari-sam2-probe"
        yield Finding(topic, "problem", f"not tried, because {text}", advice)


def examine_packages() -> Iterator[Finding]:
    """Compare what is installed with what this package asks for, and torch with torchvision."""
    from packaging.requirements import Requirement

    try:
        asked = [Requirement(line) for line in metadata.requires(_DISTRIBUTION) or []]
    except metadata.PackageNotFoundError:
        asked = []
        yield Finding(
            "packages", "note", f"{_DISTRIBUTION} is used without being installed, so versions can't be compared"
        )
    wrong = 0
    for requirement in asked:
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        version = _version(requirement.name)
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            wrong += 1
            has = "is not installed" if version is None else f"is {version}"
            advice = f"install it: pip install '{requirement}'"
            yield Finding("packages", "problem", f"{requirement.name} {has}; needed is {requirement.specifier}", advice)
    shown = ", ".join(f"{name} {_version(name) or 'missing'}" for name in _SHOWN)
    if not wrong:
        yield Finding("packages", "ok", shown)
    yield torch_pair(_version("torch"), _version("torchvision"), _requires("torchvision"))


def _requires(name: str) -> list[str]:
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []


def torch_pair(torch_version: str | None, torchvision_version: str | None, torchvision_asks: list[str]) -> Finding:
    """Return whether torchvision was built for the torch that is there.

    Parameters
    ----------
    torch_version, torchvision_version
        Installed versions, None if not there.
    torchvision_asks
        The requirements that torchvision's metadata states; a released one names a single torch version.
    """
    lines = [match[1] for line in torchvision_asks if (match := re.match(r"torch\s*\(?==\s*([^\s;)]+)", line))]
    needed = lines[0] if lines else None
    if torch_version is None or torchvision_version is None:
        return Finding("torch", "problem", "torch or torchvision is missing", "pip install torch torchvision")
    if needed is not None and needed.split("+")[0] != torch_version.split("+")[0]:
        return Finding(
            "torch",
            "problem",
            f"torchvision {torchvision_version} was built for torch {needed}, and torch {torch_version} is installed",
            "install both together: pip install --force-reinstall torch torchvision",
        )
    return Finding("torch", "ok", f"torchvision {torchvision_version} belongs to torch {torch_version}")


def examine_device() -> Iterator[Finding]:
    """Find the device that ``--device auto`` takes and the number formats it has."""
    import torch

    try:
        device = choose_device("auto")
    except ProbeError as error:
        yield Finding("device", "problem", str(error), "give --device cpu until the GPU works")
        return
    dtype = str(choose_dtype("auto", device)).removeprefix("torch.")
    free = free_memory(device)
    room = "" if free is None else f", {free / 1e9:.1f} GB free"
    if device.type == "cpu":
        advice = "a frame of the tiny checkpoint takes seconds; a GPU is much faster"
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
        yield Finding("device", "note", f"{describe_device(device)}; no GPU found by torch ({built})", advice)
    else:
        yield Finding("device", "ok", describe_device(device) + room)
    yield Finding("dtype", "ok", f"{dtype} unless --dtype says otherwise")
    if find_spec("sam2") and not any(_package_folder("sam2").glob("_C*")):
        text = "sam2's compiled extension is not there, so its post-processing fills no holes; SAM 2 runs all the same"
        yield Finding("hole filling", "note", text)


def examine_memory() -> Iterator[Finding]:
    """Look at free memory and free disk space."""
    import psutil

    memory = psutil.virtual_memory()
    text = f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB free"
    if memory.available < _LITTLE_MEMORY:
        yield Finding("memory", "note", text, "close other programs before long videos")
    else:
        yield Finding("memory", "ok", text)
    for what, folder in (("working folder", Path.cwd()), ("checkpoint folder", checkpoint_folder())):
        there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
        free = shutil.disk_usage(there).free
        text = f"{free / 1e9:.1f} GB free in the {what} ({folder})"
        if free < _LITTLE_DISK:
            yield Finding("disk", "note", text, "a probe run takes about 0.65 MB a frame and object with maps")
        else:
            yield Finding("disk", "ok", text)


def examine_checkpoints(progress: ProgressCallback = ignore_progress) -> Iterator[Finding]:
    """Verify every downloaded checkpoint by its SHA-256."""
    sample = sample_checkpoint()
    if sample.trained:
        yield Finding("checkpoint", "ok", f"{sample.name}: the small model that comes with the package")
    else:
        text = "sample: untrained stand-in with seeded weights; its masks mean nothing"
        yield Finding(
            "checkpoint", "note", text, "download a real one: sam2-probe checkpoints download sam2.1_hiera_tiny"
        )
    found = 0
    for checkpoint in OFFICIAL:
        path = checkpoint_folder() / checkpoint.filename
        if not path.is_file():
            continue
        found += 1
        known = identify(path, progress)
        if known == checkpoint:
            yield Finding("checkpoint", "ok", f"{checkpoint.name}: verified by SHA-256")
        else:
            text = f"{path}: " + (f"this is {known.name}" if known else "not the file that Meta published")
            advice = f"delete it and run: sam2-probe checkpoints download {checkpoint.name}"
            yield Finding("checkpoint", "problem", text, advice)
    if not found:
        advice = "get the smallest: sam2-probe checkpoints download sam2.1_hiera_tiny"
        yield Finding("checkpoint", "note", f"no official checkpoint in {checkpoint_folder()}", advice)


def examine_video() -> Iterator[Finding]:
    """Look at the video decoder."""
    try:
        import av
    except ImportError as error:
        yield Finding("video files", "problem", f"PyAV can't be imported ({error})", "pip install --force-reinstall av")
        return
    missing = [codec for codec in ("h264", "hevc", "vp9", "mpeg4") if codec not in av.codecs_available]
    text = f"PyAV {av.__version__} with its own FFmpeg"
    if missing:
        yield Finding("video files", "note", f"{text}, without {', '.join(missing)}", "convert such videos first")
    else:
        yield Finding("video files", "ok", text)


def examine_window(environment: Mapping[str, str], timeout: float = _OPENGL_TIMEOUT) -> Iterator[Finding]:
    """Look for napari, a Qt binding, a screen and OpenGL. Without them every headless command still works.

    Parameters
    ----------
    environment
        The environment variables that tell of a screen.
    timeout
        Seconds after which the graphics driver counts as hanging.
    """
    headless = "all commands but 'view' work without"
    binding = next((name for name in _QT_BINDINGS if find_spec(name)), None)
    if binding is None or not find_spec("napari"):
        yield Finding("window", "note", f"napari or a Qt binding is missing; {headless}", _INSTALL_NAPARI)
        return
    yield _binding(binding)
    wants = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if sys.platform.startswith("linux") and not any(environment.get(name) for name in wants):
        yield Finding("OpenGL", "note", f"there is no screen (DISPLAY is not set); {headless} one")
        return
    if environment.get("QT_QPA_PLATFORM") in _OFF_SCREEN:
        yield Finding("OpenGL", "note", "QT_QPA_PLATFORM asks Qt to draw off screen, so no window will be seen")
        return
    yield _opengl(environment, timeout)


def _binding(name: str) -> Finding:
    version = _version("PySide6_Essentials" if name == "PySide6" else name) or ""
    text = f"napari {_version('napari')} with {name} {version}".rstrip()
    if name == "PySide6" and version == _MISCOUNTING_PYSIDE and sys.version_info < (3, 12):
        why = f"{text} ends the process after a while under Python {sys.version_info[0]}.{sys.version_info[1]}"
        return Finding("window", "problem", why, f"pip install 'PySide6!={_MISCOUNTING_PYSIDE}', or use Python 3.12")
    return Finding("window", "ok", text)


def _opengl(environment: Mapping[str, str], timeout: float) -> Finding:
    advice = (
        "update the graphics driver; on Linux install libgl1, libegl1, libxcb-cursor0 and libxkbcommon-x11-0; "
        "all commands but 'view' work without"
    )
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-c", _OPENGL_PROBE],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Finding("OpenGL", "problem", f"the graphics driver didn't answer within {timeout:.0f} s", advice)
    if child.returncode != 0:
        said = [line.strip() for line in child.stderr.splitlines() if line.strip()] or [f"exit code {child.returncode}"]
        # Python's last line is the error; Qt says what is wrong first, and aborts after advice of its own.
        why = said[0] if child.returncode < 0 else said[-1]
        return Finding("OpenGL", "problem", f"napari can't draw here: {why}", advice)
    binding, qt, version, renderer = json.loads(child.stdout.splitlines()[-1])
    return Finding("OpenGL", "ok", f"{version}, drawn by {renderer} (through {binding}, Qt {qt})")


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _package_folder(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0])
