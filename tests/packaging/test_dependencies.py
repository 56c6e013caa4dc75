"""pyproject.toml declares what is imported, where it is imported, and nothing else."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "napari_sam2_probe"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]

DISTRIBUTIONS = {
    "PIL": "pillow",
    "_pytest": "pytest",
    "distributed": "dask",
    "hydra": "hydra-core",
    "pytestqt": "pytest-qt",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "tomli_w": "tomli-w",
    "yaml": "pyyaml",
}
"""What is installed under another name than it is imported by."""

NOT_IMPORTED = {"numcodecs"}
"""Declared in the core for a bound on what another dependency brings; pyproject.toml says why."""

NAMED_IN_FILES = {"timm"}
"""Needed by models that ask for it by name; the extra's comment says why."""

OFFICIAL = {"cv2", "davis2017"}
"""The official DAVIS evaluation and what it needs: tests that compare with it are skipped where it is not there."""


def names(lines: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in lines}


CORE = names(PROJECT["dependencies"])


def imported(*files: Path) -> set[str]:
    """Return the distributions that modules import, wherever in them; those of this project are left out."""
    own = {"napari_sam2_probe"}
    # Inside the package, modules name one another in full.
    outside = [file for file in files if not file.is_relative_to(PACKAGE)]
    own |= {name for file in outside for name in (file.stem, file.parent.name)}
    found: set[str] = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                found.add((node.module or "").partition(".")[0])
    return {canonicalize_name(DISTRIBUTIONS.get(name, name)) for name in found - own - sys.stdlib_module_names}


def modules(*folders: Path) -> list[Path]:
    return [file for folder in folders for file in folder.rglob("*.py")]


CORE_MODULES = [file for file in modules(PACKAGE) if PACKAGE / "gui" not in file.parents]


def test_the_core_imports_what_it_declares():
    # Two commands run napari's event loop when a run is open in it.
    window = [PACKAGE / "cli" / name for name in ("demo.py", "view.py")]
    assert imported(*window) - CORE == {"napari"}
    # Dask's workers are an extra, which one module asks for in a sentence.
    workers = PACKAGE / "experiments" / "cluster.py"
    assert imported(workers) - CORE == names(EXTRAS["distributed"]) == {"dask"}
    # Another family of models is an extra too.
    port = [*(PACKAGE / "families").glob("port*.py"), PACKAGE / "models" / "hub.py"]
    further = names(EXTRAS["transformers"]) - NAMED_IN_FILES
    assert imported(*port) - CORE == further == {"transformers", "huggingface-hub"}
    others = (file for file in CORE_MODULES if file not in [*window, workers, *port])
    assert imported(*others) == CORE - NOT_IMPORTED


def test_the_window_imports_what_its_extra_declares():
    assert imported(*modules(PACKAGE / "gui")) - CORE == names(EXTRAS["napari"])


def test_tests_and_tools_import_what_is_declared():
    used = imported(*modules(*(ROOT / name for name in ("tests", "tools", "benchmarks", "examples")))) - OFFICIAL
    assert used <= CORE | names(EXTRAS["all"]) | names(EXTRAS["test"]) | names(EXTRAS["transformers"])


def test_an_undeclared_import_would_be_found(tmp_path):
    (tmp_path / "a.py").write_text("def f():\n    from skimage.measure import label\n    import PIL.Image, json\n")
    (tmp_path / "b.py").write_text("import a\nfrom . import c\nimport napari_sam2_probe.api\nimport yaml as y\n")
    assert imported(*modules(tmp_path)) == {"scikit-image", "pillow", "pyyaml"}


def test_all_is_the_window_and_the_workers():
    assert set(EXTRAS["all"]) == {*EXTRAS["napari"], *EXTRAS["distributed"]}


def test_the_window_is_the_same_with_either_binding():
    without = [{line for line in EXTRAS[name] if "side6" not in line.lower()} for name in ("napari", "pyside6")]
    assert without[0] - without[1] == {"napari[pyqt6]>=0.9"}
    assert without[1] < without[0]


@pytest.mark.parametrize("extras", [[], ["napari", "distributed"]])
def test_the_lowest_versions_are_those_that_are_declared(extras):
    command = [sys.executable, str(ROOT / "tools" / "lowest_versions.py"), *extras]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    pins = dict(line.split("==") for line in said.splitlines())
    wanted = [Requirement(line) for line in sum((EXTRAS[extra] for extra in extras), PROJECT["dependencies"])]
    assert set(pins) == {canonicalize_name(requirement.name) for requirement in wanted}
    for requirement in wanted:
        version = Version(pins[canonicalize_name(requirement.name)])
        assert version in requirement.specifier
        [bound] = [clause.operator for clause in requirement.specifier if Version(clause.version) == version]
        assert bound in (">=", "==")
    assert pins["torch"] == "2.5.1"
