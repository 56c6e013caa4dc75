"""The command ``sam2-probe``: one module a command, each a thin shell over functions a notebook can call."""

from napari_sam2_probe.cli.app import main

__all__ = ["main"]
