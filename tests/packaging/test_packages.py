"""What a user installs: the wheel and an editable checkout both bring the manifest, the samples and the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "napari_sam2_probe"

REPORT = """
import json, sys
from importlib import metadata
import napari_sam2_probe
from npe2 import PluginManager
manager = PluginManager.instance()
manager.discover()
manifest = manager.get_manifest("napari-sam2-probe")
from napari_sam2_probe.gui.contrib.samples import sample_layers
print(json.dumps({
    "package": napari_sam2_probe.__file__,
    "version": metadata.version("napari-sam2-probe"),
    "samples": [sample.key for sample in manifest.contributions.sample_data],
    "readers": [reader.command for reader in manifest.contributions.readers],
    "frames": len(sample_layers("cat")[0][0]),
}))
"""


def run(*command: str | Path) -> str:
    # A PYTHONPATH would bring this checkout into the environments that are made here.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        [str(part) for part in command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel built from the unpacked sdist, as a packager would."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder)
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (source,) = (folder / "unpacked").iterdir()
    wheels = folder / "wheels"
    result = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    (wheel,) = wheels.glob("*.whl")
    return sdist, wheel


def make_environment(folder: Path) -> Path:
    """An environment that has this one's packages, but not this one's editable installs, and return its Python."""
    venv.create(folder, with_pip=False, symlinks=sys.platform != "win32")
    scripts = "Scripts" if sys.platform == "win32" else "bin"
    python = folder / scripts / Path(sys.executable).name
    own = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (own / "outer.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return python


def install(python: Path, *what: str | Path) -> None:
    quiet = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", "--no-build-isolation")
    # The packages of the outer environment are visible, ours among them, but are not this environment's to remove.
    run(sys.executable, "-m", "pip", "--python", python, "install", "--ignore-installed", *quiet, *what)


def test_the_wheel_holds_the_package_once_with_manifest_and_samples(built):
    names = Counter(zipfile.ZipFile(built[1]).namelist())
    assert max(names.values()) == 1
    assert {name.split("/")[0] for name in names} == {PACKAGE, "napari_sam2_probe-0.1.0.dist-info"}
    assert f"{PACKAGE}/py.typed" in names
    assert {f"{PACKAGE}/sample_data/sample_model/{name}.safetensors" for name in ("model", "decoder")} <= set(names)
    with zipfile.ZipFile(built[1]) as wheel:
        assert wheel.read(f"{PACKAGE}/napari.yaml") == (ROOT / "napari.yaml").read_bytes()
    tracked = run("git", "ls-files", "sample_data").split() if (ROOT / ".git").exists() else []
    assert {f"{PACKAGE}/{name}" for name in tracked} <= set(names)


def test_packages_pass_the_index_checks_and_are_small(built):
    run(sys.executable, "-m", "twine", "check", "--strict", *built)
    assert max(package.stat().st_size for package in built) < 30e6


@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_an_installation_is_found_by_napari_and_brings_the_samples(kind, built, tmp_path):
    python = make_environment(tmp_path / "environment")
    install(python, *((built[1],) if kind == "wheel" else ("--editable", ROOT)))
    report = json.loads(run(python, "-c", REPORT).splitlines()[-1])
    place = tmp_path if kind == "wheel" else ROOT / "src"
    assert Path(report["package"]).is_relative_to(place)
    assert report["version"] == "0.1.0"
    assert report["readers"] == ["napari-sam2-probe.get_reader"]
    assert "cat" in report["samples"]
    assert report["frames"] == 40
    assert run(python.parent / "sam2-probe", "--version") == "sam2-probe 0.1.0\n"


def test_the_manifest_is_valid():
    assert "valid" in run(sys.executable, "-m", "npe2", "validate", ROOT / "napari.yaml")
