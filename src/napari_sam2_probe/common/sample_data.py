"""Where the sample data is: inside an installed package, at the top of a checkout."""

from __future__ import annotations

from pathlib import Path


def sample_data_folder() -> Path:
    """Return the folder of sample videos (DAVIS layout) and of the sample model."""
    package = Path(__file__).parents[1]
    inside = package / "sample_data"
    return inside if inside.is_dir() else package.parents[1] / "sample_data"
