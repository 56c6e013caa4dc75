"""The README's Python is run as it stands, and its commands exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from napari_sam2_probe.cli.app import COMMANDS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FILES = PYPROJECT["project"]["urls"]["Repository"] + "/blob/main/"
PICTURES = FILES.replace("github.com", "raw.githubusercontent.com").replace("/blob/", "/")


@pytest.mark.slow
def test_the_python_runs_from_any_folder_and_twice(tmp_path):
    [code] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(code.strip().splitlines()) <= 11
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, env=os.environ
        )
        for shown in ("<Run cat: 1 object, 40 frames tracked with sample", "short_term_l2", "delta_iou"):
            assert shown in done.stdout
    assert (tmp_path / "cat-run" / "features.csv").is_file()
    assert (tmp_path / "cat-frame-5.png").is_file()


def test_every_command_is_named():
    for command in COMMANDS:
        assert f"sam2-probe {command}" in README


def test_every_link_leads_somewhere():
    # The README is PyPI's page too, where a link relative to the repository leads nowhere.
    links = re.findall(r"(!?)\[[^\]]*\]\(([^)#]+)\)", README)
    assert not [target for _, target in links if not target.startswith("https://")]
    own = [(picture, target) for picture, target in links if "napari-sam2-probe/napari-sam2-probe" in target]
    assert len(own) > 8
    for picture, target in own:
        start = PICTURES if picture else FILES
        assert target.startswith(start)
        assert (ROOT / target.removeprefix(start)).is_file(), target


def test_the_install_lines_fetch_torch_once():
    [lines] = re.findall(r"## Install\n\n```\n(.*?)```", README, re.DOTALL)
    installs = [line.split("#")[0].split() for line in lines.splitlines() if line.startswith("pip install")]
    torch, build, package = installs
    assert torch == ["pip", "install", "torch", "torchvision"]
    assert set(PYPROJECT["build-system"]["requires"][0].split(">=")[:1]) < set(build)
    assert "--no-build-isolation" in package
    named = {name for names in re.findall(r"napari-sam2-probe\[([a-z,]+)\]", README) for name in names.split(",")}
    assert named == {"napari", "distributed", "all"} <= set(PYPROJECT["project"]["optional-dependencies"])
