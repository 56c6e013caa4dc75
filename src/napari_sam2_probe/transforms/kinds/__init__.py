"""The kinds of clips, one module and one class each, found by `napari_sam2_probe.transforms.registry`."""
