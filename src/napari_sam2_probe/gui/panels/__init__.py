"""The panels of the plugin: widgets that show the shared state and change it."""

from napari_sam2_probe.gui.display import require_napari

require_napari()
