"""Transformations of a finished clip, beyond the paper: ``OPTIONS`` and ``apply(clip, options, rng)`` in each module.

They compose with every kind, in any order. Where pixels move, masks move with them; ``obscured_fraction`` stays what
it was before. The names are in `napari_sam2_probe.transforms.registry`.
"""
