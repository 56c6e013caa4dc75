"""The README's Python is run as it stands, and its commands exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from napari_sam2_probe.cli.app import COMMANDS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


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
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target
