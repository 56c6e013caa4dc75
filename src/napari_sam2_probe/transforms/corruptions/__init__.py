"""Corruptions: transformations of a finished clip, beyond the paper, one module and one class each.

They compose with every kind, in any order, and are found by `napari_sam2_probe.transforms.registry`.
"""
