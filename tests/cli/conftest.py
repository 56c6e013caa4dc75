"""A video, a mask and the command as a person types it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helpers.scenarios import moving_video, square_mask, write_video
from helpers.typed_command import Answer, H, T, W


@pytest.fixture
def video(tmp_path):
    return Path(write_video(tmp_path / "video", moving_video(T, H, W)))


@pytest.fixture
def mask(tmp_path):
    from napari_sam2_probe.video.masks import write_mask

    write_mask(tmp_path / "mask.png", square_mask(0).astype(np.uint8))
    return tmp_path / "mask.png"


@pytest.fixture
def command(capsys):
    """``command("run", ...)`` runs the command in this process."""
    from napari_sam2_probe.cli import main

    def run(*words: object) -> Answer:
        capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return run
