"""The official evaluation, where a checkout of it is to be had."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def official_checkout():
    """A checkout of davis2017-evaluation; tests that need it are skipped without."""
    folder = os.environ.get("SAM2_PROBE_DAVIS_EVAL")
    if not folder or not (Path(folder) / "davis2017").is_dir():
        pytest.skip("no official evaluation: set SAM2_PROBE_DAVIS_EVAL to a checkout of davis2017-evaluation")
    pytest.importorskip("cv2")
    return Path(folder)
