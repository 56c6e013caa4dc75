"""A probe run on disk: written as it grows, read without SAM 2."""

from napari_sam2_probe.probe.positions import STATISTICS, Statistic
from napari_sam2_probe.runs.layout import is_run
from napari_sam2_probe.runs.reader import find_runs, open_run
from napari_sam2_probe.runs.run import ProbeRun

__all__ = ["STATISTICS", "ProbeRun", "Statistic", "find_runs", "is_run", "open_run"]
