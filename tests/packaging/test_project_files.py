"""The files around the code agree with one another."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import napari_sam2_probe

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    parts = (line.split("==") for line in lines if not line.startswith("#"))
    return {name: Version(version) for name, version in parts}


def requirements() -> list[Requirement]:
    project = PYPROJECT["project"]
    groups = [
        project["dependencies"],
        PYPROJECT["build-system"]["requires"],
        *project["optional-dependencies"].values(),
    ]
    return [Requirement(line) for group in groups for line in group]


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_every_requirement_is_pinned_to_a_version_it_allows(requirement):
    assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_pins_hold_on_every_platform():
    assert not [name for name in pins() if name.startswith(("nvidia-", "cuda-", "triton"))]
    assert not [version for version in pins().values() if version.local]


def test_versions_agree():
    version = PYPROJECT["project"]["version"]
    assert napari_sam2_probe.__version__ == version
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == version
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(version)}\]", changelog, re.MULTILINE)


def test_the_readme_names_the_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make test" in readme
    assert "make demo" in readme


@pytest.mark.parametrize(
    "lines",
    [
        "import napari_sam2_probe",
        "import napari_sam2_probe; dir(napari_sam2_probe)",
        "from napari_sam2_probe.cli.app import build_parser; build_parser().format_help()",
        "from napari_sam2_probe.cli import main; main(['--version'])",
    ],
)
def test_import_and_help_load_nothing_but_python_s_own(lines):
    code = (
        "import contextlib, sys\n"
        "before = set(sys.modules)\n"
        f"with contextlib.suppress(SystemExit): {lines}\n"
        "names = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(names - set(sys.stdlib_module_names)), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stderr == "['napari_sam2_probe']\n"


def test_the_project_s_addresses_are_its_own():
    urls = PYPROJECT["project"]["urls"]
    assert set(urls) == {"Homepage", "Documentation", "Repository", "Issues", "Changelog"}
    assert all(url.startswith(urls["Repository"]) for url in urls.values())
    for name, start in (("Documentation", "/tree/main/"), ("Changelog", "/blob/main/")):
        assert (ROOT / urls[name].removeprefix(urls["Repository"] + start)).exists()
