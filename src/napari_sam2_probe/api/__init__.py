"""The face: what ``import napari_sam2_probe as sp`` hands out, one module for each group of names."""
